"""The least of a bot, for tests of faults: in voice in one guild, with a bare client for the voice server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopback.voice.probe import VoiceProbe
from loopback.world import guild_voice

if TYPE_CHECKING:
    from loopback import Guild, Loopback
    from loopback.world.channels import VoiceChannel
    from loopback.world.events import Event
    from loopback.world.model import Payload

SESSION = "a main gateway's session"


class BareBot:
    """It is in voice from the beginning; `events` are those of its guild, as the main gateway tells them."""

    def __init__(self, discord: Loopback, name: str = "Guild") -> None:
        self.discord = discord
        self.guild: Guild = discord.add_guild(name)
        self.channel = self.guild.add_voice_channel("Music")
        self.events: list[Event] = []
        discord.world.subscribe(self._told)
        self.join()

    def _told(self, event: Event) -> None:
        if event.guild_id == self.guild.id:
            self.events.append(event)

    def join(self, channel: VoiceChannel | None = None) -> bool:
        """Op 4 for the channel, as the main gateway carries it out; whether the bot is let in."""
        member = self.guild.members[self.discord.bot.id]
        return guild_voice.request(self.guild, member, channel or self.channel, SESSION)

    def told(self, name: str) -> list[Payload]:
        """The data of the events of that name, oldest first."""
        return [event.data for event in self.events if event.name == name]

    def probe(self) -> VoiceProbe:
        """A client for the voice server that was named last."""
        told = self.told("VOICE_SERVER_UPDATE")[-1]
        return VoiceProbe(
            f"https://{told['endpoint']}/?v=8",
            guild_id=self.guild.id,
            user_id=self.discord.bot.id,
            session_id=SESSION,
            token=told["token"],
            connector=self.discord.connector(),
        )
