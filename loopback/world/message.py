"""Messages: what was written, by whom, where, with which embeds and components."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntFlag
from typing import TYPE_CHECKING, Any

from loopback.world.snowflakes import now_iso

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loopback.world.channels import Channel
    from loopback.world.model import Member, Payload, User

_MENTION = re.compile(r"<@!?(\d+)>")
_ROLE_MENTION = re.compile(r"<@&(\d+)>")
_WITHHELD: Payload = {"content": "", "embeds": [], "attachments": [], "components": []}

DEFAULT, REPLY, CHAT_INPUT_COMMAND = 0, 19, 20
"""Message types that occur here."""


class MessageFlag(IntFlag):
    """Bits of a message's `flags` (documentation, "Message Flags")."""

    SUPPRESS_EMBEDS = 1 << 2
    EPHEMERAL = 1 << 6
    LOADING = 1 << 7
    SUPPRESS_NOTIFICATIONS = 1 << 12
    COMPONENTS_V2 = 1 << 15


NO_FLAGS = MessageFlag(0)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that was sent along; its bytes are served under the CDN's name."""

    id: int
    filename: str
    data: bytes
    url: str
    content_type: str = "application/octet-stream"

    def payload(self) -> Payload:
        return {
            "id": str(self.id),
            "filename": self.filename,
            "size": len(self.data),
            "url": self.url,
            "proxy_url": self.url,
            "content_type": self.content_type,
        }


@dataclass(slots=True, eq=False, kw_only=True, repr=False)
class Message:
    """A message as everybody sees it now; edits change it in place."""

    id: int
    channel: Channel
    author: User
    member: Member | None = None
    content: str = ""
    embeds: list[Payload] = field(default_factory=list)
    components: list[Payload] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    flags: MessageFlag = NO_FLAGS
    type: int = DEFAULT
    nonce: str | int | None = None
    tts: bool = False
    timestamp: str = field(default_factory=now_iso)
    edited_timestamp: str | None = None
    edits: int = 0
    deleted: bool = False
    reference: Message | None = None
    interaction: Payload | None = None
    application_id: int | None = None
    mentioned: list[Payload] = field(default_factory=list)
    reactions: dict[str, set[int]] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Message {self.id} {self}>"

    def __str__(self) -> str:
        titles = [embed.get("title", "") for embed in self.embeds]
        return f"{self.author.name}: {self.content!r} {titles or ''}".strip()

    @property
    def ephemeral(self) -> bool:
        return MessageFlag.EPHEMERAL in self.flags

    @property
    def loading(self) -> bool:
        """Whether this is the "is thinking" of a deferred answer."""
        return MessageFlag.LOADING in self.flags

    @property
    def text(self) -> str:
        """All that a person reads: content, embeds and text components, one line each."""
        return "\n".join(filter(None, [self.content, *_texts(self.embeds), *_texts(self.components)]))

    def controls(self) -> dict[str, Payload]:
        """Buttons, selects and inputs by custom_id, at whatever depth they stand."""
        return {one["custom_id"]: one for one in walk(self.components) if "custom_id" in one}

    def mentions(self) -> set[int]:
        return {int(one) for one in _MENTION.findall(self.content)}

    def payload(self) -> Payload:
        """The message as its author, or anybody with the content intent, gets it."""
        payload: Payload = {
            "id": str(self.id),
            "channel_id": str(self.channel.id),
            "author": self.author.payload(),
            "content": self.content,
            "timestamp": self.timestamp,
            "edited_timestamp": self.edited_timestamp,
            "tts": self.tts,
            "mention_everyone": "@everyone" in self.content or "@here" in self.content,
            "mentions": self.mentioned,
            "mention_roles": _ROLE_MENTION.findall(self.content),
            "attachments": [one.payload() for one in self.attachments],
            "embeds": self.embeds,
            "components": self.components,
            "pinned": False,
            "type": self.type,
            "flags": self.flags.value,
            "reactions": self._reactions(),
        }
        return payload | self._optional()

    def _optional(self) -> Payload:
        optional: Payload = {}
        if self.nonce is not None:
            optional["nonce"] = self.nonce
        if self.application_id is not None:
            optional["application_id"] = optional["webhook_id"] = str(self.application_id)
        if self.interaction is not None:
            optional["interaction_metadata"] = self.interaction["metadata"]
            optional["interaction"] = self.interaction["short"]
        if self.reference is not None:
            optional["message_reference"] = self.reference.pointer()
            optional["referenced_message"] = None if self.reference.deleted else self.reference.payload()
        return optional

    def event_payload(self) -> Payload:
        """The message as gateway events carry it: with guild and member."""
        payload = self.payload()
        if self.channel.guild_id is not None:
            payload["guild_id"] = str(self.channel.guild_id)
            if self.member is not None:
                payload["member"] = self.member.partial()
        return payload

    def withheld_payload(self, bot_id: int) -> Payload | None:
        """The event without its content for sessions that lack the intent; None if the bot may read it
        anyway.
        """
        if self.channel.guild_id is None or self.author.id == bot_id or bot_id in self.mentions():
            return None
        return self.event_payload() | _WITHHELD

    def pointer(self) -> Payload:
        """A message_reference to this message."""
        pointer = {"type": 0, "message_id": str(self.id), "channel_id": str(self.channel.id)}
        if self.channel.guild_id is not None:
            pointer["guild_id"] = str(self.channel.guild_id)
        return pointer

    def _reactions(self) -> list[Payload]:
        return [
            {
                "emoji": {"id": None, "name": emoji},
                "count": len(users),
                "count_details": {"burst": 0, "normal": len(users)},
                "me": False,
                "me_burst": False,
                "burst_colors": [],
            }
            for emoji, users in self.reactions.items()
        ]


def walk(components: Sequence[Payload]) -> Iterator[Payload]:
    """Every component, depth first: rows, sections with their accessory, containers, labels."""
    for component in components:
        yield component
        yield from walk(component.get("components", ()))
        for key in ("accessory", "component"):
            if key in component:
                yield from walk([component[key]])


_TEXT_KEYS = ("title", "description", "name", "value", "text", "label", "content")


def _texts(part: Any) -> Iterator[str]:
    """Strings under keys that are shown to people, in order."""
    if isinstance(part, list):
        for one in part:
            yield from _texts(one)
    elif isinstance(part, dict):
        yield from (part[key] for key in _TEXT_KEYS if isinstance(part.get(key), str))
        for value in part.values():
            yield from _texts(value)
