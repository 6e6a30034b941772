"""How a stream stands, as plain data."""

from __future__ import annotations

from dataclasses import dataclass


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
