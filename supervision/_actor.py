"""Actors: what a user of the kernel writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from ._dispatch import find

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from ._context import Context
    from ._dispatch import Handler
    from ._exit import ExitReason

R = TypeVar("R")
M = TypeVar("M")
S = TypeVar("S")
T = TypeVar("T")

_MARK = "__supervision_handles__"


class Request(Generic[R]):
    """Base of messages that are asked; ``R`` is the type of the answer."""

    __slots__ = ()


def handles(
    kind: type[M],
) -> Callable[[Callable[[S, M], Coroutine[Any, Any, T]]], Callable[[S, M], Coroutine[Any, Any, T]]]:
    """Mark a method as the handler of messages of that type (subclasses of it included).

    May be stacked. A subclass that overrides the method needs no new mark.
    """

    def mark(method: Callable[[S, M], Coroutine[Any, Any, T]]) -> Callable[[S, M], Coroutine[Any, Any, T]]:
        setattr(method, _MARK, (*getattr(method, _MARK, ()), kind))
        return method

    return mark


class Actor:
    """One thing with state of its own that handles one message at a time.

    A fresh object is made for every incarnation; nothing of it survives a restart but the mailbox.
    """

    #: Set before :meth:`on_start`.
    ctx: Context

    _marked: ClassVar[Mapping[type, str]] = {}
    _handlers: ClassVar[dict[type, Handler]] = {}
    _own_receive: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        table: dict[type, str] = {}
        for base in reversed(cls.__mro__):
            for name, member in vars(base).items():
                for kind in getattr(member, _MARK, ()):
                    table[kind] = name
        cls._marked = table
        cls._handlers = {}
        cls._own_receive = cls.receive is not Actor.receive

    async def on_start(self) -> None:
        """Prepare. The child counts as started when this returns; an exception is a failed start,
        and whoever raises it has put away what it had opened: ``on_stop`` follows a start only.
        """

    async def on_stop(self, reason: ExitReason) -> None:
        """Put away. Background tasks and timers have ended before; bounded by the shutdown timeout."""

    def snapshot(self) -> object:
        """What the successor is given as ``self.ctx.snapshot``, if the spec says ``hand_over``.

        Called once, when this incarnation has crashed or was killed after its start, before ``on_stop`` and
        maybe in the middle of what a handler did; never on a stop. It must only look, and return at once:
        plain data, at most 1 MiB of it, copied by pickle; None for nothing. An exception is told as
        :class:`SnapshotFailed`, and the successor starts without.
        """
        return None

    def state(self) -> Mapping[str, object]:
        """What :meth:`System.get_state` shows: name and value; public attributes unless overridden.

        Called between two awaits of whatever this actor does, also while a handler waits: it must only look.
        """
        return public_attributes(self)

    async def receive(self, message: object) -> object:
        """Handle one message; the return value answers an ask.

        This one calls the method marked with :func:`handles`.

        :raises TypeError: (a crash) if there is none for that type
        """
        return await find(type(self), type(message))(self, message)


def public_attributes(actor: Actor) -> dict[str, object]:
    """Name and value of what is set on that object, slots included."""
    names = {
        *getattr(actor, "__dict__", ()),
        *(name for kind in type(actor).__mro__ for name in _slots(kind)),
    }
    return {
        name: getattr(actor, name)
        for name in names
        if name != "ctx" and not name.startswith("_") and hasattr(actor, name)
    }


def _slots(kind: type) -> tuple[str, ...]:
    slots = vars(kind).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)
