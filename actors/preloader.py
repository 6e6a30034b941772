"""The preloader actor: sees to it that the spools of the player's plan exist, and that others do not.

It owns no spool job: those belong to the media room, and the shelf keeps the spools. A restarted preloader
asks the player for the plan and finds on the shelf what its predecessor ordered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
import structlog

from supervision import ActorStopped, MailboxFull, handles

from .correlation import Follower
from .media import MediaError
from .messages import PageFailed, PageFound, Plan, PlanWanted, SpoolFailed, SpoolReady, Wanted
from .preloading import how_far

if TYPE_CHECKING:
    from .media import Rest
    from .messages import SpoolKey
    from .shelf import Shelf

RETRY_AFTER_S = 1.0
"""Before the one more try that a failure gets which may pass."""

PAGE_AGAIN_S: Final = (2.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Between tries to fetch a page of a playlist: what waits lasts for some time yet."""

_WHOLE = 1 << 40  # frames: more than any track has
log = structlog.get_logger(__name__)


class Preloader(Follower):
    """Carries out one Plan at a time; tells the player of each spool that is ready or has failed."""

    def __init__(self, guild_id: int, shelf: Shelf) -> None:
        self._guild_id = guild_id
        self._shelf = shelf
        self._plan = Plan()
        self._ahead = anyio.CancelScope()
        self._paging = anyio.CancelScope()
        self._rest: Rest | None = None  # whose next page is fetched, or was
        self._found: PageFound | PageFailed | None = None  # what came of that
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
        self._page(message.rest)

    def _page(self, rest: Rest | None) -> None:
        """Fetch the next page of that playlist, if that is not under way or done."""
        if rest != self._rest:
            self._paging.cancel()
            self._rest, self._found, self._paging = rest, None, anyio.CancelScope()
            if rest is not None:
                self.ctx.start_soon(self._fetch_page, rest, self._paging)
        elif self._found is not None:
            _tell(self, self._found)  # once more: the player may have restarted since

    async def _fetch_page(self, rest: Rest, scope: anyio.CancelScope) -> None:
        """Until it is there or cannot be had; the player then plans anew."""
        with scope:
            self._found = await self._page_or_error(rest)
            _tell(self, self._found)

    async def _page_or_error(self, rest: Rest) -> PageFound | PageFailed:
        for pause_s in (*PAGE_AGAIN_S, None):
            try:
                return PageFound(rest, await self._shelf.more(rest))
            except MediaError as error:
                log.info("page_failed", guild_id=self._guild_id, list=rest.url, error=str(error))
                if pause_s is None or not error.retryable:
                    return PageFailed(rest, error)
            await anyio.sleep(pause_s)
        raise AssertionError  # the loop returns

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
