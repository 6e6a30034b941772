"""What a supervisor will do later: restarts that wait for their backoff, and ends of patience."""

from __future__ import annotations

import heapq
import math
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

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

#: Moot alarms that go for each one that comes, and whenever the supervisor rests: more than come, so that
#: they do not pile up, and never thousands at once.
MOOT_PER_ALARM: Final = 2
MOOT_AT_REST: Final = 16


class Alarms:
    """A heap by time, in seconds of the event loop's clock."""

    __slots__ = ("_heap", "_serial")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Alarm]] = []
        self._serial = count()

    def __bool__(self) -> bool:
        """Whether any is set, be it moot."""
        return bool(self._heap)

    @property
    def first_at(self) -> float:
        """When the next one is due; infinity if none is set."""
        self._drop_moot(MOOT_AT_REST)
        return self._heap[0][0] if self._heap else math.inf

    def _drop_moot(self, most: int) -> None:
        """Let go of some that hold an incarnation, and would cost a timer, for nothing."""
        while most and self._heap and self._heap[0][2].is_moot:
            heapq.heappop(self._heap)
            most -= 1

    def set(self, at: float, alarm: Alarm) -> None:
        self._drop_moot(MOOT_PER_ALARM)
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
