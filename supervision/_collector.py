"""Python's garbage collector in small steps: a full collection of a large tree stops the loop for long.

A full collection looks at every container object of the process: some 20 ms for each thousand actors.
Reference counting frees nearly everything without it; it is needed for cycles alone. So what is there to
stay is set aside (``gc.freeze``), and full collections look at what has come since, in steps that stay
short.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass
from time import thread_time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FULL = 2
"""The oldest generation: a collection of it is a full one."""


@dataclass(frozen=True, slots=True)
class CollectorSettings:
    """How large a step is. The first three are ``gc.set_threshold``'s.

    :ivar young: container objects made, less those freed, until the youngest generation is collected
    :ivar middle: collections of the youngest until one of the middle generation
    :ivar old: collections of the middle generation until a full one
    :ivar longest_ms: processor time of a full collection after which what it left is set aside, so that
        the next one starts from nothing
    """

    young: int = 1_000
    middle: int = 3
    old: int = 1
    longest_ms: float = 2.0


class Collector:
    """The collector as set by :func:`quiet_collector`.

    :ivar full: full collections since then
    :ivar set_aside: how often one of them was long, and what it left was set aside
    :ivar worst_ms: processor time of the longest collection of any generation, :meth:`sweep` not counted
    """

    def __init__(self, settings: CollectorSettings) -> None:
        self.full = 0
        self.set_aside = 0
        self.worst_ms = 0.0
        self._settings = settings
        self._began = 0.0
        self._sweeping = False

    def sweep(self) -> float:
        """Collect the whole heap, all that was set aside included, and set aside what is left.

        Cycles that died after they had been set aside are freed only here. It stops the loop for about
        some 20 ms for each thousand actors: call it where that hurts nobody.

        :return: how long it took, in milliseconds of processor time
        """
        began, self._sweeping = thread_time(), True
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        gc.collect()  # of nothing: else the next one waits until a quarter of what there was has come
        self._sweeping = False
        return (thread_time() - began) * 1000

    def observe(self, phase: str, info: Mapping[str, int]) -> None:
        """A collection begins or has ended; for ``gc.callbacks``."""
        if phase == "start":
            self._began = thread_time()
        elif not self._sweeping:
            self._judge((thread_time() - self._began) * 1000, full=info["generation"] == FULL)

    def _judge(self, took_ms: float, *, full: bool) -> None:
        self.worst_ms = max(self.worst_ms, took_ms)
        self.full += full
        if full and took_ms > self._settings.longest_ms:
            gc.freeze()
            self.set_aside += 1


@contextmanager
def quiet_collector(settings: CollectorSettings | None = None) -> Iterator[Collector]:
    """Have the garbage collector of this process work in small steps for the duration of the block.

    Entering sweeps the heap once and sets aside what is there, so enter it when the program has come up.
    Leaving restores the thresholds and gives everything back to the collector (``gc.unfreeze``). Whether
    the collector is enabled is not touched.

    What it costs: a cycle that is set aside while it lives, and dies later, is freed by
    :meth:`Collector.sweep` only.

    :raises RuntimeError: it is quiet already; there is one collector in a process
    """
    if any(isinstance(getattr(each, "__self__", None), Collector) for each in gc.callbacks):
        raise RuntimeError("the collector of this process is quiet already")
    settings = settings or CollectorSettings()
    collector, thresholds = Collector(settings), gc.get_threshold()
    gc.set_threshold(settings.young, settings.middle, settings.old)
    collector.sweep()
    gc.callbacks.append(collector.observe)
    try:
        yield collector
    finally:
        gc.callbacks.remove(collector.observe)
        gc.set_threshold(*thresholds)
        gc.unfreeze()
