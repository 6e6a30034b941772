"""Discord's events that concern a guild's actors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from discord.ext import commands

from actors.guild import forget_guild, path_of
from actors.messages import VoiceStates
from supervision import SupervisionError

if TYPE_CHECKING:
    import discord

    from .desk import Desk

log = structlog.get_logger(__name__)


class Events(commands.Cog):
    """Passes on what Discord says; knows nothing more."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    @commands.Cog.listener()
    async def on_voice_state_update(
        self, member: discord.Member, before: discord.VoiceState, after: discord.VoiceState
    ) -> None:
        """Somebody joined, left or moved; mutes and the like are no news."""
        if before.channel == after.channel:
            return
        try:
            self.desk.system.lookup(path_of(member.guild.id, "connection")).tell(VoiceStates())
        except SupervisionError:
            log.debug("no_tree", guild_id=member.guild.id)  # a guild that never asked for music

    @commands.Cog.listener()
    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """The bot is no longer a member."""
        await forget_guild(self.desk.system, guild.id, self.desk.rooms)
