"""Counting failures in a sliding window (OTP's restart intensity)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._spec import Intensity


class Window:
    """Pure: the caller brings the time, in seconds of a monotonic clock."""

    __slots__ = ("_limit", "_times")

    def __init__(self, limit: Intensity) -> None:
        self._limit = limit
        self._times: deque[float] = deque()

    def allows(self, now: float) -> bool:
        """Record one failure; False if it is one too many within the period (both ends included)."""
        room = self.left(now) > 0
        self.count(now)
        return room

    def count(self, now: float) -> None:
        """Record one failure for which there is room."""
        self._times.append(now)

    def left(self, now: float) -> int:
        """How many more failures it would allow at that time."""
        times, period_s = self._times, self._limit.period_s
        while times and now - times[0] > period_s:
            times.popleft()
        return self._limit.restarts - len(times)
