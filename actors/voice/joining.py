"""What a join asks of discord.py, by public names alone: registrations, clients in the way."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast

import anyio

from actors.voice.protocol import Protocol

if TYPE_CHECKING:
    import discord

    from actors.voice.link import Link

    VoiceChannel = discord.VoiceChannel | discord.StageChannel

#: How long the leave of a stale client may take.
_DISPOSE_TIMEOUT_S: Final = 3.0
#: discord.py has no public event for "the leave has arrived" once its voice client is gone: it is looked for.
_POLL_S: Final = 0.02


async def register_again(link: Link, client: discord.Client | None) -> bool:
    """Make a living link known to discord.py again, which may forget it in a new main session (op 9), and
    does in a new client; True if that was needed, and the new session wants to be told where the bot is.
    """
    standing = link.standing
    if client is not None and client is not standing.client:
        standing.client = client
    guild = standing.client.get_guild(link.guild_id)
    if guild is None or guild.unavailable or guild.voice_client is not None or standing.client.is_closed():
        return False
    channel = guild.get_channel(link.channel_id)
    if channel is None:
        return False
    place = cast("VoiceChannel", channel)
    link.protocol = await place.connect(cls=lambda client, place: Protocol(client, place, link))
    return True


async def dispose(guild: discord.Guild) -> None:
    """End whatever voice client the guild has, dead or alive, and await the leave."""
    stale = guild.voice_client
    if stale is None:
        return
    # In a task of its own: foreign code must not be cancelled again and again by our scopes (anyio's level
    # cancellation), and a hanging one must not hold up the new connection.
    leaving = asyncio.ensure_future(stale.disconnect(force=not isinstance(stale, Protocol)))
    leaving.add_done_callback(_retrieve)
    await asyncio.wait({leaving}, timeout=_DISPOSE_TIMEOUT_S)
    if not leaving.done():
        leaving.cancel()
    if guild.voice_client is stale:
        stale.cleanup()
    with anyio.move_on_after(_DISPOSE_TIMEOUT_S):
        while is_in_voice(guild):  # noqa: ASYNC110  (there is no event to wait for)
            await anyio.sleep(_POLL_S)


async def leave_silently(guild: discord.Guild) -> None:
    """Leave the voice channel where there is no link, and nobody to be told of what comes of it."""
    with suppress(Exception):  # while the main gateway reconnects this fails in several undocumented ways
        await guild.change_voice_state(channel=None)


def is_in_voice(guild: discord.Guild) -> bool:
    """Whether the main gateway says that the bot is in a voice channel."""
    voice = guild.me.voice
    return voice is not None and voice.channel is not None


def _retrieve(task: asyncio.Future[None]) -> None:
    if not task.cancelled():
        task.exception()
