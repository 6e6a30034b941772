"""Where one task waits, again and again, for a wake-up or for a time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio

from ._native import call_at, new_waiter, on_asyncio, wake

if TYPE_CHECKING:
    from ._native import Timer, Waiter


class Parking:
    """On asyncio the timer of one wait serves the next one too, as long as that waits no shorter: a timer
    for each, mostly cancelled at once, would be a third of the wait. It may ring for nothing, so whoever
    parks looks for itself what there is to do.
    """

    __slots__ = ("_at", "_scope", "_timer", "_waiter")

    def __init__(self) -> None:
        self._at = math.inf
        self._scope: anyio.CancelScope | None = None
        self._timer: Timer | None = None
        self._waiter: Waiter | None = None

    async def park(self, until: float) -> None:
        """Wait until woken, or until that time of the event loop's clock, or less."""
        self._waiter = new_waiter()
        try:
            if on_asyncio():
                self._see_to(until)
                await self._waiter
            else:
                with anyio.CancelScope(deadline=until) as self._scope:
                    await self._waiter
        finally:
            self._waiter = self._scope = None

    @property
    def is_taken(self) -> bool:
        """Whether somebody waits here."""
        return self._waiter is not None

    def no_later_than(self, until: float) -> None:
        """End the wait that is under way at that time at the latest."""
        if self._scope is not None:
            self._scope.deadline = min(self._scope.deadline, until)
        else:
            self._see_to(until)

    def wake(self) -> None:
        """End the wait, if there is one."""
        if self._waiter is not None:
            wake(self._waiter)

    def close(self) -> None:
        """Nobody parks here any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _see_to(self, until: float) -> None:
        if until < self._at:
            self.close()
            self._at, self._timer = until, call_at(until, self._ring)

    def _ring(self) -> None:
        self._at, self._timer = math.inf, None
        self.wake()
