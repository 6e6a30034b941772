"""Everything that exists in one embedded Discord, and the way its changes reach the gateway."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loopback.waiting import Watch
from loopback.world.application import Application
from loopback.world.channels import Channel, DirectChannel
from loopback.world.commands import Commands
from loopback.world.message import Attachment
from loopback.world.snowflakes import Snowflakes

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.settings import LoopbackSettings
    from loopback.voice.server import VoiceServer
    from loopback.world.events import Event
    from loopback.world.guild import Guild
    from loopback.world.interactions import Interaction
    from loopback.world.message import Message
    from loopback.world.model import User


@dataclass(slots=True, eq=False, repr=False)
class World:
    """The state of one embedded Discord. Gateway and REST read and change it; scripts do so by its
    objects.
    """

    settings: LoopbackSettings
    voice: VoiceServer
    ids: Snowflakes
    application: Application
    users: dict[int, User] = field(default_factory=dict)
    guilds: dict[int, Guild] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    interactions: dict[str, Interaction] = field(default_factory=dict)
    files: dict[str, Attachment] = field(default_factory=dict)
    watch: Watch = field(default_factory=Watch)
    commands: Commands = field(init=False)
    _sinks: list[Callable[[Event], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.commands = Commands(self.ids, self.application.id, self.watch.changed)
        self.users[self.bot.id] = self.bot

    @property
    def bot(self) -> User:
        return self.application.bot

    def now(self) -> float:
        """The event loop's clock in seconds: deadlines of interactions and rate limits use it."""
        return asyncio.get_running_loop().time()

    def subscribe(self, sink: Callable[[Event], None]) -> None:
        """`sink` gets every event from now on (the gateway)."""
        self._sinks.append(sink)

    def dispatch(self, event: Event) -> None:
        for sink in self._sinks:
            sink(event)
        self.watch.changed()

    def direct_channel(self, user: User) -> DirectChannel:
        """The bot's direct messages with `user`, opened at the first use."""
        for channel in self.channels.values():
            if isinstance(channel, DirectChannel) and channel.recipient is user:
                return channel
        opened = DirectChannel(id=self.ids.next(), name=user.name, recipient=user)
        self.channels[opened.id] = opened
        return opened

    def guild_of(self, channel: Channel) -> Guild | None:
        return None if channel.guild_id is None else self.guilds[channel.guild_id]

    def attach(self, channel: Channel, filename: str, data: bytes, content_type: str) -> Attachment:
        """Keep a file; it is served under the CDN's name."""
        file_id = self.ids.next()
        path = f"/attachments/{channel.id}/{file_id}/{filename}"
        kept = Attachment(file_id, filename, data, f"https://cdn.discordapp.com{path}", content_type)
        self.files[path] = kept
        return kept

    def find_message(self, channel_id: int, message_id: int) -> Message | None:
        channel = self.channels.get(channel_id)
        return None if channel is None else channel.message(message_id)


def new_world(settings: LoopbackSettings, voice: VoiceServer) -> World:
    """An empty Discord with one application and its bot."""
    ids = Snowflakes()
    return World(settings, voice, ids, Application.create(ids, settings.granted_intents))


def secret_token() -> str:
    """An unguessable token of an interaction or a session."""
    return secrets.token_urlsafe(24)
