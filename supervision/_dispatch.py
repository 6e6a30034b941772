"""Which method handles a message: looked up once per class of actor and class of message."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from ._disturbance import Disturbance, endure
from ._errors import Refusal
from ._observer import Observed
from ._slot import Ask

if TYPE_CHECKING:
    from ._actor import Actor

Handler = Callable[[Any, Any], Coroutine[Any, Any, object]]


def learn(actor: type[Actor], kind: type) -> Handler:
    """Put the handler for that message class into the table of that actor class.

    :raises TypeError: if there is none
    """
    handler = _ENVELOPES.get(kind) or _of(actor, kind)
    actor._handlers[kind] = handler
    return handler


async def _answer(actor: Actor, ask: Ask) -> None:
    """The handler of requests: that of the message inside, for whoever still waits."""
    process = actor.ctx._process
    if not process.box.take(ask):
        return
    actor_class, kind = type(actor), type(ask.message)
    handler = actor_class._handlers.get(kind) or learn(actor_class, kind)
    try:
        answer = await handler(actor, ask.message)
    except Refusal as refusal:
        ask.fail(refusal.with_traceback(None))  # frames would keep this incarnation alive
    else:
        if process.in_hand is ask:  # else it was put aside
            ask.succeed(answer)


async def _observe(actor: Actor, envelope: Observed) -> None:
    """The handler of messages that somebody looks at: that of the message inside."""
    process, item = actor.ctx._process, envelope.item
    process.in_hand = item
    handler = type(actor)._handlers.get(type(item)) or learn(type(actor), type(item))
    await envelope.observer.handle(process, actor, item, handler)


_ENVELOPES: Mapping[type, Handler] = {Ask: _answer, Observed: _observe, Disturbance: endure}


def _of(actor: type[Actor], kind: type) -> Handler:
    return actor.receive if actor._own_receive else find(actor, kind)


def find(actor: type[Actor], kind: type) -> Handler:
    """The marked handler of that actor class for that message class.

    :raises TypeError: if there is none
    """
    for base in kind.__mro__:
        if base in actor._marked:
            handler: Handler = getattr(actor, actor._marked[base])
            return handler
    known = ", ".join(sorted(each.__name__ for each in actor._marked)) or "nothing"
    raise TypeError(f"{actor.__name__} has no handler for {kind.__name__}; it handles {known}")
