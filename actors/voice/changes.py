"""Waiting for a fact: a predicate over attributes, looked at again whenever they are said to have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable


class Changes:
    """A condition without a lock: everything happens on one event loop."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def announce(self) -> None:
        """Let every waiter look again; callable from any code on the loop."""
        self._event.set()
        self._event = anyio.Event()

    async def until(self, fact: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until `fact()` holds; False if it does not within the time."""
        with anyio.move_on_after(timeout_s):
            while not fact():
                await self._event.wait()
        return fact()
