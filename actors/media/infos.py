"""What yt-dlp's dictionaries state of tracks and streams, as plain data with bounds."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from .errors import ErrorKind, MediaError
from .guard import require_web_link
from .text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_URL = 8192  # characters
MAX_TEXT = 200
_MAX_HEADERS = 32
_FRESH_S = 300.0  # how long a stream address is trusted that states no end
_MARGIN_S = 120.0  # before a stated end
# How addresses state their end (s since the epoch): YouTube's files, signed links, YouTube's manifests.
_EXPIRY = ("expire", "expires", "exp")
_EXPIRY_IN_PATH = re.compile(r"/expire/([0-9]{1,12})(?:/|$)", re.ASCII)
# Endings of plain files that yt-dlp hands on as media because they are no web pages.
_NO_AUDIO = {
    "txt", "md", "csv", "json", "xml", "js", "css", "py", "pdf", "zip", "gz", "tar", "7z", "rar", "exe",
    "iso", "jpg", "jpeg", "png", "gif", "webp", "svg", "bmp",
}  # fmt: skip


def playable(entry: Mapping[str, Any]) -> bool:
    url = entry.get("webpage_url") or entry.get("url")
    return isinstance(url, str) and url.startswith(("http://", "https://")) and len(url) <= MAX_URL


def track_of(info: Mapping[str, Any]) -> dict[str, Any]:
    url = str(info.get("webpage_url") or info.get("original_url") or info.get("url"))
    return {
        "url": url[:MAX_URL],
        "title": _text(info.get("title")) or name_of(url),
        "duration_s": _number(info.get("duration")),
        "is_live": _is_live(info),
        "uploader": _text(info.get("uploader") or info.get("channel")),
        "thumbnail": _link(info.get("thumbnail")),
    }


def stream_of(info: Mapping[str, Any], *, cookies: str | None = None) -> dict[str, Any]:
    """The stream that was chosen; `cookies`: the header for it. Raises MediaError if it cannot be played."""
    url = info.get("url")
    protocol = str(info.get("protocol") or "https")
    manifest = protocol.startswith("m3u8")
    if not isinstance(url, str) or len(url) > MAX_URL or not (manifest or protocol in {"http", "https"}):
        raise MediaError(ErrorKind.NOT_AUDIO, "There is no audio behind this link that can be played.")
    if info.get("direct") and urlsplit(url).path.rpartition(".")[2].lower() in _NO_AUDIO:
        raise MediaError(ErrorKind.NOT_AUDIO, "There is no audio behind this link that can be played.")
    return {
        "url": require_web_link(url),
        "headers": _headers(info.get("http_headers"), cookies),
        "manifest": manifest,
        "format_id": _text(info.get("format_id")),
        "duration_s": _number(info.get("duration")),
        "is_live": _is_live(info),
        "direct": bool(info.get("direct")),
        "available_at": _number(info.get("available_at")),
        "expires_at": _expiry(url),
        "chunk_bytes": _chunk_bytes(info.get("downloader_options")),
    }


def _headers(given: object, cookies: str | None) -> dict[str, str]:
    headers = list(given.items())[:_MAX_HEADERS] if isinstance(given, dict) else []
    kept = {str(name)[:100]: str(value)[:2000] for name, value in headers}
    return {**kept, "Cookie": cookies} if cookies and len(cookies) <= MAX_URL else kept


def _chunk_bytes(options: object) -> int | None:
    """The largest range that the site serves at full speed, where yt-dlp knows one."""
    stated = options.get("http_chunk_size") if isinstance(options, dict) else None
    return stated if isinstance(stated, int) and stated > 0 else None


def _expiry(url: str) -> float:
    """When the address is no longer to be used (seconds since the epoch)."""
    parts = urlsplit(url)
    stated = [value for name, value in parse_qsl(parts.query) if name.lower() in _EXPIRY]
    stated += _EXPIRY_IN_PATH.findall(parts.path)
    ends = [float(value) for value in stated if value.isascii() and value.isdigit() and len(value) <= 12]
    return min(ends) - _MARGIN_S if ends else time.time() + _FRESH_S


def _is_live(info: Mapping[str, Any]) -> bool:
    return bool(info.get("is_live")) or info.get("live_status") == "is_live"


def _text(value: object) -> str | None:
    return clean(value, MAX_TEXT) or None if value else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and 0 < value < 1e12 else None


def _link(value: object) -> str | None:
    return value if isinstance(value, str) and value.startswith("https://") and len(value) <= 2000 else None


def name_of(url: str) -> str:
    """The name of the file behind a link, without its ending."""
    name = unquote(urlsplit(url).path.rpartition("/")[2])
    return clean(name.rpartition(".")[0] or name, MAX_TEXT) or clean(urlsplit(url).netloc, MAX_TEXT)
