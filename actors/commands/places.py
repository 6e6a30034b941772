"""Who may command from where: the voice channels of the asking user and of the bot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from actors.messages import No
from actors.voice.places import count_people

if TYPE_CHECKING:
    from .desk import Context

    VoiceChannel = discord.VoiceChannel | discord.StageChannel

NEEDED = ("view_channel", "connect", "speak")
"""Permissions in the voice channel; a stage channel has no `speak`, there the bot is asked to the stage."""


def user_channel(ctx: Context) -> VoiceChannel:
    """Where the asking user listens.

    :raises No: nowhere
    """
    voice = getattr(ctx.author, "voice", None)
    if voice is None or voice.channel is None:
        raise No("Join a voice channel first.")
    channel: VoiceChannel = voice.channel
    return channel


def bot_channel(guild: discord.Guild) -> VoiceChannel | None:
    """Where the bot is, as Discord says."""
    voice = guild.me.voice
    return voice.channel if voice is not None else None


def check_control(ctx: Context) -> None:
    """Only those who listen command the music, as long as somebody listens.

    :raises No: the user is elsewhere while others listen
    """
    guild = ctx.guild
    here = bot_channel(guild) if guild is not None else None
    if guild is None or here is None or ctx.author.id in here.voice_states:
        return
    if count_people(guild, here):
        raise No(f"Others are listening in {here.mention}: join them there first.")


def check_may_join(guild: discord.Guild, channel: VoiceChannel) -> None:
    """
    :raises No: names the permission that the bot lacks, or says that the channel is full
    """
    if guild.me.id in channel.voice_states:
        return
    permissions = channel.permissions_for(guild.me)
    for name in NEEDED:
        speaks_otherwise = name == "speak" and isinstance(channel, discord.StageChannel)
        if not getattr(permissions, name) and not speaks_otherwise:
            label = name.replace("_", " ").title()
            raise No(f"I may not play in {channel.mention}: the permission “{label}” is missing there.")
    full = channel.user_limit and len(channel.voice_states) >= channel.user_limit
    if full and not permissions.move_members:
        raise No(f"{channel.mention} is full.")
