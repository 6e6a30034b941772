"""The steward: no guild's music is left without its actors, and no voice channel is left without a goodbye.

It also starts the trees of the guilds whose bot was in a voice channel when the process ended last, so that
their tracks are prepared while the bot logs in. It is started after Discord's client and before the guilds,
so at the end it is stopped when the guilds' actors are gone and the gateway still lives: then it leaves every
voice channel.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import anyio
import structlog

from supervision import Actor, Shutdown, SupervisionError, handles

from .guild import GUILDS, guilds_to_restore
from .keeping import load_again_s
from .messages import LoadAgain, Restore, Tick
from .store import StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from supervision import ExitReason, System

    from .startup import Startup
    from .store import Store
    from .voice import Links

LOOK_EVERY_S = 1.0
"""For links that their owners have let go of."""

TURNS = 10
"""Each look is also at the trees of every so manieth guild, whoever is said to follow its link. A list of all
children of `guilds`, when these are a thousand, would hold the frames up for 20 ms."""

AGAIN_S = 0.02
"""Until the room of all trees is there."""

LEAVE_TIMEOUT_S = 2.0
"""For all guilds together: they are left side by side."""

log = structlog.get_logger(__name__)


class Steward(Actor):
    """Starts the tree of each guild that has a link but no tree; leaves at the end."""

    def __init__(
        self,
        links: Links,
        store: Store,
        startup: Startup,
        ensure: Callable[[System, int], Awaitable[None]],
    ) -> None:
        self._links = links
        self._store = store
        self._startup = startup
        self._ensure = ensure
        self._remembered: list[int] = []
        self._tries = 0  # to read which guilds there were, in vain
        self._turns = itertools.cycle(range(TURNS))

    async def on_start(self) -> None:
        """Begin to look."""
        await self._remember()
        self.ctx.start_timer("look", LOOK_EVERY_S, Tick())

    async def _remember(self) -> None:
        try:
            self._remembered = await guilds_to_restore(self._store)
        except StoreError as error:
            log.warning("nothing_restored_yet", error=str(error))
            self._tries += 1
            self.ctx.start_timer("load", load_again_s(self._tries), LoadAgain())
            return
        if self._remembered:
            log.info("guilds_restored", guilds=len(self._remembered))
            self._startup.expect_music()
            self.ctx.start_timer("restore", 0.0, Restore())

    @handles(LoadAgain)
    async def load_again(self, _message: LoadAgain) -> None:
        """The disk may say by now which guilds there were."""
        await self._remember()

    @handles(Restore)
    async def restore(self, _message: Restore) -> None:
        """Start what was there, a tree a message, so that nothing else has to wait; those that run are left
        alone.
        """
        delay_s = 0.0
        try:
            await self._ensure(self.ctx.system, self._remembered[0])
            del self._remembered[0]
        except SupervisionError as error:
            log.debug("guild_not_restored_yet", guild_id=self._remembered[0], error=str(error))
            delay_s = AGAIN_S
        if self._remembered:
            self.ctx.start_timer("restore", delay_s, Restore())

    @handles(Tick)
    async def look(self, _message: Tick) -> None:
        """See to every guild that is heard."""
        self.ctx.start_timer("look", LOOK_EVERY_S, Tick())
        for guild_id in (*self._links.unowned(), *self._without_tree(next(self._turns))):
            try:
                await self._ensure(self.ctx.system, guild_id)
            except SupervisionError as error:
                log.warning("guild_not_started", guild_id=guild_id, error=str(error))

    def _without_tree(self, turn: int) -> list[int]:
        """Guilds of this turn that have a link and no tree: of an owner that ended without a word."""
        guilds = [link.guild_id for link in self._links.all()[turn::TURNS]]
        return [guild_id for guild_id in guilds if not self._has_tree(guild_id)]

    def _has_tree(self, guild_id: int) -> bool:
        try:
            return self.ctx.system.count_children(f"{GUILDS}/{guild_id}").active > 0
        except SupervisionError:
            return False

    async def on_stop(self, reason: ExitReason) -> None:
        """Leave every voice channel, if this is the end."""
        if not isinstance(reason, Shutdown):
            return
        with anyio.move_on_after(LEAVE_TIMEOUT_S):
            async with anyio.create_task_group() as tasks:
                for link in self._links.all():
                    tasks.start_soon(self._links.disconnect, link.guild_id)
