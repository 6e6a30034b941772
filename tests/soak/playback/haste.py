"""A process whose clocks run faster: hours of playback in minutes, without a line of the bot changed.

`hasten` must come before anything else is imported, as modules take hold of clocks when they are loaded.
asyncio's timers follow, because its loop waits in a selector that divides its time; what other processes do
(media workers, the disk) takes as long as ever, and so seems slow.
"""

from __future__ import annotations

import selectors
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_CLOCKS_S: Final = ("monotonic", "time", "perf_counter")
_CLOCKS_NS: Final = ("monotonic_ns", "time_ns", "perf_counter_ns")


def hasten(factor: float) -> None:
    """From now on a second of this process's clocks is `1 / factor` seconds; 1 changes nothing."""
    if factor == 1:
        return
    for name in _CLOCKS_S:
        setattr(time, name, faster(getattr(time, name), factor))
    for name in _CLOCKS_NS:
        read = faster(getattr(time, name), factor)
        setattr(time, name, lambda read=read: int(read()))
    setattr(selectors, "DefaultSelector", hastened(factor))  # noqa: B010 - its type is another one


def faster(clock: Callable[[], float], factor: float) -> Callable[[], float]:
    """A clock that starts where `clock` stands and runs `factor` times as fast."""
    origin = clock()
    return lambda: origin + (clock() - origin) * factor


def hastened(factor: float) -> type[selectors.SelectSelector]:
    """What asyncio waits in, made `factor` times less patient."""

    # select(2) waits for microseconds, where epoll_wait(2) counts milliseconds: too many, divided.
    class Selector(selectors.SelectSelector):
        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            return super().select(timeout if timeout is None else timeout / factor)

    return Selector
