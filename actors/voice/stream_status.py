"""How a stream stands, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

FRAME_MS: Final = 20


class Expected(Enum):
    """What its guild should hear of a stream now, as whoever commands it has declared last."""

    NOTHING = "nothing"
    SOON = "soon"  # as soon as it is found and made ready
    NOW = "now"


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a play has come.

    :ivar frames: of it that left, and were not taken back
    :ivar unproven: the last of these, of which nothing proves yet that they arrived; 0 where nothing can
    :ivar before: so many of the unproven left before this play began, as part of what it has joined
    """

    play_id: str
    frames: int
    unproven: int
    before: int = 0

    def surely_ms(self, ahead_ms: int = 0) -> int:
        """What is proven, and of the rest at most `ahead_ms`. Less than nothing where what came before this
        play is not proven either, and belongs to it.
        """
        surely = self.frames - max(self.unproven - ahead_ms // FRAME_MS, 0)
        return max(surely, -self.before) * FRAME_MS


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """A moment of a stream.

    :ivar position: frames of the current source that were sent and not taken back; add where its cursor began
    :ivar playing: a source is there and is not paused (whether frames leave is told by `attached` and
        `underrun`)
    :ivar underruns: times the source had nothing ready, since the stream was made
    :ivar sent: frames of sources sent, since the stream was made, those sent again included; silence is not
    :ivar late: of these, sent more than half a frame after their time
    """

    play_id: str | None
    position: int
    playing: bool
    paused: bool
    underruns: int
    sent: int
    late: int
    next_play_id: str | None
    attached: bool
    underrun: bool


@dataclass(frozen=True, slots=True)
class Totals:
    """What streams have counted; never less than before.

    :ivar sent: frames of sources sent, those sent again included; silence is not
    :ivar late: of these, sent more than half a frame after their time
    :ivar underruns: times that no frame was ready
    """

    sent: int = 0
    late: int = 0
    underruns: int = 0

    def __add__(self, other: Totals) -> Totals:
        return Totals(self.sent + other.sent, self.late + other.late, self.underruns + other.underruns)
