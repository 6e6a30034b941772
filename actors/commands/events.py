"""Discord's events that concern a guild's actors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
import structlog
from discord.ext import commands

from actors.guild import forget_guild, path_of
from actors.messages import GatewayBack, GuildThere, Silenced, VoiceStates
from supervision import SupervisionError

if TYPE_CHECKING:
    from .desk import Desk

log = structlog.get_logger(__name__)


def silence(before: discord.VoiceState, after: discord.VoiceState) -> Silenced | None:
    """Whether somebody who could be heard no longer is. In a stage channel that is the link's own concern."""
    if isinstance(after.channel, discord.StageChannel):
        return None
    muted = after.mute and not before.mute
    return Silenced(muted) if muted or (after.suppress and not before.suppress) else None


class Events(commands.Cog):
    """Passes on what Discord says; knows nothing more."""

    def __init__(self, bot: discord.Client, desk: Desk) -> None:
        self.bot = bot
        self.desk = desk

    @commands.Cog.listener()
    async def on_voice_state_update(
        self, member: discord.Member, before: discord.VoiceState, after: discord.VoiceState
    ) -> None:
        """Somebody joined, left or moved, or the bot itself was silenced; other mutes are no news."""
        if before.channel != after.channel:
            if member == member.guild.me:
                place = None if after.channel is None else after.channel.id
                self.desk.rooms.links.hear(member.guild.id, place)
            self._tell(member.guild.id, VoiceStates())
        elif member == member.guild.me and (silenced := silence(before, after)) is not None:
            self._tell(member.guild.id, silenced)

    def _tell(self, guild_id: int, message: object) -> None:
        try:
            self.desk.system.lookup(path_of(guild_id, "connection")).tell(message)
        except SupervisionError:
            log.debug("no_tree", guild_id=guild_id)  # a guild that never asked for music

    @commands.Cog.listener()
    async def on_shard_resumed(self, shard_id: int) -> None:
        """The session of a shard goes on."""
        self._shard_back(shard_id)

    @commands.Cog.listener()
    async def on_shard_ready(self, shard_id: int) -> None:
        """A shard has a new session, and its guilds are known."""
        self._shard_back(shard_id)

    def _shard_back(self, shard_id: int) -> None:
        for guild_id in self.desk.rooms.watch.guilds:
            guild = self.bot.get_guild(guild_id)
            if guild is not None and guild.shard_id == shard_id:
                self._tell(guild_id, GatewayBack())

    @commands.Cog.listener()
    async def on_guild_available(self, guild: discord.Guild) -> None:
        """Now it is known who is in which channel."""
        self.desk.rooms.startup.mark("ready")
        self._tell(guild.id, GuildThere())

    @commands.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        """The bot has become a member, perhaps not for the first time."""
        self._tell(guild.id, GuildThere())

    @commands.Cog.listener()
    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """The bot is no longer a member."""
        await forget_guild(self.desk.system, guild.id, self.desk.rooms)
