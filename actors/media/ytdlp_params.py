"""Parameters of yt-dlp. It ignores unknown names silently, so a test checks these against it."""

from __future__ import annotations

from typing import Any

_WEB = "[protocol~='^https?$']"  # whole files over HTTP: the byte source can resume them
_BEST = f"ba[acodec=opus]{_WEB}/ba{_WEB}/ba[protocol^=m3u8]/b{_WEB}/b[protocol^=m3u8]"
# After a stream was refused or had no audio: another format of the same medium.
_OTHER = f"ba[ext=m4a]{_WEB}/b{_WEB}/b[protocol^=m3u8]/ba[protocol^=m3u8]/ba*"
FORMATS = (_BEST, _OTHER)


def retry_sleep(n: int) -> float:
    """Seconds before the extractor's attempt `n`."""
    return min(1 + 1.5 * n, 6.0)


def parameters(variant: int, *, cache_dir: str | None, playlist: int, logger: object) -> dict[str, Any]:
    """For one `YoutubeDL` that extracts single media, and lists playlists without opening their entries.

    `variant` picks the formats; `playlist` bounds the entries taken.
    """
    return {
        "quiet": True,
        "noprogress": True,
        "logger": logger,
        "socket_timeout": 10,
        "extractor_retries": 1,
        "retry_sleep_functions": {"extractor": retry_sleep},
        "cachedir": cache_dir or False,
        "noplaylist": True,
        "extract_flat": "in_playlist",
        "playlist_items": f":{playlist}",
        "format": FORMATS[variant],
        "check_formats": False,  # a check downloads to a file, some by another program
        "enable_file_urls": False,
        "usenetrc": False,
        "color": {"stdout": "never", "stderr": "never"},
        "extractor_args": {"youtube": {"skip": ["translated_subs"]}},
    }
