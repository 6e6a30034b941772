"""Reading a message that the bot sends or edits, with Discord's limits (documentation, "Create Message",
"Embed Limits").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loopback.errors import FormError, RestError
from loopback.world.message import Attachment, MessageFlag, walk

if TYPE_CHECKING:
    from loopback.rest.call import Call
    from loopback.world.channels import Channel
    from loopback.world.message import Message
    from loopback.world.model import Payload

MAX_CONTENT = 2000
MAX_EMBEDS = 10
MAX_EMBED_TEXT = 6000
MAX_FIELDS = 25
MAX_ROWS = 5
MAX_ROW_BUTTONS = 5
MAX_CUSTOM_ID = 100
MAX_LABEL = 80
ACTION_ROW, BUTTON = 1, 2

_EMBED_LENGTHS = (("title", 256), ("description", 4096), ("footer.text", 2048), ("author.name", 256))
_FIELD_LENGTHS = (("name", 256), ("value", 1024))
_ALLOWED_FLAGS = (
    MessageFlag.SUPPRESS_EMBEDS
    | MessageFlag.SUPPRESS_NOTIFICATIONS
    | MessageFlag.COMPONENTS_V2
    | MessageFlag.EPHEMERAL
)


def new_fields(call: Call, channel: Channel, body: Payload) -> dict[str, Any]:
    """Fields of a new message from a request. Raises FormError, or 50006 for one with nothing in it."""
    fields = _checked(body)
    fields["flags"] = MessageFlag(int(body.get("flags") or 0)) & _ALLOWED_FLAGS
    fields["attachments"] = _sent(call, channel)
    fields["tts"] = bool(body.get("tts"))
    if body.get("nonce") is not None:
        fields["nonce"] = body["nonce"]
    if not any(fields.get(name) for name in ("content", "embeds", "components", "attachments")):
        raise RestError(400, 50006, "Cannot send an empty message")
    if MessageFlag.COMPONENTS_V2 in fields["flags"] and (fields.get("content") or fields.get("embeds")):
        raise FormError(
            "content", "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", "No content with v2"
        )
    return fields


def edit_fields(call: Call, message: Message, body: Payload) -> dict[str, Any]:
    """Fields that an edit changes; those that the request does not name stay. Raises FormError."""
    fields = _checked(body)
    if body.get("flags") is not None:
        kept = message.flags & ~(MessageFlag.SUPPRESS_EMBEDS | MessageFlag.COMPONENTS_V2)
        fields["flags"] = kept | (MessageFlag(int(body["flags"])) & _ALLOWED_FLAGS)
    if "attachments" in body or call.files:
        kept_ids = {int(one["id"]) for one in body.get("attachments") or []}
        old = message.attachments if "attachments" not in body else []
        old = old or [one for one in message.attachments if one.id in kept_ids]
        fields["attachments"] = [*old, *_sent(call, message.channel)]
    return fields


def _sent(call: Call, channel: Channel) -> list[Attachment]:
    return [call.world.attach(channel, one.filename, one.data, one.content_type) for one in call.files]


def _checked(body: Payload) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if "content" in body:
        fields["content"] = body["content"] or ""
        _length(fields["content"], MAX_CONTENT, "content")
    if "embeds" in body or "embed" in body:
        fields["embeds"] = body.get("embeds") or ([body["embed"]] if body.get("embed") else [])
        _check_embeds(fields["embeds"])
    if "components" in body:
        fields["components"] = body["components"] or []
        check_components(fields["components"])
    return fields


def _length(value: Any, most: int, path: str) -> None:
    if not isinstance(value, str):
        raise FormError(path, "STRING_TYPE_CONVERT", "Could not interpret as string.")
    if len(value) > most:
        raise FormError(path, "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")


def _check_embeds(embeds: list[Payload]) -> None:
    if len(embeds) > MAX_EMBEDS:
        raise FormError("embeds", "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_EMBEDS} or fewer in length.")
    for index, embed in enumerate(embeds):
        embed.setdefault("type", "rich")
        _check_embed(embed, f"embeds.{index}")
    if sum(map(_embed_text, embeds)) > MAX_EMBED_TEXT:
        raise FormError("embeds", "MAX_EMBED_SIZE_EXCEEDED", f"Embed size exceeds {MAX_EMBED_TEXT}")


def _check_embed(embed: Payload, path: str) -> None:
    for name, most in _EMBED_LENGTHS:
        _length(_dig(embed, name), most, f"{path}.{name}")
    fields = embed.get("fields") or []
    if len(fields) > MAX_FIELDS:
        raise FormError(f"{path}.fields", "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_FIELDS} or fewer in length.")
    for index, entry in enumerate(fields):
        for name, most in _FIELD_LENGTHS:
            if not entry.get(name):
                raise FormError(
                    f"{path}.fields.{index}.{name}", "BASE_TYPE_REQUIRED", "This field is required"
                )
            _length(entry[name], most, f"{path}.fields.{index}.{name}")


def _dig(embed: Payload, name: str) -> Any:
    value: Any = embed
    for part in name.split("."):
        value = (value or {}).get(part)
    return "" if value is None else value


def _embed_text(embed: Payload) -> int:
    own = sum(len(_dig(embed, name)) for name, _ in _EMBED_LENGTHS)
    return own + sum(len(one["name"]) + len(one["value"]) for one in embed.get("fields") or [])


def check_components(components: list[Payload]) -> None:
    """Rows, buttons, labels and custom_ids within their limits, custom_ids unique. Raises FormError."""
    rows = [one for one in components if one.get("type") == ACTION_ROW]
    if len(rows) > MAX_ROWS:
        raise FormError("components", "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_ROWS} or fewer in length.")
    for index, row in enumerate(components):
        if row.get("type") == ACTION_ROW and not 1 <= len(row["components"]) <= MAX_ROW_BUTTONS:
            raise FormError(
                f"components.{index}", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length."
            )
    seen: set[str] = set()
    for one in walk(components):
        _check_control(one, seen)


def _check_control(control: Payload, seen: set[str]) -> None:
    _length(control.get("label") or "", MAX_LABEL, "components.label")
    custom_id = control.get("custom_id")
    if custom_id is None:
        return
    _length(custom_id, MAX_CUSTOM_ID, "components.custom_id")
    if custom_id in seen:
        message = "Component custom id cannot be duplicated"
        raise FormError("components", "COMPONENT_CUSTOM_ID_DUPLICATED", message)
    seen.add(custom_id)
