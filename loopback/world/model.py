"""Users, roles, members and voice states: the small values of the embedded Discord and their payloads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from loopback.world.snowflakes import now_iso

if TYPE_CHECKING:
    from loopback.world.permissions import Permission

Payload = dict[str, Any]
"""A JSON object of the API."""


@dataclass(slots=True, eq=False, repr=False)
class User:
    """An account: a scripted user or the bot."""

    id: int
    name: str
    bot: bool = False
    supports_dave: bool = field(default=True, kw_only=True)
    """Whether the user's client can encrypt voice end to end."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} {self.id}>"

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"

    def payload(self) -> Payload:
        return {
            "id": str(self.id),
            "username": self.name,
            "discriminator": "0",
            "global_name": None if self.bot else self.name.title(),
            "avatar": None,
            "bot": self.bot,
            "system": False,
            "public_flags": 0,
            "flags": 0,
            "banner": None,
            "accent_color": None,
            "avatar_decoration_data": None,
        }

    def own_payload(self) -> Payload:
        """The account as it sees itself (/users/@me, READY)."""
        return {
            **self.payload(),
            "mfa_enabled": True,
            "verified": True,
            "locale": "en-US",
            "email": None,
            "premium_type": 0,
        }


@dataclass(slots=True, eq=False)
class Role:
    """A role of a guild; `managed_by` is the bot whose invitation made it."""

    id: int
    name: str
    permissions: Permission
    position: int = 0
    managed_by: int | None = None

    def payload(self) -> Payload:
        payload: Payload = {
            "id": str(self.id),
            "name": self.name,
            "permissions": str(self.permissions.value),
            "position": self.position,
            "color": 0,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
            "hoist": False,
            "icon": None,
            "unicode_emoji": None,
            "managed": self.managed_by is not None,
            "mentionable": False,
            "flags": 0,
        }
        if self.managed_by is not None:
            payload["tags"] = {"bot_id": str(self.managed_by)}
        return payload


@dataclass(slots=True, eq=False)
class Member:
    """A user in a guild."""

    user: User
    roles: list[Role] = field(default_factory=list)
    nick: str | None = None
    mute: bool = False
    deaf: bool = False
    joined_at: str = field(default_factory=now_iso)

    def partial(self) -> Payload:
        """A member without its user, as messages carry it."""
        return {
            "nick": self.nick,
            "avatar": None,
            "banner": None,
            "roles": [str(role.id) for role in self.roles],
            "joined_at": self.joined_at,
            "premium_since": None,
            "deaf": self.deaf,
            "mute": self.mute,
            "flags": 0,
            "pending": False,
            "communication_disabled_until": None,
        }

    def payload(self) -> Payload:
        return {**self.partial(), "user": self.user.payload()}


@dataclass(slots=True, eq=False)
class VoiceState:
    """Where a member is in voice. `session_id` is the gateway session that joined; the bot's voice identify
    needs it.
    """

    guild_id: int
    member: Member
    session_id: str
    channel_id: int | None = None
    self_mute: bool = False
    self_deaf: bool = False
    suppress: bool = False
    request_to_speak: str | None = None

    @property
    def user_id(self) -> int:
        return self.member.user.id

    def bare(self) -> Payload:
        """The state as GUILD_CREATE lists it, without guild and member."""
        return {
            "channel_id": None if self.channel_id is None else str(self.channel_id),
            "user_id": str(self.user_id),
            "session_id": self.session_id,
            "deaf": self.member.deaf,
            "mute": self.member.mute,
            "self_deaf": self.self_deaf,
            "self_mute": self.self_mute,
            "self_video": False,
            "suppress": self.suppress,
            "request_to_speak_timestamp": self.request_to_speak,
        }

    def payload(self) -> Payload:
        return {**self.bare(), "guild_id": str(self.guild_id), "member": self.member.payload()}
