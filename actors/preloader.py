"""The preloader actor: sees to it that the spools of the player's plan exist, and that others do not.

It owns no spool job: those belong to the media room, and the shelf keeps the spools. A restarted preloader
asks the player for the plan and finds on the shelf what its predecessor ordered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog

from supervision import ActorStopped, MailboxFull, handles

from .correlation import Follower
from .media import MediaError
from .messages import Plan, PlanWanted, SpoolFailed, SpoolReady, Wanted
from .preloading import how_far

if TYPE_CHECKING:
    from .messages import SpoolKey
    from .shelf import Shelf

RETRY_AFTER_S = 1.0
"""Before the one more try that a failure gets which may pass."""

_WHOLE = 1 << 40  # frames: more than any track has
log = structlog.get_logger(__name__)


class Preloader(Follower):
    """Carries out one Plan at a time; tells the player of each spool that is ready or has failed."""

    def __init__(self, guild_id: int, shelf: Shelf) -> None:
        self._guild_id = guild_id
        self._shelf = shelf
        self._plan = Plan()
        self._ahead = anyio.CancelScope()
        self._watched: dict[SpoolKey, anyio.CancelScope] = {}
        self._outcomes: dict[SpoolKey, SpoolReady | SpoolFailed] = {}

    async def on_start(self) -> None:
        """Ask for the plan: it may have been told to a predecessor."""
        _tell(self, PlanWanted())

    @handles(Plan)
    async def plan(self, message: Plan) -> None:
        """Order what is missing, announce what is there, let go of the rest."""
        self._plan = message
        far = how_far(len(message.ahead), self._shelf.speed, self._shelf.room_bytes)
        chosen = (*message.wanted, *message.ahead[:far])
        keys = {wanted.key for wanted in chosen}
        self._ahead.cancel()
        self._shelf.rank(self._guild_id, [wanted.key for wanted in chosen])
        for wanted in message.wanted:
            self._watch(wanted)
        for key in (self._shelf.keys(self._guild_id) | self._watched.keys()) - keys:
            await self._let_go(key)
        if far:
            self._ahead = anyio.CancelScope()
            self.ctx.start_soon(self._go_ahead, chosen, len(message.wanted), self._ahead)

    async def _go_ahead(self, chosen: tuple[Wanted, ...], first: int, scope: anyio.CancelScope) -> None:
        """One further track at a time, each when all before it are whole: they need the line first."""
        with scope:
            for number in range(first, len(chosen)):
                for before in chosen[:number]:
                    try:
                        await self._shelf.order(self._guild_id, before).wait_ready(_WHOLE)
                    except MediaError:
                        continue  # told by whoever watches it
                self._watch(chosen[number])

    def _watch(self, wanted: Wanted) -> None:
        outcome = self._outcomes.get(wanted.key)
        if outcome is not None:
            _tell(self, outcome)  # once more: the player may have restarted since
        elif wanted.key not in self._watched:
            scope = self._watched[wanted.key] = anyio.CancelScope()
            self.ctx.start_soon(self._announce, wanted, scope)

    async def _let_go(self, key: SpoolKey) -> None:
        self._outcomes.pop(key, None)
        scope = self._watched.pop(key, None)
        if scope is not None:
            scope.cancel()
        await self._shelf.let_go(self._guild_id, key)

    async def _announce(self, wanted: Wanted, scope: anyio.CancelScope) -> None:
        """Until the spool is ready or has failed for good."""
        with scope:
            outcome = await self._outcome(wanted)
            if isinstance(outcome, SpoolFailed) and outcome.error.retryable:
                log.info(
                    "spool_retried", guild_id=self._guild_id, track=wanted.track.url, error=str(outcome.error)
                )
                await self._shelf.let_go(self._guild_id, wanted.key)
                await anyio.sleep(RETRY_AFTER_S)
                outcome = await self._outcome(wanted)
            self._outcomes[wanted.key] = outcome
            _tell(self, outcome)

    async def _outcome(self, wanted: Wanted) -> SpoolReady | SpoolFailed:
        began = anyio.current_time()
        spool = self._shelf.order(self._guild_id, wanted)
        try:
            await spool.wait_ready()
        except MediaError as error:
            return SpoolFailed(wanted.key, error)
        took_ms = round(1000 * (anyio.current_time() - began), 1)
        log.info("spool_ready", guild_id=self._guild_id, entry=wanted.key.entry_id, took_ms=took_ms)
        return SpoolReady(wanted.key, spool)


def _tell(preloader: Preloader, message: object) -> None:
    """Tell the player; one that is down or full asks for the plan anew when it is back."""
    try:
        preloader.ctx.sibling("player").tell(message)
    except (ActorStopped, MailboxFull):
        log.debug("player_not_told", path=preloader.ctx.path, message=type(message).__name__)
