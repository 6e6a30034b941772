"""Routes of messages, reactions and typing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from loopback.errors import FormError, RestError
from loopback.rest.call import Call, Route, require
from loopback.world.events import Event
from loopback.world.message import REPLY, Message, MessageFlag
from loopback.world.message_form import edit_fields, new_fields
from loopback.world.posting import delete, edit, post

if TYPE_CHECKING:
    from loopback.world.channels import Channel
    from loopback.world.model import Payload

MAX_PAGE = 100
BULK = range(2, 101)


async def create(call: Call) -> Any:
    channel = call.channel("send_messages")
    fields = new_fields(call, channel, call.fields)
    fields["flags"] &= ~MessageFlag.EPHEMERAL
    if fields.get("embeds"):
        require(call.world, channel, "embed_links")
    if fields["attachments"]:
        require(call.world, channel, "attach_files")
    referenced = _referenced(call, channel, call.fields.get("message_reference"))
    if referenced is not None:
        fields |= {"reference": referenced, "type": REPLY}
    return post(call.world, channel, call.world.bot, **fields).payload()


def _referenced(call: Call, channel: Channel, reference: Payload | None) -> Message | None:
    if reference is None:
        return None
    require(call.world, channel, "read_message_history")
    place = int(reference.get("channel_id") or channel.id)
    found = call.world.find_message(place, int(reference["message_id"]))
    if found is None and reference.get("fail_if_not_exists", True):
        raise FormError("message_reference", "MESSAGE_REFERENCE_UNKNOWN_MESSAGE", "Unknown message")
    return found


async def history(call: Call) -> Any:
    """Newest first, at most 100; `before`, `after` and `around` as snowflakes."""
    channel = call.channel("read_message_history")
    limit = call.limit(50, MAX_PAGE)
    found = sorted(channel.messages, key=lambda one: one.id)
    if "before" in call.query:
        found = [one for one in found if one.id < int(call.query["before"])]
    if "after" in call.query:
        found = [one for one in found if one.id > int(call.query["after"])][:limit]
    if "around" in call.query:
        middle = int(call.query["around"])
        found = sorted(sorted(found, key=lambda one: abs(one.id - middle))[:limit], key=lambda one: one.id)
    return [one.payload() for one in reversed(found[-limit:])]


async def fetch(call: Call) -> Any:
    return call.message("read_message_history").payload()


async def change(call: Call) -> Any:
    message = call.message()
    if message.author is not call.world.bot:
        raise RestError(403, 50005, "Cannot edit a message authored by another user")
    return edit(call.world, message, **edit_fields(call, message, call.fields)).payload()


async def remove(call: Call) -> Any:
    message = call.message()
    if message.author is not call.world.bot:
        require(call.world, message.channel, "manage_messages")
    delete(call.world, message)


async def remove_many(call: Call) -> Any:
    channel = call.channel("manage_messages")
    ids = {int(one) for one in call.fields["messages"]}
    if len(ids) not in BULK:
        raise RestError(400, 50016, "Provided too few or too many messages to delete.")
    for message in [one for one in channel.messages if one.id in ids]:
        delete(call.world, message)


async def typing(call: Call) -> Any:
    channel = call.channel("send_messages")
    data = {"channel_id": str(channel.id), "user_id": str(call.world.bot.id), "timestamp": 0}
    if channel.guild_id is not None:
        data["guild_id"] = str(channel.guild_id)
    call.world.dispatch(Event("TYPING_START", data, channel.guild_id))


async def react(call: Call) -> Any:
    message = call.message("add_reactions", "read_message_history")
    emoji = unquote(call.params["emoji"])
    message.reactions.setdefault(emoji, set()).add(call.world.bot.id)
    _tell_reaction(call, "MESSAGE_REACTION_ADD", message, emoji)


async def unreact(call: Call) -> Any:
    message = call.message()
    emoji = unquote(call.params["emoji"])
    users = message.reactions.get(emoji, set())
    users.discard(call.world.bot.id)
    if not users:
        message.reactions.pop(emoji, None)
    _tell_reaction(call, "MESSAGE_REACTION_REMOVE", message, emoji)


def _tell_reaction(call: Call, name: str, message: Message, emoji: str) -> None:
    data = {
        "user_id": str(call.world.bot.id),
        "channel_id": str(message.channel.id),
        "message_id": str(message.id),
        "emoji": {"id": None, "name": emoji},
        "burst": False,
        "type": 0,
    }
    if message.channel.guild_id is not None:
        data["guild_id"] = str(message.channel.guild_id)
    call.world.dispatch(Event(name, data, message.channel.guild_id))


_MESSAGES = "/channels/{channel_id}/messages"
_MESSAGE = _MESSAGES + "/{message_id}"
_REACTION = _MESSAGE + "/reactions/{emoji}/@me"

ROUTES = (
    Route("POST", _MESSAGES, create, requests=5, window_s=5.0),
    Route("GET", _MESSAGES, history),
    Route("GET", _MESSAGE, fetch),
    Route("PATCH", _MESSAGE, change, requests=5, window_s=5.0),
    Route("DELETE", _MESSAGE, remove, requests=5, window_s=1.0),
    Route("POST", _MESSAGES + "/bulk-delete", remove_many),
    Route("POST", "/channels/{channel_id}/typing", typing),
    Route("PUT", _REACTION, react, requests=4, window_s=1.0),
    Route("DELETE", _REACTION, unreact, requests=4, window_s=1.0),
)
