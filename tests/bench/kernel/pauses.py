"""How long a large tree holds up everybody else: the worst pause of the loop.

A metronome wants to wake each millisecond; a pause is how much later than that it woke. The machine itself
is late too, so the same is measured with nothing going on, and beside each pause stands the most processor
time that the loop took between two beats: the rest of the pause others on the machine had. In a fresh
process, for the collector's work grows with all that lives in one; with the collector as the kernel offers
to set it, and once without.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from time import perf_counter, thread_time
from typing import TYPE_CHECKING, Final

import anyio

from supervision import open_system, quiet_collector
from tests.bench.kernel import subject
from tests.bench.kernel.loops import Seat, run_on, seated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from supervision import System

BEAT_S: Final = 0.001
NOTHING: Final = "nothing going on"
START: Final = "kernel: start"
SURVEY: Final = "kernel: survey()"
TREE: Final = "kernel: tree()"
STOP: Final = "kernel: stop"
PHASES: Final = (NOTHING, START, SURVEY, TREE, STOP)
#: Those that must not hold up anybody.
GENTLE: Final = (START, SURVEY, STOP)
#: Starts at the same time: as many as a bot's guilds come up side by side.
ABREAST: Final = 50


class Metronome:
    """Beats each millisecond and remembers how late it was at worst.

    :ivar worst_s: longest pause
    :ivar busy_s: most processor time between two beats
    """

    def __init__(self) -> None:
        self.worst_s = self.busy_s = 0.0

    async def run(self) -> None:
        last, last_busy = perf_counter(), thread_time()
        while True:
            await anyio.sleep(BEAT_S)
            now, busy = perf_counter(), thread_time()
            self.worst_s = max(self.worst_s, now - last - BEAT_S)
            self.busy_s = max(self.busy_s, busy - last_busy)
            last, last_busy = now, busy

    async def read(self, phase: str) -> dict[str, float]:
        """The figures of a phase that ends now; the next begins."""
        await anyio.sleep(3 * BEAT_S)
        pauses = {phase: self.worst_s}
        if phase in GENTLE:
            pauses[in_processor_time(phase)] = self.busy_s
        self.worst_s = self.busy_s = 0.0
        return pauses


def untuned(phase: str) -> str:
    """The row of a phase with Python's own collector settings."""
    return f"without quiet_collector: {phase.removeprefix('kernel: ')}"


def in_processor_time(phase: str) -> str:
    """The row beside that of a phase."""
    return f"{phase}, processor time"


#: The rows of a run with the kernel's collector settings.
ROWS: Final = (*PHASES, *map(in_processor_time, GENTLE))


def measure_pauses(loop: str, count: int, *, tuned: bool) -> Mapping[str, float]:
    """The worst of each phase, by row, in seconds. Run it in a process of its own.

    :param tuned: with the collector as the kernel offers to set it
    """
    with quiet_collector() if tuned else nullcontext():
        pauses = run_on(loop, partial(seated, loop, partial(_phases, count)))
    return pauses if tuned else {untuned(phase): pauses[phase] for phase in GENTLE}


async def _phases(count: int, seat: Seat) -> Mapping[str, float]:
    metronome = Metronome()
    seat.tasks.start_soon(metronome.run)
    await anyio.sleep(1.0 * count / 10_000)
    pauses = await metronome.read(NOTHING)
    async with open_system(subject.crowd()) as system:
        await _start(system, count)
        pauses |= await metronome.read(START)
        await system.survey()
        pauses |= await metronome.read(SURVEY)
        system.tree()
        pauses |= await metronome.read(TREE)
    return pauses | await metronome.read(STOP)


async def _start(system: System, count: int) -> None:
    async with anyio.create_task_group() as tasks:
        for first in range(ABREAST):
            tasks.start_soon(_start_each, system, range(first, count, ABREAST))


async def _start_each(system: System, numbers: range) -> None:
    for number in numbers:
        await system.start_child("", subject.idle(str(number)))
