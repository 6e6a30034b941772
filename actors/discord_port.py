"""What the guilds' actors need of Discord, and nothing else of discord.py.

`Port` is the interface (tests have their own), `LivePort` the way to the client that is connected now: the
client is replaced when its actor is restarted, the port stays.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

import discord

from actors.voice.places import count_people

if TYPE_CHECKING:
    from collections.abc import Callable

    from discord.abc import MessageableChannel

    VoiceChannel = discord.VoiceChannel | discord.StageChannel


class Trouble(Enum):
    """Why a message could not be posted, edited or deleted."""

    GONE = "it is not there any more"
    FORBIDDEN = "the permission is missing"
    AWAY = "Discord did not take it"


class PostError(Exception):
    """A message was not posted, edited or deleted."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.value)
        self.trouble = trouble


class Port(Protocol):
    """Discord, as seen by a guild's actors. Ids are snowflakes."""

    def voice_channel(self, guild_id: int, channel_id: int) -> VoiceChannel | None:
        """The channel, if it (still) exists."""
        ...

    def present(self, guild_id: int) -> bool:
        """Whether Discord is there to say what the guild is like; while it is not, nothing is known."""
        ...

    def bot_channel(self, guild_id: int) -> int | None:
        """Where the bot is, as Discord says."""
        ...

    def listeners(self, guild_id: int, channel_id: int) -> int:
        """How many people, bots not counted, are in a voice channel."""
        ...

    def is_last(self, channel_id: int, message_id: int) -> bool:
        """Whether nothing was said in the channel since."""
        ...

    async def post(
        self, channel_id: int, *, text: str | None = None, embed: discord.Embed | None = None
    ) -> int:
        """Say something; the id of the message.

        :raises PostError: if it was not said
        """
        ...

    async def edit(self, channel_id: int, message_id: int, embed: discord.Embed) -> None:
        """Say something else in the bot's own message.

        :raises PostError: if it still says the old
        """
        ...

    async def delete(self, channel_id: int, message_id: int) -> None:
        """Take the bot's own message away.

        :raises PostError: if it is still there
        """
        ...


class LivePort:
    """The port to whatever client is connected now; `client` returns None while there is none."""

    def __init__(self, client: Callable[[], discord.Client | None]) -> None:
        self._client = client

    def voice_channel(self, guild_id: int, channel_id: int) -> VoiceChannel | None:
        """The channel, if it (still) exists."""
        guild = self._guild(guild_id)
        channel = None if guild is None else guild.get_channel(channel_id)
        return channel if isinstance(channel, discord.VoiceChannel | discord.StageChannel) else None

    def present(self, guild_id: int) -> bool:
        """A client is connected, and knows the guild."""
        guild = self._guild(guild_id)
        return guild is not None and not guild.unavailable

    def bot_channel(self, guild_id: int) -> int | None:
        """Where the bot is, as Discord says."""
        guild = self._guild(guild_id)
        voice = None if guild is None else guild.me.voice
        return None if voice is None or voice.channel is None else voice.channel.id

    def listeners(self, guild_id: int, channel_id: int) -> int:
        """People in the channel; somebody whom the cache does not know counts as a person."""
        channel, guild = self.voice_channel(guild_id, channel_id), self._guild(guild_id)
        return 0 if channel is None or guild is None else count_people(guild, channel)

    def is_last(self, channel_id: int, message_id: int) -> bool:
        """Whether nothing was said in the channel since."""
        return getattr(self._channel(channel_id), "last_message_id", None) == message_id

    async def post(
        self, channel_id: int, *, text: str | None = None, embed: discord.Embed | None = None
    ) -> int:
        """Say something; the id of the message."""
        channel = self._channel(channel_id)
        if channel is None:
            raise PostError(Trouble.GONE)
        try:
            sent = await (channel.send(text) if embed is None else channel.send(text, embed=embed))
        except (discord.DiscordException, OSError, TimeoutError) as error:
            raise PostError(trouble_of(error)) from error
        return sent.id

    async def edit(self, channel_id: int, message_id: int, embed: discord.Embed) -> None:
        """Say something else in the bot's own message."""
        try:
            await self._message(channel_id, message_id).edit(embed=embed)
        except (discord.DiscordException, OSError, TimeoutError) as error:
            raise PostError(trouble_of(error)) from error

    async def delete(self, channel_id: int, message_id: int) -> None:
        """Take the bot's own message away."""
        try:
            await self._message(channel_id, message_id).delete()
        except (discord.DiscordException, OSError, TimeoutError) as error:
            raise PostError(trouble_of(error)) from error

    def _guild(self, guild_id: int) -> discord.Guild | None:
        client = self._client()
        return None if client is None else client.get_guild(guild_id)

    def _channel(self, channel_id: int) -> MessageableChannel | None:
        client = self._client()
        if client is None:
            raise PostError(Trouble.AWAY)
        channel = client.get_channel(channel_id)
        known = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.Thread
        return channel if isinstance(channel, known) else None

    def _message(self, channel_id: int, message_id: int) -> discord.PartialMessage:
        channel = self._channel(channel_id)
        if channel is None or isinstance(channel, discord.GroupChannel):
            raise PostError(Trouble.GONE)
        return channel.get_partial_message(message_id)


def trouble_of(error: BaseException) -> Trouble:
    """What an error of discord.py means for a message."""
    if isinstance(error, PostError):
        return error.trouble
    if isinstance(error, discord.NotFound):
        return Trouble.GONE
    return Trouble.FORBIDDEN if isinstance(error, discord.Forbidden) else Trouble.AWAY
