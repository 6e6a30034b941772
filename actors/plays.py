"""The name of one play: which entry of the queue the clock sends, and from where in the track.

The clock keeps the name for as long as it sends, so that a restarted player reads in it what is heard: entry,
spool and position. `nonce` tells two plays of the same spool apart (a looping track).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from .messages import FRAME_MS, SpoolKey

_FIELDS = 6


@dataclass(frozen=True, slots=True)
class Play:
    """`base` is the track's frame (20 ms) that is sent first in this play."""

    key: SpoolKey
    base: int
    nonce: int

    @property
    def name(self) -> str:
        """As one word, for the clock; `parse_play` is the way back."""
        key = self.key
        return f"{key.entry_id}:{key.effect}:{key.start_ms}:{key.volume}:{self.base}:{self.nonce}"

    def position_ms(self, frames: int) -> int:
        """Where in the track it stands after `frames` frames of this play."""
        return (self.base + frames) * FRAME_MS


@lru_cache(maxsize=4096)  # of every guild that plays: asked some times a second
def parse_play(name: str | None) -> Play | None:
    """The play of that name, or None if it is not one of a player."""
    parts = (name or "").rsplit(":", _FIELDS - 1)
    if len(parts) != _FIELDS or not parts[0] or not all(part.isdigit() for part in parts[2:]):
        return None
    start_ms, volume, base, nonce = map(int, parts[2:])
    return Play(SpoolKey(parts[0], start_ms, volume, parts[1]), base, nonce)
