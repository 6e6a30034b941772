"""Channels of a guild and direct message channels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from loopback.waiting import Watch
from loopback.world.permissions import Overwrite

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.world.guild import Guild
    from loopback.world.message import Message
    from loopback.world.model import Payload, User

WAIT_S = 5.0
"""Default of waits of test scripts, in seconds."""


@dataclass(slots=True, eq=False, kw_only=True, repr=False)
class Channel:
    """What all channels have in common: messages, which voice channels have too."""

    kind: ClassVar[int]
    id: int
    name: str
    messages: list[Message] = field(default_factory=list)
    watch: Watch = field(default_factory=Watch)

    @property
    def guild_id(self) -> int | None:
        return None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} {self.id}>"

    def message(self, message_id: int) -> Message | None:
        return next((one for one in reversed(self.messages) if one.id == message_id), None)

    async def wait_message(
        self, predicate: Callable[[Message], bool] | None = None, timeout_s: float = WAIT_S
    ) -> Message:
        """The first message, present or coming, new or edited, that fits. Raises NotSeen after
        `timeout_s`.
        """
        return await self.watch.until(lambda: self._first(predicate), timeout_s, self._contents)

    def _first(self, predicate: Callable[[Message], bool] | None) -> Message | None:
        return next((one for one in self.messages if predicate is None or predicate(one)), None)

    def _contents(self) -> str:
        return f"a message in #{self.name}, which has {[str(one) for one in self.messages]}"

    def payload(self) -> Payload:
        last = self.messages[-1].id if self.messages else None
        return {
            "id": str(self.id),
            "type": self.kind,
            "flags": 0,
            "last_message_id": None if last is None else str(last),
        }


@dataclass(slots=True, eq=False, kw_only=True, repr=False)
class GuildChannel(Channel):
    """A channel of a guild, with its overwrites and its place in the list."""

    guild: Guild
    position: int = 0
    parent_id: int | None = None
    overwrites: dict[int, Overwrite] = field(default_factory=dict)

    @property
    def guild_id(self) -> int | None:
        return self.guild.id

    @property
    def mention(self) -> str:
        return f"<#{self.id}>"

    def overwrite(self, target_id: int, kind: int) -> Overwrite:
        """The overwrite for a role (kind 0) or a member (kind 1), made at its first use."""
        return self.overwrites.setdefault(target_id, Overwrite(target_id, kind))

    def payload(self) -> Payload:
        return {
            **Channel.payload(self),
            "guild_id": str(self.guild.id),
            "name": self.name,
            "position": self.position,
            "permission_overwrites": [one.payload() for one in self.overwrites.values()],
            "nsfw": False,
            "parent_id": None if self.parent_id is None else str(self.parent_id),
            "rate_limit_per_user": 0,
        }


@dataclass(slots=True, eq=False, kw_only=True, repr=False)
class TextChannel(GuildChannel):
    """Where people write."""

    kind: ClassVar[int] = 0
    topic: str | None = None

    def payload(self) -> Payload:
        return {**GuildChannel.payload(self), "topic": self.topic}


@dataclass(slots=True, eq=False, kw_only=True, repr=False)
class VoiceChannel(GuildChannel):
    """Where people talk. `user_limit` 0 = unlimited; `bitrate` in bit/s."""

    kind: ClassVar[int] = 2
    bitrate: int = 64_000
    user_limit: int = 0
    rtc_region: str | None = None

    @property
    def members(self) -> list[User]:
        """Who is in the channel now."""
        return [one.member.user for one in self.guild.voice_states.values() if one.channel_id == self.id]

    def payload(self) -> Payload:
        return {
            **GuildChannel.payload(self),
            "bitrate": self.bitrate,
            "user_limit": self.user_limit,
            "rtc_region": self.rtc_region,
            "video_quality_mode": 1,
        }


@dataclass(slots=True, eq=False, kw_only=True, repr=False)
class StageChannel(VoiceChannel):
    """A voice channel in which one must be let on stage to speak."""

    kind: ClassVar[int] = 13


@dataclass(slots=True, eq=False, kw_only=True, repr=False)
class Category(GuildChannel):
    """A heading over channels."""

    kind: ClassVar[int] = 4


@dataclass(slots=True, eq=False, kw_only=True, repr=False)
class DirectChannel(Channel):
    """The direct messages between the bot and a user."""

    kind: ClassVar[int] = 1
    recipient: User

    def payload(self) -> Payload:
        return {**Channel.payload(self), "recipients": [self.recipient.payload()]}
