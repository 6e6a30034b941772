"""Parameters of yt-dlp. It ignores unknown names silently, so a test checks these against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import io
    from collections.abc import Mapping

#: Site's extractor -> argument -> values, as yt-dlp's `extractor_args`.
ExtractorArgs: TypeAlias = "Mapping[str, Mapping[str, tuple[str, ...]]]"

_WEB = "[protocol~='^https?$']"  # whole files over HTTP: the byte source can resume them
_BEST = f"ba[acodec=opus]{_WEB}/ba{_WEB}/ba[protocol^=m3u8]/b{_WEB}/b[protocol^=m3u8]"
# After a stream was refused or had no audio: another format of the same medium.
_OTHER = f"ba[ext=m4a]{_WEB}/b{_WEB}/b[protocol^=m3u8]/ba[protocol^=m3u8]/ba*"
FORMATS = (_BEST, _OTHER)
ALWAYS: ExtractorArgs = {"youtube": {"skip": ("translated_subs",)}}


def merged(*parts: ExtractorArgs) -> dict[str, dict[str, list[str]]]:
    """Arguments for extractors as yt-dlp takes them; what a later part says of an argument counts."""
    whole: dict[str, dict[str, list[str]]] = {}
    for part in parts:
        for site, arguments in part.items():
            whole.setdefault(site, {}).update({name: list(values) for name, values in arguments.items()})
    return whole


def retry_sleep(n: int) -> float:
    """Seconds before the extractor's attempt `n`."""
    return min(1 + 1.5 * n, 6.0)


def items(first: int, last: int) -> str:
    """Entries of a playlist by their numbers, from 1; what lies behind them is not asked for."""
    return f"{first}:{last}"


def parameters(
    formats: int,
    *,
    cache_dir: str | None,
    logger: object,
    cookies: io.StringIO | None = None,
) -> dict[str, Any]:
    """For one `YoutubeDL` that extracts single media, and lists playlists without opening their entries.

    `formats` is an index of `FORMATS`; `cookies` is a text stream, for yt-dlp rewrites what it was given.
    Which entries of a playlist are taken each extraction says for itself, by `items`.
    """
    known = {
        "quiet": True,
        "noprogress": True,
        "logger": logger,
        "socket_timeout": 10,
        "extractor_retries": 1,
        "retry_sleep_functions": {"extractor": retry_sleep},
        "cachedir": cache_dir or False,
        "noplaylist": True,
        "extract_flat": "in_playlist",
        "playlist_items": items(1, 1),
        "format": FORMATS[formats],
        "check_formats": False,  # a check downloads to a file, some by another program
        "enable_file_urls": False,
        "usenetrc": False,
        "color": {"stdout": "never", "stderr": "never"},
        "extractor_args": merged(ALWAYS),
    }
    return known if cookies is None else {**known, "cookiefile": cookies}
