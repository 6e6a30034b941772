"""A figure of the bench, and what was aimed for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.bench.kernel import floors, memory, pauses, restarts, spawning, subject
from tests.bench.kernel.loops import WITH_FUTURES

if TYPE_CHECKING:
    from tests.bench.kernel.rounds import Ratio

TELL: Final = "tell in bursts of 64"
LONE: Final = "lone message"
ASK: Final = "ask"
SPAWN: Final = "spawn"
MEMORY: Final = "memory per idle actor"
RESTART: Final = "crash to next message handled"
PAUSE: Final = "worst pause of the loop"

#: What is measured, in the order of the table: unit, and the row that counts as one (none: no ratio).
UNITS: Final = {TELL: "µs", LONE: "µs", ASK: "µs", SPAWN: "µs", RESTART: "µs", MEMORY: "bytes", PAUSE: "ms"}
BASELINES: Final = {
    TELL: floors.ASYNC_HANDLER,
    LONE: floors.PARKED,
    ASK: floors.ASK,
    SPAWN: spawning.START_SOON,
    RESTART: restarts.ASK,
}
EVERY_LOOP: Final = (*WITH_FUTURES, "trio")


@dataclass(frozen=True, slots=True)
class Target:
    """At most this ratio; where the measure has no baseline, at most this value in its unit."""

    measure: str
    row: str
    loops: tuple[str, ...]
    at_most: float


TARGETS: Final = (
    Target(TELL, subject.RECEIVE, EVERY_LOOP, 2.0),
    Target(TELL, subject.HANDLES, EVERY_LOOP, 2.0),
    Target(ASK, subject.ASK, EVERY_LOOP, 2.0),
    Target(ASK, subject.ASK_TIMEOUT, EVERY_LOOP, 4.0),
    Target(SPAWN, spawning.ONE_BY_ONE, ("asyncio",), 2.5),
    Target(SPAWN, spawning.SIDE_BY_SIDE, ("asyncio",), 2.5),
    Target(RESTART, restarts.CRASH, WITH_FUTURES, 5.0),
    Target(RESTART, restarts.CRASH, ("trio",), 7.0),
    Target(MEMORY, memory.FRESH, EVERY_LOOP, 10_000),
    Target(MEMORY, memory.USED, EVERY_LOOP, 10_000),
    Target(PAUSE, pauses.START, EVERY_LOOP, 20),
    Target(PAUSE, pauses.SURVEY, EVERY_LOOP, 20),
    Target(PAUSE, pauses.STOP, EVERY_LOOP, 20),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table.

    :ivar value: median, in the unit of the measure, per operation
    :ivar ratio: to the baseline of the measure on the same loop
    """

    measure: str
    loop: str
    row: str
    value: float
    ratio: Ratio | None = None

    @property
    def unit(self) -> str:
        """The unit of the value."""
        return UNITS[self.measure]

    @property
    def is_kernel(self) -> bool:
        """Whether this is the kernel's own, and not what it is compared with."""
        return self.row.startswith("kernel: ")

    @property
    def target(self) -> float | None:
        """What was aimed for, as a ratio, or as a value where there is no ratio."""
        wanted = (self.measure, self.row)
        for target in TARGETS:
            if (target.measure, target.row) == wanted and self.loop in target.loops:
                return target.at_most
        return None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.target is None:
            return None
        return (self.ratio.median if self.ratio else self.value) <= self.target

    def to_dict(self) -> dict[str, object]:
        """As plain data, for JSON."""
        return {
            "measure": self.measure,
            "loop": self.loop,
            "row": self.row,
            "value": self.value,
            "unit": self.unit,
            "ratio": self.ratio and self.ratio.median,
            "ratio_quartiles": self.ratio and [self.ratio.low, self.ratio.high],
            "target": self.target,
            "met": self.met,
        }
