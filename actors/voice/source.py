"""What is played: the interface of a source, and a source on its way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class FrameSource(Protocol):
    """What a stream plays: ready Opus frames of 20 ms, one at a time, without ever waiting."""

    def next_frame(self) -> bytes | None:
        """The next frame; None if it is not made yet (underrun), or if the source has ended."""
        ...

    @property
    def ended(self) -> bool:
        """No frame will ever come."""
        ...


@dataclass(slots=True)
class Play:
    """One source on its way.

    :ivar position: frames of it that have left, less those that were taken back
    :ivar started: its first frame has left, and this was told
    :ivar joins: it goes on where the one before it stood, in another sound
    """

    source: FrameSource
    play_id: str
    position: int = 0
    started: bool = False
    joins: bool = False


class Broken:
    """Stands in for a source that raised."""

    def __init__(self, error: str) -> None:
        self.error = error
        self.ended = True

    def next_frame(self) -> bytes | None:
        return None
