"""When the garbage collector works: in steps while music plays, on the whole heap while nobody listens, and
not while the bot starts.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import anyio
import structlog

from supervision import CollectorSettings, quiet_collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from supervision import Collector

SWEEP_EVERY_S: Final = 3600.0

#: A collection that takes longer than a quarter of a frame's 20 ms sets aside what it leaves. What lives for
#: minutes in a bot of a hundred guilds takes less.
COLLECTOR: Final = CollectorSettings(longest_ms=5.0)

STEP_EVERY_S: Final = 0.125
SILENT_S: Final = 1.0
"""The first one is how often it is looked whether a step is due, the second one while nothing plays."""

STEP_AFTER: Final = 125.0
"""Stream-seconds until the youngest generation is collected. Python counts what is made less what is freed:
where new tasks and timers take the place of those that were set aside, that count stands still while the
generation grows. With 1,000 streams it had 6,000 objects when it was collected, which took 3 to 5 ms, the
middle one 13 ms and a full collection 37 ms. Steps take 0.4, 2 and 5 ms."""

MIDDLE: Final = 8
FULL: Final = 32
"""Each so manieth step is of an older generation: some 5,000 objects with 1,000 streams."""

log = structlog.get_logger(__name__)


@contextmanager
def quiet_start() -> Iterator[Collector]:
    """The collector is quiet for the duration of the block, and holds still until `come_up`.

    To be entered before the bot's modules are read, while the heap is small: to look at it afterwards takes
    40 ms, and finds next to nothing.
    """
    gc.disable()
    try:
        with quiet_collector(COLLECTOR) as collector:
            yield collector
    finally:
        gc.enable()


def come_up() -> None:
    """What is there now is there to stay: set it aside unseen, and let the collector work."""
    gc.freeze()
    gc.enable()


async def sweep_in_silence(collector: Collector, playing: Callable[[], int]) -> None:
    """Once an hour, if no stream plays. Runs until cancelled.

    :param playing: how many streams play
    """
    while True:
        await anyio.sleep(SWEEP_EVERY_S)
        if not playing():
            log.debug("heap_swept", took_ms=round(collector.sweep(), 1), set_aside=collector.set_aside)


async def collect_in_steps(playing: Callable[[], int]) -> None:
    """Collect so often that no step is long, however many streams play. Runs until cancelled.

    :param playing: how many streams play
    """
    played, steps = 0.0, 0
    while True:
        pause_s = STEP_EVERY_S if playing() else SILENT_S
        await anyio.sleep(pause_s)
        played += playing() * pause_s
        if played >= STEP_AFTER:
            played, steps = 0.0, steps + 1
            gc.collect(2 if steps % FULL == 0 else 1 if steps % MIDDLE == 0 else 0)
