"""How sites are asked: what the operator's settings say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from .ytdlp_params import ExtractorArgs

#: Below YouTube's limit for guests, about 300 videos an hour.
PER_HOUR: Final = 250
#: Entries that are taken of one playlist.
PLAYLIST: Final = 500
#: Clients of YouTube's that are not yt-dlp's own choice, and by its table need no token.
FALLBACK: Final[ExtractorArgs] = {"youtube": {"player_client": ("tv", "web_embedded")}}


@dataclass(frozen=True, slots=True)
class Access:
    """`cookies`: a file in Netscape's format. `arguments` go to the sites' extractors with each extraction.

    `fallback` is laid over them where a site or its media server has refused the usual way.
    """

    cookies: Path | None = None
    arguments: ExtractorArgs = field(default_factory=dict, repr=False)
    fallback: ExtractorArgs = field(default_factory=lambda: FALLBACK, repr=False)
    per_hour: int = PER_HOUR
    playlist: int = PLAYLIST
