"""What the resolver's worker does: finds tracks behind a link or a search, and the stream of one of them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import yt_dlp

from .errors import ErrorKind, MediaError
from .extraction_errors import explain
from .guard import is_link, require_web_link
from .infos import MAX_TEXT, MAX_URL, name_of, playable, stream_of, track_of
from .radio import radio_name
from .requester import Address
from .text import clean
from .ytdlp_params import FORMATS, items, parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from yt_dlp.extractor.common import InfoExtractor

    #: As yt-dlp takes them: site -> argument -> values.
    Arguments = Mapping[str, Mapping[str, list[str]]]

MAX_QUERY = 500  # characters
_MAX_TOTAL = 10**9  # entries of a list; beyond, it is no number
_CLIENT_MAY_HELP = {ErrorKind.UNAVAILABLE, ErrorKind.NOT_AUDIO}


class Quiet:
    """yt-dlp's logger: errors arrive as exceptions, the rest is of no use here."""

    def debug(self, message: str) -> None: ...

    def warning(self, message: str) -> None: ...

    def error(self, message: str) -> None: ...


class Extractor:
    """One `YoutubeDL` for each choice of formats, made once; used by one thread at a time.

    `cookies`: the text of a cookies file. `sites`: extractors that are asked before yt-dlp's own.
    """

    def __init__(
        self,
        *,
        cache_dir: str | None,
        cookies: str | None = None,
        sites: Sequence[type[InfoExtractor]] = (),
    ) -> None:
        self._classes = [*sites, *yt_dlp.extractor.gen_extractor_classes()]
        self._ydl = [self._new(formats, cache_dir, cookies, sites) for formats in range(len(FORMATS))]
        self._site("https://localhost.invalid/")  # compiles their expressions: 250 ms

    def _new(
        self, formats: int, cache_dir: str | None, cookies: str | None, sites: Sequence[type[InfoExtractor]]
    ) -> yt_dlp.YoutubeDL:
        jar = None if cookies is None else io.StringIO(cookies)
        ydl = yt_dlp.YoutubeDL(
            parameters(formats, cache_dir=cache_dir, logger=Quiet(), cookies=jar),
            auto_init=False,
        )
        for site in sites:
            ydl.add_info_extractor(site())
        ydl.add_default_info_extractors()
        return ydl

    def find(self, query: str, clients: Sequence[Arguments], first: int, last: int) -> dict[str, Any]:
        """`tracks` (fields of Track without the asker), each perhaps with its `stream`, and `listing`.

        That is None for what is no list, else what is known of it and where in it the tracks stand. Of a list
        the entries from number `first` to `last` are taken. `clients` are arguments for the sites'
        extractors: the later ones are tried where the site refuses the first. Raises MediaError.
        """
        query = query.strip()[:MAX_URL]
        for ydl in self._ydl:
            ydl.params["playlist_items"] = items(first, last)
        try:
            return self._find(query, clients[0], first, last)
        except MediaError as error:
            others = self._others(query, clients) if error.kind in _CLIENT_MAY_HELP else []
            for arguments in others:
                try:
                    return self._find(query, arguments, first, last)
                except MediaError:
                    continue  # what the site says to its usual client is what people should read
            raise

    def stream(self, url: str, formats: int, arguments: Arguments, instead_of: Arguments) -> dict[str, Any]:
        """`stream` of one track: address, headers and what is known of it. Raises MediaError.

        It is None if this site's extractor takes the same arguments as it does `instead_of` these.
        """
        if arguments != instead_of and not self._others(url, [instead_of, arguments]):
            return {"stream": None}
        info = self._extract(require_web_link(url), formats, arguments)
        if "entries" in info:
            raise MediaError(ErrorKind.NOT_AUDIO, "This link is a list, not one track.")
        return {"stream": self._stream(info)}

    def _stream(self, info: Mapping[str, Any]) -> dict[str, Any]:
        url = info.get("url")
        cookies = self._ydl[0].cookiejar.get_cookie_header(url) if isinstance(url, str) else None
        return stream_of(info, cookies=cookies)

    def _others(self, query: str, clients: Sequence[Arguments]) -> list[Arguments]:
        """Those of the later arguments that differ for the extractor of this link."""
        if not is_link(query):
            return []
        site = self._site(query)
        return [other for other in clients[1:] if other.get(site) != clients[0].get(site)]

    def _site(self, url: str) -> str:
        """The name by which the arguments of the extractor of this link are given."""
        return next((str(each.ie_key()).lower() for each in self._classes if each.suitable(url)), "")

    def _find(self, query: str, arguments: Arguments, first: int, last: int) -> dict[str, Any]:
        if not is_link(query):
            return {"tracks": self._search(query, arguments), "listing": None}
        info = self._extract(require_web_link(query), 0, arguments)
        if "entries" not in info:
            return {"tracks": [_as_radio({**track_of(info), "stream": self._stream(info)})], "listing": None}
        entries = _entries(info)
        if not entries and first == 1:
            raise MediaError(ErrorKind.NOT_FOUND, "There is nothing to play behind this link.")
        return {"tracks": [track for _, track in entries], "listing": _listing(query, info, entries, last)}

    def _search(self, text: str, arguments: Arguments) -> list[dict[str, Any]]:
        if not text:
            raise MediaError(ErrorKind.NOT_FOUND, "Say what to play: a link, or words to search for.")
        found = _entries(self._extract(f"ytsearch1:{text[:MAX_QUERY]}", 0, arguments))
        if not found:
            raise MediaError(ErrorKind.NOT_FOUND, f"Nothing was found for “{text[:80]}”.")
        return [track for _, track in found]

    def _extract(self, target: str, formats: int, arguments: Arguments) -> dict[str, Any]:
        ydl = self._ydl[formats]
        ydl.params["extractor_args"] = arguments
        try:
            info = ydl.extract_info(target, download=False)
        except Exception as error:  # extractors raise whatever a site makes them raise
            raise explain(error) from error
        if not isinstance(info, dict):
            raise MediaError(ErrorKind.NOT_FOUND, "There is nothing to play behind this link.")
        if "entries" in info:
            info["entries"] = list(info["entries"] or ())
        return info


def _entries(info: Mapping[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """The tracks of a list that was asked for, with their numbers there."""
    pairs: Iterable[tuple[int, Any]] = zip(_numbers(info), info["entries"], strict=False)
    return [
        (number, track_of(entry)) for number, entry in pairs if isinstance(entry, dict) and playable(entry)
    ]


def _numbers(info: Mapping[str, Any]) -> Sequence[int]:
    """Of the entries that were read; yt-dlp does not state them where that is the whole list."""
    return info.get("requested_entries") or range(1, len(info["entries"]) + 1)


def _listing(
    url: str, info: Mapping[str, Any], entries: Sequence[tuple[int, object]], last: int
) -> dict[str, Any]:
    """What a list states of itself; `then`: where the next page begins, None if this was the last one."""
    stated = info.get("playlist_count")
    total = stated if isinstance(stated, int) and 0 < stated < _MAX_TOTAL else None
    reached = max(_numbers(info), default=0)
    goes_on = reached >= last and (total is None or total > last)
    return {
        "url": url,
        "title": clean(info.get("title") or "", MAX_TEXT) or name_of(url),
        "total": total,
        "numbers": [number for number, _ in entries],
        "then": last + 1 if goes_on else None,
    }


def _as_radio(found: dict[str, Any]) -> dict[str, Any]:
    """A track behind a direct link is live if it is an internet radio: yt-dlp does not look."""
    stream = found["stream"]
    if found["is_live"] or not stream["direct"] or stream["manifest"]:
        return found
    name = radio_name(Address(stream["url"], stream["headers"]))
    if name is None:
        return found
    live = {"is_live": True, "duration_s": None}
    return {**found, **live, "title": name or found["title"], "stream": {**stream, **live}}
