"""What a supervisor will do later: restarts that wait for their backoff, and ends of patience."""

from __future__ import annotations

import heapq
import math
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

    from ._cell import Cell
    from ._process import Process


class RestartDue(NamedTuple):
    """Start these cells again, in this order."""

    cells: tuple[Cell, ...]

    @property
    def is_moot(self) -> bool:
        """Never: those that nobody waits for any longer are dropped."""
        return False


class PatienceOver(NamedTuple):
    """This incarnation should have come up, or ended, by now."""

    cell: Cell
    process: Process

    @property
    def is_moot(self) -> bool:
        """Whether it came up, and need not leave, or ended, or was given up."""
        process = self.process
        if self.cell.process is not process or process.ended.is_open:
            return True
        return process.ready and self.cell.leaving is None


Alarm = RestartDue | PatienceOver


class Alarms:
    """A heap by time, in seconds of the event loop's clock."""

    __slots__ = ("_heap", "_serial")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Alarm]] = []
        self._serial = count()

    @property
    def first_at(self) -> float:
        """When the next one is due; infinity if none is set."""
        while self._heap and self._heap[0][2].is_moot:
            heapq.heappop(self._heap)  # it would hold the incarnation, and cost a timer
        return self._heap[0][0] if self._heap else math.inf

    def set(self, at: float, alarm: Alarm) -> None:
        heapq.heappush(self._heap, (at, next(self._serial), alarm))

    def pop_due(self, now: float) -> Alarm | None:
        """Take the next one that is due, or None."""
        if self._heap and self._heap[0][0] <= now:
            return heapq.heappop(self._heap)[2]
        return None

    def drop_restarts(self, cells: Collection[Cell]) -> None:
        """These cells wait for no restart any longer."""
        kept: list[tuple[float, int, Alarm]] = []
        for at, serial, alarm in self._heap:
            if isinstance(alarm, RestartDue):
                rest = tuple(cell for cell in alarm.cells if cell not in cells)
                if rest:
                    kept.append((at, serial, RestartDue(rest)))
            else:
                kept.append((at, serial, alarm))
        heapq.heapify(kept)
        self._heap = kept

    def clear(self) -> None:
        self._heap.clear()
