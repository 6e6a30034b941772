"""What a person is told when a command cannot do what it should. Never a traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
import structlog
from discord.ext import commands

from actors import embeds
from actors.media import MediaError
from actors.messages import No
from supervision import ActorCrashed, ActorStopped, AskTimeout, MailboxFull, SupervisionError

from .table import COMMANDS

if TYPE_CHECKING:
    from .desk import Context

log = structlog.get_logger(__name__)

RESTARTED = "That was cut short by a restart inside the bot; the music goes on. Please try again."
_SUPERVISION: dict[type[SupervisionError], str] = {
    ActorCrashed: RESTARTED,
    ActorStopped: RESTARTED,
    AskTimeout: "The bot is busy and did not answer in time. Please look at the queue, and try again.",
    MailboxFull: "That is too much at once. Please try again in a moment.",
}
UNEXPECTED = "Something went wrong inside the bot. It has been logged, and the music goes on."


def cause_of(error: BaseException) -> BaseException:
    """What is behind discord.py's wrappers: its invoke errors and hybrid errors."""
    wrappers = (
        commands.CommandInvokeError,
        commands.HybridCommandError,
        discord.app_commands.CommandInvokeError,
    )
    while isinstance(error, wrappers):
        error = error.original
    return error


def excuse(error: BaseException, command: str | None) -> str | None:
    """The text for a person; None if nobody need be told; UNEXPECTED for what should not happen."""
    match error:
        case commands.CommandNotFound():
            return None
        case No():
            return str(error)
        case MediaError():
            return embeds.plain(error.message, 300)
        case SupervisionError():
            return next((text for kind, text in _SUPERVISION.items() if isinstance(error, kind)), UNEXPECTED)
        case commands.NoPrivateMessage() | discord.app_commands.NoPrivateMessage():
            return "That works in a server only."
        case commands.MissingPermissions() | discord.app_commands.MissingPermissions():
            return "That is for administrators."
        case discord.Forbidden():
            return "I lack a permission in this channel."
        case discord.NotFound():
            return (
                None  # what should be answered is gone: a deleted channel, an interaction that took too long
            )
        case commands.UserInputError() | discord.app_commands.TransformerError():
            return usage(command)
        case _:
            return UNEXPECTED


def usage(command: str | None) -> str:
    """How the command is written."""
    row = next((row for row in COMMANDS if row.name == command), None)
    if row is None:
        return "I do not understand that."
    written = f"{row.name} {row.arguments}".strip()
    return f"Write it so: `{written}`"


async def on_command_error(ctx: Context, error: commands.CommandError) -> None:
    """The one place where failed commands end, text and slash."""
    cause = cause_of(error)
    name = ctx.command.name if ctx.command is not None else None
    text = excuse(cause, name)
    if text is None:
        return
    if text is UNEXPECTED:
        log.error("command_failed", command=name, guild_id=_guild_id(ctx), exc_info=cause)
    else:
        log.info("command_refused", command=name, guild_id=_guild_id(ctx), answer=text)
    try:
        await ctx.send(text)
    except (discord.DiscordException, OSError, TimeoutError) as failure:
        log.warning("command_not_answered", command=name, guild_id=_guild_id(ctx), error=str(failure))


async def on_app_command_error(
    interaction: discord.Interaction, error: discord.app_commands.AppCommandError
) -> None:
    """Slash commands that failed before they were a command of ours: an old registration, a failed check."""
    cause = cause_of(error)
    name = interaction.command.name if interaction.command is not None else None
    text = excuse(cause, name)
    if isinstance(
        cause, discord.app_commands.CommandNotFound | discord.app_commands.CommandSignatureMismatch
    ):
        text = "The commands have changed. Please try again in a moment."
    if text is UNEXPECTED:
        log.error("command_failed", command=name, guild_id=interaction.guild_id, exc_info=cause)
    try:
        if interaction.response.is_done():
            await interaction.followup.send(text or UNEXPECTED)
        else:
            await interaction.response.send_message(text or UNEXPECTED, ephemeral=True)
    except (discord.DiscordException, OSError, TimeoutError) as failure:
        log.warning("command_not_answered", command=name, guild_id=interaction.guild_id, error=str(failure))


def _guild_id(ctx: Context) -> int | None:
    return None if ctx.guild is None else ctx.guild.id
