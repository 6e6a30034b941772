"""The timers of one incarnation: messages to itself, later."""

from __future__ import annotations

import heapq
import math
from itertools import count
from typing import TYPE_CHECKING

from ._stash import NOTHING

if TYPE_CHECKING:
    from collections.abc import Hashable

_serials = count()


class Timers:
    """A heap by time, in seconds of the event loop's clock. A key has one timer; what is cancelled or
    replaced stays in the heap until its time, and is passed over then.
    """

    __slots__ = ("_heap", "_live")

    def __init__(self) -> None:
        self._live: dict[Hashable, int] = {}
        self._heap: list[tuple[float, int, Hashable, object]] = []

    @property
    def first_at(self) -> float:
        """When to look again; infinity if nothing is set."""
        return self._heap[0][0] if self._heap else math.inf

    def start(self, key: Hashable, at: float, message: object) -> None:
        serial = next(_serials)
        self._live[key] = serial
        heapq.heappush(self._heap, (at, serial, key, message))

    def cancel(self, key: Hashable) -> None:
        self._live.pop(key, None)

    def pop_due(self, now: float) -> object:
        """The message of the next timer that is due, or :data:`NOTHING`."""
        while self._heap and (self._is_stale() or self._heap[0][0] <= now):
            _, serial, key, message = heapq.heappop(self._heap)
            if self._live.get(key) == serial:
                del self._live[key]
                return message
        return NOTHING

    def _is_stale(self) -> bool:
        _, serial, key, _ = self._heap[0]
        return self._live.get(key) != serial

    def clear(self) -> None:
        self._live.clear()
        self._heap.clear()
