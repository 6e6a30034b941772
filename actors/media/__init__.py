"""Finds audio behind links and words, and makes it into Opus frames of 20 ms, all in worker processes."""

from .access import Access
from .cache import Cache
from .effects import EFFECTS, OFF
from .errors import ErrorKind, MediaError
from .limits import Limits
from .listing import Listing, Page, Rest
from .media import Media
from .spool import FRAME_S, FRAMES_PER_S, Cursor, Spool
from .track import Track
from .turns import LAST

__all__ = [
    "EFFECTS",
    "FRAMES_PER_S",
    "FRAME_S",
    "LAST",
    "OFF",
    "Access",
    "Cache",
    "Cursor",
    "ErrorKind",
    "Limits",
    "Listing",
    "Media",
    "MediaError",
    "Page",
    "Rest",
    "Spool",
    "Track",
]
