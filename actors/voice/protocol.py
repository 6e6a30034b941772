"""What discord.py knows of a voice link: a `discord.VoiceProtocol` that only passes events on."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import discord

from actors.voice.stage import Place, take_the_stage

if TYPE_CHECKING:
    from discord.types.voice import GuildVoiceState, VoiceServerUpdate

    from actors.voice.link import Link


class Protocol(discord.VoiceProtocol):
    """Registered with the client for one guild; the link itself joins, speaks and recovers."""

    def __init__(self, client: discord.Client, channel: discord.abc.Connectable, link: Link) -> None:
        super().__init__(client, channel)
        self.link = link

    async def connect(
        self, *, timeout: float, reconnect: bool, self_deaf: bool = False, self_mute: bool = False
    ) -> None:
        """Nothing to do: the link joins by itself, and can be waited for at `Links.connect`."""

    async def disconnect(self, *, force: bool) -> None:
        """Leave on purpose; `force` does not wait for the main gateway's confirmation.

        discord.py also calls this for every guild when the client closes. That is no leave: the client may be
        replaced by its supervisor, and the music goes on meanwhile.
        """
        if not self.client.is_closed():
            await self.link.leave(wait=not force)
        self.release()

    async def on_voice_state_update(self, data: GuildVoiceState, /) -> None:
        """The bot's own voice state, by the main gateway."""
        channel_id = cast(
            "int | str | None", data["channel_id"]
        )  # null after a leave, which the type forgets
        channel = None if channel_id is None else int(channel_id)
        arrived = self.link.standing.take_state(channel, data["session_id"])
        if arrived and data.get("suppress"):
            await self._take_the_stage()

    async def on_voice_server_update(self, data: VoiceServerUpdate, /) -> None:
        """Token and endpoint of the guild's voice server."""
        self.link.standing.take_server(data["token"], data["endpoint"])

    async def _take_the_stage(self) -> None:
        """At every arrival: a join, a move, and a rejoin of the link, which begins in the audience again."""
        guild = self.client.get_guild(self.link.guild_id)
        if guild is None or not isinstance(guild.get_channel(self.link.channel_id), discord.StageChannel):
            return
        with self.link.standing.taking_stage():
            place = await take_the_stage(guild.me)
        if place is not Place.ON_STAGE:
            self.link.tell_unheard(hand_raised=place is Place.HAND_RAISED)

    @property
    def registered(self) -> bool:
        """The client passes events of the guild to this object; after a new main session it does not."""
        guild = self.client.get_guild(self.link.guild_id)
        return self in self.client.voice_clients if guild is None else guild.voice_client is self

    def release(self) -> None:
        """Take the registration away, if it is still ours: a successor's must not be touched."""
        if self.registered:
            self.cleanup()
