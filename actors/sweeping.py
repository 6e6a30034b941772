"""When the garbage collector may look at the whole heap: while nobody listens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
import structlog

from supervision import CollectorSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from supervision import Collector

SWEEP_EVERY_S: Final = 3600.0

#: A collection may take half of a frame's 20 ms. What lives for minutes in a bot of many guilds takes less,
#: so that hardly anything is set aside that would have to wait for a sweep.
COLLECTOR: Final = CollectorSettings(longest_ms=10.0)

log = structlog.get_logger(__name__)


async def sweep_in_silence(collector: Collector, playing: Callable[[], int]) -> None:
    """Once an hour, if no stream plays. Runs until cancelled.

    :param playing: how many streams play
    """
    while True:
        await anyio.sleep(SWEEP_EVERY_S)
        if not playing():
            log.debug("heap_swept", took_ms=round(collector.sweep(), 1), set_aside=collector.set_aside)
