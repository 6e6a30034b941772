"""What a voice channel lets the bot do, and who is in it, by public names of discord.py alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from actors.voice.causes import Fault
from actors.voice.errors import VoiceError

if TYPE_CHECKING:
    VoiceChannel = discord.VoiceChannel | discord.StageChannel


def check_permissions(channel: VoiceChannel) -> None:
    """Discord ignores a join that is not allowed: better to say so at once than to time out.

    :raises VoiceError: a permission is missing, or the channel is full
    """
    permissions = channel.permissions_for(channel.guild.me)
    stage = isinstance(channel, discord.StageChannel)  # `speak` does not count there
    for needed in ("view_channel", "connect") if stage else ("view_channel", "connect", "speak"):
        if not getattr(permissions, needed):
            words = f"no permission to {needed.replace('_', ' ')} in {channel.name}"
            raise VoiceError(None, words, Fault.PERMISSION_LOST)
    inside = channel.guild.me in channel.members
    if 0 < channel.user_limit <= len(channel.members) and not inside and not permissions.move_members:
        raise VoiceError(None, f"{channel.name} is full", Fault.CHANNEL_FULL)


def count_people(guild: discord.Guild, channel: VoiceChannel) -> int:
    """Members of a voice channel that are no bots; somebody whom the cache does not know counts as a
    person.
    """
    members = (guild.get_member(user_id) for user_id in channel.voice_states)
    return sum(1 for member in members if member is None or not member.bot)
