"""The hybrid commands: each exists as text and as a slash command, by the same code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from discord.ext import commands

from actors.correlation import Correlation, begin

from .answers import on_app_command_error, on_command_error
from .connection import VoiceConnection
from .desk import Desk
from .events import Events
from .inspection import Inspection
from .playback import Playback
from .table import COMMANDS, Command, commands_table

if TYPE_CHECKING:
    from .desk import Context

__all__ = ["COMMANDS", "Command", "Desk", "add_commands", "commands_table"]


async def add_commands(bot: commands.AutoShardedBot, desk: Desk) -> None:
    """All commands, for guilds only; each slash command is deferred first, so that Discord's 3 s are kept."""
    for cog in (Playback(desk), VoiceConnection(desk), Inspection(desk), Events(bot, desk)):
        await bot.add_cog(cog)
    for command in bot.commands:
        if isinstance(command, commands.HybridCommand) and command.app_command is not None:
            command.app_command.guild_only = True
    bot.check_once(_begin)
    bot.check(_in_guild)
    bot.before_invoke(_defer)
    bot.add_listener(on_command_error)
    bot.tree.error(on_app_command_error)


async def _begin(_ctx: Context) -> bool:
    """discord.py asks this first, for commands of both kinds, in the task that carries the command out."""
    begin(Correlation())
    return True


def _in_guild(ctx: Context) -> bool:
    if ctx.guild is None:
        raise commands.NoPrivateMessage
    return True


async def _defer(ctx: Context) -> None:
    await ctx.defer()
