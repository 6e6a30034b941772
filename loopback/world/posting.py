"""Writing, editing and deleting messages, with the events that tell of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loopback.world.events import Event
from loopback.world.message import Message
from loopback.world.snowflakes import now_iso

if TYPE_CHECKING:
    from loopback.world.channels import Channel
    from loopback.world.model import Payload, User
    from loopback.world.world import World


def post(world: World, channel: Channel, author: User, **fields: Any) -> Message:
    """A new message in the channel. An ephemeral one is kept out of the channel and told to nobody."""
    guild = world.guild_of(channel)
    member = guild.members.get(author.id) if guild is not None else None
    message = Message(id=world.ids.next(), channel=channel, author=author, member=member, **fields)
    message.mentioned = mentioned_users(world, message)
    if not message.ephemeral:
        channel.messages.append(message)
        _tell(world, "MESSAGE_CREATE", message)
    channel.watch.changed()
    return message


def edit(world: World, message: Message, **fields: Any) -> Message:
    """Change fields of a message in place; all who wait for it look again."""
    for name, value in fields.items():
        setattr(message, name, value)
    message.mentioned = mentioned_users(world, message)
    message.edited_timestamp, message.edits = now_iso(), message.edits + 1
    if not message.ephemeral:
        _tell(world, "MESSAGE_UPDATE", message)
    message.channel.watch.changed()
    return message


def delete(world: World, message: Message) -> None:
    message.deleted = True
    if message in message.channel.messages:
        message.channel.messages.remove(message)
    gone = {"id": str(message.id), "channel_id": str(message.channel.id)}
    if not message.ephemeral:
        _dispatch(world, "MESSAGE_DELETE", message, gone, None)
    message.channel.watch.changed()


def mentioned_users(world: World, message: Message) -> list[Payload]:
    """Users whom the content mentions, with their member when in a guild."""
    guild = world.guild_of(message.channel)
    found: list[Payload] = []
    for user_id in sorted(message.mentions() & world.users.keys()):
        payload = world.users[user_id].payload()
        if guild is not None and user_id in guild.members:
            payload["member"] = guild.members[user_id].partial()
        found.append(payload)
    return found


def _tell(world: World, name: str, message: Message) -> None:
    _dispatch(world, name, message, message.event_payload(), message.withheld_payload(world.bot.id))


def _dispatch(world: World, name: str, message: Message, data: Payload, bare: Payload | None) -> None:
    """The bot hears only of channels that it may view."""
    guild = world.guild_of(message.channel)
    if guild is not None:
        data.setdefault("guild_id", str(guild.id))
        if not guild.can(world.bot, "view_channel", message.channel):
            return
    world.dispatch(Event(name, data, message.channel.guild_id, bare))
