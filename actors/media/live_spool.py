"""A live stream as a spool: a window that slides along, in a file that does not grow.

The file is a ring: what is written beyond its end overwrites what is oldest. Positions in it go on for ever;
where they lie in the file is their remainder. Half of the ring can be read. The other half is what the worker
may have written already without the bot having heard of it yet, so nobody ever reads a record while it is
overwritten.

Guilds share the spool of a station. Who joins later, falls behind the window or comes back after a long
pause hears it from its edge on: as far behind the latest frame as whoever was first, which is what the
stream's own segments need (RFC 8216, section 6.3.3: three of them).
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from .spool import FRAMES_PER_S, Cursor, Spool

if TYPE_CHECKING:
    from pathlib import Path

    from .track import Track

RING_BYTES: Final = 8 << 20
"""At 128 kbit/s its half holds four minutes, at the most that Opus can one."""
SLACK_FRAMES: Final = 25
"""A reader this much further behind than the edge, after it has been without a frame, goes to the edge."""
PATIENCE_FRAMES: Final = 10 * FRAMES_PER_S
"""As far behind as this a reader may be after a pause and go on where it was."""
_STRICT_FRAMES: Final = 100  # what a server has kept meanwhile arrives bit by bit
_FIRST_S: Final = 1.0  # what comes within this is what the stream hands out at once
_OPENING_S: Final = 10.0  # on a slow line that takes longer: for so long it is seen how far it gets ahead
_LEAST_LAG: Final = 75


class LiveSpool(Spool):
    """Frames of a live stream; those before `first` are gone."""

    ring = RING_BYTES

    def __init__(self, track: Track, work_dir: Path, *, volume: int = 100, effect: str = "off") -> None:
        super().__init__(track, work_dir, volume=volume, effect=effect)
        self._first_second = 0
        self._began: float | None = None
        self._lag = 0

    @property
    def first(self) -> int:
        """The oldest frame that can be read."""
        return self._first_second * FRAMES_PER_S

    @property
    def edge(self) -> int:
        """The frame that is live: as far behind the latest one as the stream's own start."""
        return max(self.first, self.frames - max(self._lag, _LEAST_LAG))

    def covers(self, frame: int) -> bool:
        """Whoever wants the stream wants its edge."""
        return True

    def place(self, frame: int) -> int:
        """Its edge, whatever the position: that only says for how long somebody has listened."""
        return self.edge

    def cursor(self, at: int = 0, *, soft: bool = False) -> Cursor:
        """A reader that stays near the edge."""
        return LiveCursor(self, at, soft=soft)

    def grow(self, frames: int, size: int, marks: list[int]) -> None:
        """As for every spool; what is older than the window is gone."""
        super().grow(frames, size, marks)
        now = time.monotonic()
        self._began = now if self._began is None else self._began
        if now - self._began < _FIRST_S:
            self._lag = self.frames
        elif now - self._began < _OPENING_S:
            self._lag = max(self._lag, self.frames - round((now - self._began) * FRAMES_PER_S))
        gone = 0
        while gone < len(self._marks) - 1 and self._marks[gone] < self.bytes - RING_BYTES // 2:
            gone += 1
        del self._marks[:gone]
        self._first_second += gone

    def offset_of(self, second: int) -> int:
        """Where the frame `second * 50` begins, for what is not gone."""
        return self._marks[second - self._first_second]

    def read(self, size: int, offset: int) -> bytes:
        """Up to `size` bytes from a position on, over the end of the ring."""
        at, size = offset % RING_BYTES, min(size, self.bytes - offset)
        data = os.pread(self.fd, min(size, RING_BYTES - at), at)
        return data if len(data) == size else data + os.pread(self.fd, size - len(data), 0)


class LiveCursor(Cursor):
    """Goes to the edge when it is too far behind, softly."""

    def __init__(self, spool: LiveSpool, at: int, *, soft: bool) -> None:
        super().__init__(spool, at, soft=soft)
        self._live = spool
        self._strict = 0  # frames for which it must keep close: there was a hole just before

    def next_frame(self) -> bytes | None:
        """The next frame, from the edge if this one is gone, or if there was a hole and it lies far back."""
        behind = self._live.edge - self.at
        if self.at < self._live.first or behind > (SLACK_FRAMES if self._strict else PATIENCE_FRAMES):
            self.seek(self._live.edge)
            self._soft = True
        frame = super().next_frame()
        self._strict = _STRICT_FRAMES if frame is None else max(0, self._strict - 1)
        return frame
