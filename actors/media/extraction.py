"""What the resolver's worker does: finds tracks behind a link or a search, and the stream of one of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import yt_dlp

from .errors import ErrorKind, MediaError
from .extraction_errors import explain
from .guard import is_link, require_web_link
from .text import clean
from .ytdlp_params import FORMATS, parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_QUERY = 500  # characters
MAX_URL = 8192
_MAX_TEXT = 200
_MAX_HEADERS = 32
_FRESH_S = 300.0  # how long a stream address is trusted that states no end
# Endings of plain files that yt-dlp hands on as media because they are no web pages.
_NO_AUDIO = frozenset(
    {
        "txt",
        "md",
        "csv",
        "json",
        "xml",
        "js",
        "css",
        "py",
        "pdf",
        "zip",
        "gz",
        "tar",
        "7z",
        "rar",
        "exe",
        "iso",
    }
    | {"jpg", "jpeg", "png", "gif", "webp", "svg", "bmp"}
)
_MARGIN_S = 120.0  # before a stated end


class Quiet:
    """yt-dlp's logger: errors arrive as exceptions, the rest is of no use here."""

    def debug(self, message: str) -> None: ...

    def warning(self, message: str) -> None: ...

    def error(self, message: str) -> None: ...


class Extractor:
    """One `YoutubeDL` for each set of parameters, made once; used by one thread at a time."""

    def __init__(self, *, cache_dir: str | None, playlist: int) -> None:
        self._playlist = playlist
        self._ydl = [
            yt_dlp.YoutubeDL(parameters(variant, cache_dir=cache_dir, playlist=playlist, logger=Quiet()))
            for variant in range(len(FORMATS))
        ]
        for extractor in yt_dlp.extractor.gen_extractor_classes():  # compiles their expressions: 250 ms
            extractor.suitable("https://localhost.invalid/")

    def find(self, query: str) -> list[dict[str, Any]]:
        """Tracks (fields of Track without the asker), each perhaps with its `stream`. Raises MediaError."""
        query = query.strip()[:MAX_URL]
        if not is_link(query):
            return self._search(query)
        info = self._extract(require_web_link(query), 0)
        if "entries" not in info:
            return [{**_track(info), "stream": _stream(info)}]
        found = self._entries(info)
        if not found:
            raise MediaError(ErrorKind.NOT_FOUND, "There is nothing to play behind this link.")
        return found

    def stream(self, url: str, variant: int) -> dict[str, Any]:
        """The stream of one track: address, headers and what is known of it. Raises MediaError."""
        info = self._extract(require_web_link(url), min(variant, len(FORMATS) - 1))
        if "entries" in info:
            raise MediaError(ErrorKind.NOT_AUDIO, "This link is a list, not one track.")
        return _stream(info)

    def _search(self, text: str) -> list[dict[str, Any]]:
        if not text:
            raise MediaError(ErrorKind.NOT_FOUND, "Say what to play: a link, or words to search for.")
        found = self._entries(self._extract(f"ytsearch1:{text[:MAX_QUERY]}", 0))
        if not found:
            raise MediaError(ErrorKind.NOT_FOUND, f"Nothing was found for “{text[:80]}”.")
        return found

    def _entries(self, info: Mapping[str, Any]) -> list[dict[str, Any]]:
        entries: Iterable[Any] = info.get("entries") or ()
        tracks = [_track(entry) for entry in entries if isinstance(entry, dict) and _playable(entry)]
        return tracks[: self._playlist]

    def _extract(self, target: str, variant: int) -> dict[str, Any]:
        try:
            info = self._ydl[variant].extract_info(target, download=False)
        except Exception as error:  # extractors raise whatever a site makes them raise
            raise explain(error) from error
        if not isinstance(info, dict):
            raise MediaError(ErrorKind.NOT_FOUND, "There is nothing to play behind this link.")
        if "entries" in info:
            info["entries"] = list(info["entries"] or ())
        return info


def _playable(entry: Mapping[str, Any]) -> bool:
    url = entry.get("webpage_url") or entry.get("url")
    return isinstance(url, str) and url.startswith(("http://", "https://")) and len(url) <= MAX_URL


def _track(info: Mapping[str, Any]) -> dict[str, Any]:
    url = str(info.get("webpage_url") or info.get("original_url") or info.get("url"))
    return {
        "url": url[:MAX_URL],
        "title": _text(info.get("title")) or _name_of(url),
        "duration_s": _number(info.get("duration")),
        "is_live": _is_live(info),
        "uploader": _text(info.get("uploader") or info.get("channel")),
        "thumbnail": _link(info.get("thumbnail")),
    }


def _stream(info: Mapping[str, Any]) -> dict[str, Any]:
    url = info.get("url")
    protocol = str(info.get("protocol") or "https")
    manifest = protocol.startswith("m3u8")
    if not isinstance(url, str) or len(url) > MAX_URL or not (manifest or protocol in {"http", "https"}):
        raise MediaError(ErrorKind.NOT_AUDIO, "There is no audio behind this link that can be played.")
    if info.get("direct") and urlsplit(url).path.rpartition(".")[2].lower() in _NO_AUDIO:
        raise MediaError(ErrorKind.NOT_AUDIO, "There is no audio behind this link that can be played.")
    headers = info.get("http_headers") or {}
    return {
        "url": require_web_link(url),
        "headers": {str(name)[:100]: str(headers[name])[:2000] for name in list(headers)[:_MAX_HEADERS]},
        "manifest": manifest,
        "format_id": _text(info.get("format_id")),
        "duration_s": _number(info.get("duration")),
        "is_live": _is_live(info),
        "direct": bool(info.get("direct")),
        "available_at": _number(info.get("available_at")),
        "expires_at": _expiry(url),
    }


def _expiry(url: str) -> float:
    """When the address is no longer to be used (seconds since the epoch)."""
    stated = parse_qs(urlsplit(url).query).get("expire", [""])[0]
    if stated.isascii() and stated.isdigit() and len(stated) <= 12:
        return float(stated) - _MARGIN_S
    return time.time() + _FRESH_S


def _is_live(info: Mapping[str, Any]) -> bool:
    return bool(info.get("is_live")) or info.get("live_status") == "is_live"


def _text(value: object) -> str | None:
    return clean(value, _MAX_TEXT) or None if value else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and 0 < value < 1e12 else None


def _link(value: object) -> str | None:
    return value if isinstance(value, str) and value.startswith("https://") and len(value) <= 2000 else None


def _name_of(url: str) -> str:
    """The name of the file behind a link, without its ending."""
    name = unquote(urlsplit(url).path.rpartition("/")[2])
    return clean(name.rpartition(".")[0] or name, _MAX_TEXT) or clean(urlsplit(url).netloc, _MAX_TEXT)
