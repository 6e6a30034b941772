"""Waiting for a fact: a condition that is looked at again after every change."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class NotSeen(TimeoutError):  # noqa: N818 - said as scripts say it
    """What was waited for did not happen in time; the text says what and what was there instead."""


class Watch:
    """Wakes those who wait for a state of something whenever that something says it changed."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Event] = set()

    def changed(self) -> None:
        """Let every waiter look again."""
        for waiter in self._waiters:
            waiter.set()

    async def until(self, probe: Callable[[], T | None], timeout_s: float, what: Callable[[], str]) -> T:
        """The first value of `probe` that is not None. Raises NotSeen with `what()` after `timeout_s`."""
        waiter = asyncio.Event()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(timeout_s):
                while (found := probe()) is None:
                    waiter.clear()
                    await waiter.wait()
                return found
        except TimeoutError as late:
            raise NotSeen(f"not seen within {timeout_s} s: {what()}") from late
        finally:
            self._waiters.discard(waiter)
