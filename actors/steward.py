"""The steward: no guild's music is left without its actors, and no voice channel is left without a goodbye.

It is started after Discord's client and before the guilds, so at the end it is stopped when the guilds'
actors are gone and the gateway still lives: then it leaves every voice channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog

from supervision import Actor, Shutdown, SupervisionError, handles

from .guild import GUILDS
from .messages import Tick

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from supervision import ExitReason, System

    from .voice import Links

LOOK_EVERY_S = 1.0
LEAVE_TIMEOUT_S = 2.0
"""For all guilds together: they are left side by side."""

log = structlog.get_logger(__name__)


class Steward(Actor):
    """Starts the tree of each guild that has a link but no tree; leaves at the end."""

    def __init__(self, links: Links, ensure: Callable[[System, int], Awaitable[None]]) -> None:
        self._links = links
        self._ensure = ensure

    async def on_start(self) -> None:
        """Begin to look."""
        self.ctx.start_timer("look", LOOK_EVERY_S, Tick())

    @handles(Tick)
    async def look(self, _message: Tick) -> None:
        """See to every guild that is heard."""
        self.ctx.start_timer("look", LOOK_EVERY_S, Tick())
        for guild_id in self._without_tree():
            try:
                await self._ensure(self.ctx.system, guild_id)
            except SupervisionError as error:
                log.warning("guild_not_started", guild_id=guild_id, error=str(error))

    def _without_tree(self) -> list[int]:
        """Guilds that have a link and no tree: seldom any, so a look at a thousand of them costs little."""
        try:
            there = {int(child.id) for child in self.ctx.system.which_children(GUILDS)}
        except SupervisionError as error:
            log.warning("guilds_not_seen", error=str(error))
            return []
        return [link.guild_id for link in self._links.all() if link.guild_id not in there]

    async def on_stop(self, reason: ExitReason) -> None:
        """Leave every voice channel, if this is the end."""
        if not isinstance(reason, Shutdown):
            return
        with anyio.move_on_after(LEAVE_TIMEOUT_S):
            async with anyio.create_task_group() as tasks:
                for link in self._links.all():
                    tasks.start_soon(self._links.disconnect, link.guild_id)
