"""How long a large tree holds up everybody else: the worst pause of the loop.

A metronome wants to wake each millisecond; a pause is how much later than that it woke. The machine
itself is late too, so the same is measured with nothing going on. In a fresh process, for the
collector's work grows with all that lives in one.
"""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Final

import anyio

from supervision import open_system
from tests.bench.kernel import subject
from tests.bench.kernel.loops import Seat, run_on, seated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from supervision import System

BEAT_S: Final = 0.001
NOTHING: Final = "nothing going on"
START: Final = "kernel: start"
TREE: Final = "kernel: tree()"
STOP: Final = "kernel: stop"
PHASES: Final = (NOTHING, START, TREE, STOP)
#: Starts at the same time: as many as a bot's guilds come up side by side.
ABREAST: Final = 50


class Metronome:
    """Beats each millisecond and remembers how late it was at worst."""

    def __init__(self) -> None:
        self.worst_s = 0.0

    async def run(self) -> None:
        last = perf_counter()
        while True:
            await anyio.sleep(BEAT_S)
            now = perf_counter()
            self.worst_s = max(self.worst_s, now - last - BEAT_S)
            last = now

    async def read(self) -> float:
        """The worst pause in seconds since the last reading, the present one included."""
        await anyio.sleep(3 * BEAT_S)
        worst, self.worst_s = self.worst_s, 0.0
        return worst


def measure_pauses(loop: str, count: int) -> Mapping[str, float]:
    """The worst pause in seconds of each phase. Run it in a process of its own."""
    return run_on(loop, partial(seated, loop, partial(_phases, count)))


async def _phases(count: int, seat: Seat) -> Mapping[str, float]:
    metronome = Metronome()
    seat.tasks.start_soon(metronome.run)
    await anyio.sleep(1.0 * count / 10_000)
    pauses = {NOTHING: await metronome.read()}
    async with open_system(subject.crowd()) as system:
        await _start(system, count)
        pauses[START] = await metronome.read()
        system.tree()
        pauses[TREE] = await metronome.read()
    pauses[STOP] = await metronome.read()
    return pauses


async def _start(system: System, count: int) -> None:
    async with anyio.create_task_group() as tasks:
        for first in range(ABREAST):
            tasks.start_soon(_start_each, system, range(first, count, ABREAST))


async def _start_each(system: System, numbers: range) -> None:
    for number in numbers:
        await system.start_child("", subject.idle(str(number)))
