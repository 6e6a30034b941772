"""When the garbage collector may look at the whole heap: while nobody listens, not while the bot starts."""

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

#: A collection may take half of a frame's 20 ms. What lives for minutes in a bot of many guilds takes less,
#: so that hardly anything is set aside that would have to wait for a sweep.
COLLECTOR: Final = CollectorSettings(longest_ms=10.0)

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
