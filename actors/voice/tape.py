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
    :ivar kept: what has left and may not have arrived; the last one has the number before `number`
    :ivar again: frames that left more often than their numbers tell
    :ivar waiting: what was taken back or refused, and leaves before any new frame; the first has `number`
    """

    __slots__ = ("again", "kept", "number", "waiting")

    def __init__(self, limit: int = TAPE_FRAMES) -> None:
        self.kept: deque[bytes] = deque(maxlen=limit)
        self.waiting: deque[bytes] = deque()
        self.number = 0
        self.again = 0

    @property
    def sent(self) -> int:
        """Frames that have left so far, those that left again included."""
        return self.number + self.again

    def left(self, frame: bytes) -> None:
        """`frame`, the first that waits or else a new one, has left."""
        if self.waiting:
            self.waiting.popleft()
        self.kept.append(frame)
        self.number += 1

    def hold(self, frame: bytes) -> None:
        """`frame`, the first that waits or else a new one, could not leave: it waits."""
        if not self.waiting:
            self.waiting.append(frame)

    def arrived(self, number: int) -> int:
        """Every frame before `number` has arrived; returns how many of these waited to be sent again."""
        kept, ahead = self.kept, number - self.number
        for _ in range(min(len(kept), ahead + len(kept))):
            kept.popleft()
        if ahead <= 0:
            return 0
        skipped = min(ahead, len(self.waiting))
        for _ in range(skipped):
            self.waiting.popleft()
        self.number += skipped
        self.again -= skipped
        return skipped

    def take_back(self, number: int) -> int:
        """Frames from `number` on did not arrive: they wait to leave again. Returns how many are kept yet."""
        count = max(min(len(self.kept), self.number - number), 0)
        for _ in range(count):
            self.waiting.appendleft(self.kept.pop())
        self.number -= count
        self.again += count
        return count

    def withdraw(self, after: int) -> None:
        """Of what waits nothing is to leave but the first `after` frames."""
        while len(self.waiting) > after:
            self.waiting.pop()

    def clear(self) -> None:
        """Nothing of what was kept is to be heard again."""
        self.kept.clear()
        self.waiting.clear()
