"""Setting off an interaction: the INTERACTION_CREATE event and what it says about user, channel and
options.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loopback.errors import UserMistake
from loopback.world.channels import Channel, GuildChannel
from loopback.world.events import Event
from loopback.world.interactions import Interaction, InteractionKind
from loopback.world.message import Attachment, Message
from loopback.world.model import Payload, Role, User
from loopback.world.world import secret_token

if TYPE_CHECKING:
    from loopback.world.world import World

ATTACHMENT_SIZE_LIMIT = 10 * 1024 * 1024


def set_off(
    world: World,
    user: User,
    channel: Channel,
    kind: InteractionKind,
    data: Payload,
    source: Message | None = None,
) -> Interaction:
    """Make the interaction known and dispatch it. Raises UserMistake if the user may not use the bot here."""
    check_may_use(world, user, channel)
    made = Interaction(
        world=world,
        id=world.ids.next(),
        token=secret_token(),
        kind=kind,
        user=user,
        channel=channel,
        data=data,
        created_s=world.now(),
        source=source,
    )
    world.interactions[made.token] = made
    world.dispatch(Event("INTERACTION_CREATE", interaction_payload(made), channel.guild_id))
    return made


def check_may_use(world: World, user: User, channel: Channel) -> None:
    """Discord's client shows no commands to one who lacks the permission in the channel."""
    guild = world.guild_of(channel)
    if guild is None:
        return
    for name in ("view_channel", "use_application_commands"):
        if not guild.can(user, name, channel):
            raise UserMistake(f"{user.name} lacks {name} in #{channel.name}")


def interaction_payload(made: Interaction) -> Payload:
    world, channel = made.world, made.channel
    payload: Payload = {
        "id": str(made.id),
        "application_id": str(world.application.id),
        "type": int(made.kind),
        "data": made.data,
        "token": made.token,
        "version": 1,
        "locale": "en-US",
        "channel_id": str(channel.id),
        "channel": _channel(world, made.user, channel),
        "entitlements": [],
        "attachment_size_limit": ATTACHMENT_SIZE_LIMIT,
        "authorizing_integration_owners": {"0": str(channel.guild_id or 0)},
        "context": 0 if channel.guild_id is not None else 1,
        "app_permissions": "0",
    }
    if made.source is not None:
        payload["message"] = made.source.payload()
    return payload | _who(made)


def _who(made: Interaction) -> Payload:
    world, channel = made.world, made.channel
    guild = world.guild_of(channel)
    if guild is None:
        return {"user": made.user.payload()}
    permissions = guild.permissions_of(made.user, channel)
    member = {**guild.members[made.user.id].payload(), "permissions": str(permissions.value)}
    return {
        "member": member,
        "guild_id": str(guild.id),
        "guild_locale": "en-US",
        "guild": {"id": str(guild.id), "locale": "en-US", "features": []},
        "app_permissions": str(guild.permissions_of(world.bot, channel).value),
    }


def _channel(world: World, user: User, channel: Channel) -> Payload:
    guild = world.guild_of(channel)
    payload = channel.payload()
    if guild is not None:
        payload["permissions"] = str(guild.permissions_of(user, channel).value)
    return payload


def resolved(world: World, channel: Channel, user: User, values: list[Any]) -> Payload:
    """Objects behind the ids among option values and selections, by kind."""
    found: Payload = {}
    for value in values:
        for kind, payload in _resolve(world, channel, user, value):
            found.setdefault(kind, {})[str(value.id)] = payload
    return found


def _resolve(world: World, channel: Channel, user: User, value: Any) -> list[tuple[str, Payload]]:
    guild = world.guild_of(channel)
    if isinstance(value, User):
        entries = [("users", value.payload())]
        if guild is not None and value.id in guild.members:
            bits = guild.permissions_of(value, channel).value
            entries.append(("members", {**guild.members[value.id].partial(), "permissions": str(bits)}))
        return entries
    if isinstance(value, Role):
        return [("roles", value.payload())]
    if isinstance(value, GuildChannel):
        return [("channels", _channel(world, user, value))]
    if isinstance(value, Attachment):
        return [("attachments", value.payload())]
    return []
