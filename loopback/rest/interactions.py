"""Routes of answers to interactions: the first answer, edits of it, follow-ups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loopback.errors import FormError, RestError, unknown
from loopback.rest.call import Call, Route
from loopback.world.interactions import Callback, Interaction, InteractionKind
from loopback.world.message import CHAT_INPUT_COMMAND, DEFAULT, Message, MessageFlag
from loopback.world.message_form import edit_fields, new_fields
from loopback.world.posting import delete, edit, post

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.world.model import Payload


async def respond(call: Call) -> Any:
    """The first answer. Unknown after three seconds (10062), refused the second time (40060)."""
    made = call.world.interactions.get(call.params["interaction_token"])
    if made is None or made.id != call.number("interaction_id") or (not made.callback and made.expired()):
        raise unknown("Interaction")
    if made.callback is not None:
        raise RestError(400, 40060, "Interaction has already been acknowledged.")
    kind = _kind(made, call.fields.get("type"))
    _ANSWERS[kind](call, made, call.fields.get("data") or {})
    made.callback, made.answered_s = kind, call.world.now()
    made.channel.watch.changed()
    if call.query.get("with_response", "").lower() in ("1", "true"):
        return _callback_payload(made, kind)
    return None


def _kind(made: Interaction, sent: Any) -> Callback:
    if sent not in _ALLOWED[made.kind]:
        raise FormError("type", "INTERACTION_TYPE_INVALID", f"Not an answer to a {made.kind.name.lower()}")
    return Callback(sent)


_PLAIN = (Callback.MESSAGE, Callback.DEFERRED_MESSAGE)
_UPDATES = (Callback.DEFERRED_UPDATE, Callback.UPDATE)
_ALLOWED: dict[InteractionKind, tuple[Callback, ...]] = {
    InteractionKind.COMMAND: (*_PLAIN, Callback.MODAL),
    InteractionKind.COMPONENT: (*_PLAIN, *_UPDATES, Callback.MODAL),
    InteractionKind.AUTOCOMPLETE: (Callback.AUTOCOMPLETE,),
    InteractionKind.MODAL_SUBMIT: (*_PLAIN, *_UPDATES),
}


def _message(call: Call, made: Interaction, data: Payload) -> None:
    made.original = made.answer = _post(call, made, new_fields(call, made.channel, data))


def _deferred_message(call: Call, made: Interaction, data: Payload) -> None:
    flags = MessageFlag.LOADING | (MessageFlag(int(data.get("flags") or 0)) & MessageFlag.EPHEMERAL)
    made.original = _post(call, made, {"flags": flags})


def _deferred_update(_call: Call, made: Interaction, _data: Payload) -> None:
    made.original = made.source


def _update(call: Call, made: Interaction, data: Payload) -> None:
    if made.source is None:
        raise FormError("type", "INTERACTION_TYPE_INVALID", "There is no message to update")
    made.original = made.answer = made.source
    edit(call.world, made.source, **edit_fields(call, made.source, data))


def _autocomplete(_call: Call, made: Interaction, data: Payload) -> None:
    if len(data.get("choices") or []) > 25:
        raise FormError("data.choices", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    made.choices = list(data.get("choices") or [])


def _modal(_call: Call, made: Interaction, data: Payload) -> None:
    made.modal = dict(data)


_ANSWERS: dict[Callback, Callable[[Call, Interaction, Payload], None]] = {
    Callback.MESSAGE: _message,
    Callback.DEFERRED_MESSAGE: _deferred_message,
    Callback.DEFERRED_UPDATE: _deferred_update,
    Callback.UPDATE: _update,
    Callback.AUTOCOMPLETE: _autocomplete,
    Callback.MODAL: _modal,
}


def _post(call: Call, made: Interaction, fields: dict[str, Any]) -> Message:
    """A message of the bot that answers the interaction; permissions in the channel do not count."""
    kind = CHAT_INPUT_COMMAND if made.kind is InteractionKind.COMMAND else DEFAULT
    return post(
        call.world,
        made.channel,
        call.world.bot,
        type=kind,
        interaction=made.metadata(),
        application_id=call.world.application.id,
        **fields,
    )


def _callback_payload(made: Interaction, kind: Callback) -> Payload:
    interaction: Payload = {"id": str(made.id), "type": int(made.kind)}
    resource: Payload = {"type": int(kind)}
    if made.original is not None:
        interaction |= {
            "response_message_id": str(made.original.id),
            "response_message_loading": made.original.loading,
            "response_message_ephemeral": made.original.ephemeral,
        }
        resource["message"] = made.original.payload()
    return {"interaction": interaction, "resource": resource}


# --- the interaction's webhook ---


async def follow_up(call: Call) -> Any:
    """Another message; the first one after a deferral fills the "is thinking" instead."""
    made = _webhook(call)
    if made.original is not None and made.original.loading and not made.original.deleted:
        return _fill(call, made, made.original).payload()
    fields = new_fields(call, made.channel, call.fields)
    message = _post(call, made, {**fields, "reference": made.original})
    made.followups.append(message)
    made.answer = made.answer or message
    made.channel.watch.changed()
    return message.payload()


async def read_message(call: Call) -> Any:
    return _named(call)[1].payload()


async def change_message(call: Call) -> Any:
    made, message = _named(call)
    return _fill(call, made, message).payload()


async def remove_message(call: Call) -> Any:
    made, message = _named(call)
    delete(call.world, message)
    if made.answer is message:
        made.answer = None


def _fill(call: Call, made: Interaction, message: Message) -> Message:
    """Edit an answer; a deferred one is no longer loading."""
    fields = edit_fields(call, message, call.fields)
    fields["flags"] = fields.get("flags", message.flags) & ~MessageFlag.LOADING
    if message.ephemeral:
        fields["flags"] |= MessageFlag.EPHEMERAL
    made.answer = made.answer or message
    return edit(call.world, message, **fields)


def _webhook(call: Call) -> Interaction:
    """The interaction whose token is the webhook's; known once answered, for 15 minutes."""
    made = call.world.interactions.get(call.params["token"])
    if made is None or call.number("webhook_id") != call.world.application.id:
        raise unknown("Webhook")
    if made.callback is None:
        raise unknown("Webhook")
    if made.expired():
        raise RestError(401, 50027, "Invalid Webhook Token")
    return made


def _named(call: Call) -> tuple[Interaction, Message]:
    made = _webhook(call)
    wanted = call.params.get("message_id", "@original")
    known = [made.original] if wanted == "@original" else [made.original, *made.followups]
    for message in known:
        if message is not None and not message.deleted and wanted in ("@original", str(message.id)):
            return made, message
    raise unknown("Message")


_WEBHOOK = "/webhooks/{webhook_id}/{token}"
_NAMED = _WEBHOOK + "/messages/{message_id}"

ROUTES = (
    Route("POST", "/interactions/{interaction_id}/{interaction_token}/callback", respond, public=True),
    Route("POST", _WEBHOOK, follow_up, public=True, requests=5, window_s=2.0),
    Route("GET", _NAMED, read_message, public=True, requests=5, window_s=2.0),
    Route("PATCH", _NAMED, change_message, public=True, requests=5, window_s=2.0),
    Route("DELETE", _NAMED, remove_message, public=True, requests=5, window_s=2.0),
)
