"""The process-wide rooms as supervised actors: each runs what is long-lived in its own background task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supervision import Actor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from supervision import ExitReason

    from .store import Store


class StoreRoom(Actor):
    """Opens the store and closes it at its end; what is written meanwhile fails as on a full disk."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def on_start(self) -> None:
        """Start the writer."""
        self._store.open()

    async def on_stop(self, _reason: ExitReason) -> None:
        """Write what waits."""
        await self._store.aclose()


class Runner(Actor):
    """Runs something endless; its end is a crash, which the supervisor puts right."""

    def __init__(self, run: Callable[[], Awaitable[None]]) -> None:
        self._run = run

    async def on_start(self) -> None:
        """Begin."""
        self.ctx.start_soon(self._forever)

    async def _forever(self) -> None:
        await self._run()
        raise RuntimeError(f"{self.ctx.path} ended by itself")
