"""Permissions as Discord computes them: roles, then channel overwrites (documentation, "Permissions")."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class Permission(IntFlag):
    """Bits of a permission set; the lower-case name is what tests write ("connect")."""

    CREATE_INSTANT_INVITE = 1 << 0
    KICK_MEMBERS = 1 << 1
    BAN_MEMBERS = 1 << 2
    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_AUDIT_LOG = 1 << 7
    PRIORITY_SPEAKER = 1 << 8
    STREAM = 1 << 9
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    SEND_TTS_MESSAGES = 1 << 12
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    USE_EXTERNAL_EMOJIS = 1 << 18
    CONNECT = 1 << 20
    SPEAK = 1 << 21
    MUTE_MEMBERS = 1 << 22
    DEAFEN_MEMBERS = 1 << 23
    MOVE_MEMBERS = 1 << 24
    USE_VAD = 1 << 25
    CHANGE_NICKNAME = 1 << 26
    MANAGE_NICKNAMES = 1 << 27
    MANAGE_ROLES = 1 << 28
    MANAGE_WEBHOOKS = 1 << 29
    USE_APPLICATION_COMMANDS = 1 << 31
    REQUEST_TO_SPEAK = 1 << 32
    SEND_MESSAGES_IN_THREADS = 1 << 38


ALL = Permission(sum(bit.value for bit in Permission))
NONE = Permission(0)

EVERYONE = (
    Permission.CREATE_INSTANT_INVITE
    | Permission.ADD_REACTIONS
    | Permission.STREAM
    | Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.USE_EXTERNAL_EMOJIS
    | Permission.CONNECT
    | Permission.SPEAK
    | Permission.USE_VAD
    | Permission.CHANGE_NICKNAME
    | Permission.USE_APPLICATION_COMMANDS
    | Permission.REQUEST_TO_SPEAK
)
"""What a new guild gives to @everyone."""

BOT_INVITE = (
    Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.ADD_REACTIONS
    | Permission.CONNECT
    | Permission.SPEAK
    | Permission.USE_VAD
)
"""What the bot's invitation asked for: the permissions of its managed role."""


def permissions(names: Iterable[str]) -> Permission:
    """`("connect", "speak")` as bits. Raises KeyError for an unknown name."""
    bits = NONE
    for name in names:
        bits |= Permission[name.upper()]
    return bits


@dataclass(slots=True)
class Overwrite:
    """What a channel allows and denies to a role (kind 0) or a member (kind 1)."""

    target_id: int
    kind: int
    allow: Permission = NONE
    deny: Permission = NONE

    def change(self, *, allow: Permission = NONE, deny: Permission = NONE) -> None:
        """The latest word counts: what is allowed is no longer denied, and the other way round."""
        self.allow = (self.allow | allow) & ~deny
        self.deny = (self.deny | deny) & ~allow

    def apply(self, base: Permission) -> Permission:
        return (base & ~self.deny) | self.allow

    def payload(self) -> dict[str, Any]:
        return {
            "id": str(self.target_id),
            "type": self.kind,
            "allow": str(self.allow.value),
            "deny": str(self.deny.value),
        }


def in_channel(
    base: Permission, overwrites: Iterable[Overwrite], *, everyone_id: int, role_ids: set[int], user_id: int
) -> Permission:
    """Permissions in a channel from those in the guild: @everyone's overwrite, then roles', then the
    member's.
    """
    if Permission.ADMINISTRATOR in base:
        return ALL
    found = list(overwrites)
    result = base
    for overwrite in found:
        if overwrite.target_id == everyone_id:
            result = overwrite.apply(result)
    roles = [one for one in found if one.kind == 0 and one.target_id in role_ids - {everyone_id}]
    denied, allowed = NONE, NONE
    for one in roles:
        denied, allowed = denied | one.deny, allowed | one.allow
    result = (result & ~denied) | allowed
    for overwrite in found:
        if overwrite.kind == 1 and overwrite.target_id == user_id:
            result = overwrite.apply(result)
    return _without_implied(result)


def _without_implied(bits: Permission) -> Permission:
    """Who cannot see a channel can do nothing in it; who cannot connect cannot speak."""
    if Permission.VIEW_CHANNEL not in bits:
        return NONE
    if Permission.CONNECT not in bits:
        bits &= ~(Permission.SPEAK | Permission.STREAM | Permission.USE_VAD | Permission.PRIORITY_SPEAKER)
    if Permission.SEND_MESSAGES not in bits:
        bits &= ~(Permission.EMBED_LINKS | Permission.ATTACH_FILES | Permission.MENTION_EVERYONE)
    return bits
