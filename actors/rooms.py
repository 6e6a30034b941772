"""The process-wide rooms as supervised actors: each runs what is long-lived in its own background task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from supervision import Actor, handles

from .envelope import NewerStateError
from .messages import Tick
from .pace import about
from .store import StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from supervision import ExitReason

    from .store import Store
    from .verdict import Verdict

CHECK_S: Final = 5.0
"""How often a file that could not be opened is looked at, so that its alert ends though nobody writes."""

log = structlog.get_logger(__name__)


class StoreRoom(Actor):
    """Opens the store and closes it at its end; what is written meanwhile fails as on a full disk."""

    def __init__(self, store: Store, verdict: Verdict) -> None:
        self._store = store
        self._verdict = verdict

    async def on_start(self) -> None:
        """Start the writer. State of a later program ends the bot; a disk that is not there is waited for."""
        self._store.open()
        await self._check()

    async def _check(self) -> None:
        try:
            await self._store.check()
        except NewerStateError as error:
            self._verdict.end(str(error))
        except StoreError as error:
            log.error("state_not_opened", error=str(error))  # noqa: TRY400 - expected
            self.ctx.start_timer("check", about(CHECK_S), Tick())

    @handles(Tick)
    async def check_again(self, _message: Tick) -> None:
        """The disk may be there by now."""
        await self._check()

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
