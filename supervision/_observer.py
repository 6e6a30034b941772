"""Who looks at each message of one actor: traces, the clock of slow handlers, chaos. Nobody, by default.

While somebody does, a message reaches its handler in an envelope (:class:`Observed`), through
:meth:`Observer.handle`; while nobody does, the message loop is the same as ever.
"""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING, Final

from ._disturbance import ChaosError
from ._errors import Refusal
from ._events import EventHub, EventStream, MessageStep, MessageTraced, SlowHandler
from ._slot import Ask
from ._stash import Aside

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ._actor import Actor
    from ._actor_process import ActorProcess
    from ._cell import Cell
    from ._dispatch import Handler

#: Characters of a message in a trace.
MESSAGE_TEXT: Final = 200
_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = MESSAGE_TEXT // 2


class Observed:
    """A message on its way to a handler that somebody looks at."""

    __slots__ = ("item", "observer")

    def __init__(self, item: object, observer: Observer) -> None:
        self.item = item
        self.observer = observer


class Observer:
    """What is known of the messages of one actor while somebody wants to know.

    :ivar traces: streams of :class:`MessageTraced`
    :ivar slow_after_s: see :attr:`ChildSpec.slow_after_s`
    :ivar delay: awaited before each message, while chaos has the actor slow
    :ivar failing_starts: how many starts from now on fail, because chaos wants it
    """

    __slots__ = ("_cell", "delay", "failing_starts", "reported", "slow_after_s", "traces")

    def __init__(self, cell: Cell, slow_after_s: float | None) -> None:
        self._cell = cell
        self.slow_after_s = slow_after_s
        self.traces: EventHub[MessageTraced] = EventHub()
        self.reported = -1.0
        self.delay: Callable[[], Awaitable[None]] | None = None
        self.failing_starts = 0

    @property
    def looks(self) -> bool:
        """Whether anybody does."""
        return self.slow_after_s is not None or self.delay is not None or bool(self.traces.streams)

    def check_start(self) -> None:
        """Before an incarnation is made.

        :raises ChaosError: it is to fail
        """
        if self.failing_starts:
            self.failing_starts -= 1
            raise ChaosError("the start fails because chaos wants it")

    async def handle(self, process: ActorProcess, actor: Actor, item: object, handler: Handler) -> None:
        """Have it handled, and tell."""
        message = item.message if type(item) is Ask else item
        begin, step = process.since, MessageStep.CUT
        self._trace(MessageStep.RECEIVED, message, 0.0)
        if self.slow_after_s is not None:
            self._cell.system.slow.look_at(process, begin + self.slow_after_s)
        try:
            if self.delay is not None:
                await self.delay()
            await handler(actor, item)
            step = _outcome(process, item)
        except Refusal:
            step = MessageStep.REFUSED
            raise
        except Exception:
            step = MessageStep.CRASHED
            raise
        finally:
            now = self._cell.system.stopwatch()
            self._trace(step, message, now - begin)
            self.check(message, begin, now, running=False)

    def check(self, message: object, begin: float, now: float, *, running: bool) -> bool:
        """Report it if it is slow, once; whether it is."""
        if self.slow_after_s is None or now < begin + self.slow_after_s:
            return False
        if self.reported != begin:
            self.reported = begin
            event = SlowHandler(self._cell.path, type(message).__name__, now - begin, running)
            self._cell.system.events.publish(event)
        return True

    def _trace(self, step: MessageStep, message: object, took_s: float) -> None:
        if self.traces.streams:
            cell, kind = self._cell, type(message).__name__
            self.traces.publish(
                MessageTraced(cell.path, cell.system.now(), step, kind, brief(message), took_s)
            )


class TraceStream(EventStream[MessageTraced]):
    """Looks from the moment its block is entered, over restarts, until the actor has ended for good."""

    def __init__(self, cell: Cell, observer: Observer, capacity: int) -> None:
        super().__init__(observer.traces, capacity)
        self._cell = cell

    async def __aenter__(self) -> TraceStream:
        await super().__aenter__()
        if self._cell.is_over:
            self.end()
        if self._cell.mailbox is not None:  # pragma: no branch - it is an actor's
            self._cell.mailbox.urge()  # the message loop notices
        return self


def brief(value: object) -> str:
    """What it says of itself, in so many characters; never raises."""
    try:
        return _repr.repr(value)[:MESSAGE_TEXT]
    except Exception as error:  # somebody's __repr__
        return f"<{type(value).__name__}: repr failed with {type(error).__name__}>"


def _outcome(process: ActorProcess, item: object) -> MessageStep:
    if type(item) is Ask and item.is_open:
        return MessageStep.REFUSED if item.is_refused else MessageStep.ANSWERED
    if type(process.in_hand) is Aside:
        return MessageStep.ASIDE
    return MessageStep.SKIPPED if type(item) is Ask else MessageStep.HANDLED
