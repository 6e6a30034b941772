"""The latest frames of a stream, by number: kept until they are known to have arrived, or taken back.

UDP does not say what arrives. What left since the last proof is kept here, so that it can be sent again when
the proof fails to come: no source need be able to go back, and the end of one track and the beginning of the
next are no different from the middle.
"""

from __future__ import annotations

from collections import deque
from typing import Final

#: Frames of 20 ms that are kept at most: the longest that a hole stays unnoticed, and a little more.
TAPE_FRAMES: Final = 175


class Tape:
    """Frames are numbered from 0 in the order in which they first left; one sent again keeps its number.

    :ivar number: of the frame that leaves next
    """

    __slots__ = ("_kept", "_waiting", "number")

    def __init__(self, limit: int = TAPE_FRAMES) -> None:
        self._kept: deque[bytes] = deque(maxlen=limit)  # the last one has the number before `number`
        self._waiting: deque[bytes] = deque()  # taken back or refused; the first one has `number`
        self.number = 0

    @property
    def waiting(self) -> int:
        """Frames that are to leave (again) before any new one."""
        return len(self._waiting)

    def head(self) -> bytes | None:
        """The frame that waits to leave, or None: then it is a new one's turn."""
        return self._waiting[0] if self._waiting else None

    def left(self, frame: bytes) -> None:
        """`frame`, which is the head or a new one, has left."""
        if self._waiting:
            self._waiting.popleft()
        self._kept.append(frame)
        self.number += 1

    def hold(self, frame: bytes) -> None:
        """`frame`, which is the head or a new one, could not leave: it waits."""
        if not self._waiting:
            self._waiting.append(frame)

    def arrived(self, number: int) -> int:
        """Every frame before `number` has arrived; returns how many of these waited to be sent again."""
        for _ in range(min(len(self._kept), number - self.number + len(self._kept))):
            self._kept.popleft()
        skipped = min(max(number - self.number, 0), len(self._waiting))
        for _ in range(skipped):
            self._waiting.popleft()
        self.number += skipped
        return skipped

    def take_back(self, number: int) -> int:
        """Frames from `number` on did not arrive: they wait to leave again. Returns how many are kept yet."""
        count = max(min(len(self._kept), self.number - number), 0)
        for _ in range(count):
            self._waiting.appendleft(self._kept.pop())
        self.number -= count
        return count

    def clear(self) -> None:
        """Nothing of what was kept is to be heard again."""
        self._kept.clear()
        self._waiting.clear()
