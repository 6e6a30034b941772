"""What a join asks of discord.py, by public names alone: permissions, the stage, clients in the way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

import anyio
import discord

from actors.voice.causes import Fault
from actors.voice.errors import VoiceError
from actors.voice.protocol import Protocol

if TYPE_CHECKING:
    from actors.voice.link import Link

    VoiceChannel = discord.VoiceChannel | discord.StageChannel

#: How long the leave of a stale client may take.
_DISPOSE_TIMEOUT_S: Final = 3.0
#: discord.py has no public event for "the leave has arrived" once its voice client is gone: it is looked for.
_POLL_S: Final = 0.02


def check_permissions(channel: VoiceChannel) -> None:
    """Discord ignores a join that is not allowed: better to say so at once than to time out."""
    permissions = channel.permissions_for(channel.guild.me)
    stage = isinstance(channel, discord.StageChannel)  # `speak` does not count there
    for needed in ("view_channel", "connect") if stage else ("view_channel", "connect", "speak"):
        if not getattr(permissions, needed):
            words = f"no permission to {needed.replace('_', ' ')} in {channel.name}"
            raise VoiceError(None, words, Fault.PERMISSION_LOST)
    inside = channel.guild.me in channel.members
    if 0 < channel.user_limit <= len(channel.members) and not inside and not permissions.move_members:
        raise VoiceError(None, f"{channel.name} is full", Fault.CHANNEL_FULL)


async def register_again(link: Link, client: discord.Client | None) -> None:
    """Make a living link known to discord.py again, which forgets it in a new main session (op 9) or a new
    client.
    """
    standing = link.standing
    if client is not None and client is not standing.client:
        standing.client = client
    guild = standing.client.get_guild(link.guild_id)
    if guild is None or guild.unavailable or guild.voice_client is not None or standing.client.is_closed():
        return
    channel = guild.get_channel(link.channel_id)
    if channel is not None:
        place = cast("VoiceChannel", channel)
        link.protocol = await place.connect(cls=lambda client, place: Protocol(client, place, link))
        await standing.affirm()


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
        while _is_in_voice(guild):  # noqa: ASYNC110  (there is no event to wait for)
            await anyio.sleep(_POLL_S)


def _is_in_voice(guild: discord.Guild) -> bool:
    voice = guild.me.voice
    return voice is not None and voice.channel is not None


def _retrieve(task: asyncio.Future[None]) -> None:
    if not task.cancelled():
        task.exception()
