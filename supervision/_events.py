"""What happened, as data, and the streams that carry it to observers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from anyio import Event as _Wake
from anyio.lowlevel import checkpoint

if TYPE_CHECKING:
    from types import TracebackType

    from ._exit import ExitReason

Kind = Literal["actor", "supervisor"]


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events.

    :ivar path: whom it is about; the root is ``""``
    """

    path: str


@dataclass(frozen=True, slots=True)
class ChildAdded(Event):
    """A supervisor has a new child; it is about to start."""

    kind: Kind


@dataclass(frozen=True, slots=True)
class ChildStarted(Event):
    """An incarnation is up: ``on_start`` returned, or all children of a supervisor are up."""

    incarnation: int


@dataclass(frozen=True, slots=True)
class ChildExited(Event):
    """An incarnation has ended, its ``on_stop`` included.

    :ivar started: whether it had come up; False is a failed start
    """

    incarnation: int
    reason: ExitReason
    started: bool


@dataclass(frozen=True, slots=True)
class RestartScheduled(Event):
    """The child is started again after ``delay_s`` seconds; ``failures`` in a row so far."""

    delay_s: float
    failures: int


@dataclass(frozen=True, slots=True)
class ChildStopped(Event):
    """A child has ended for good; ``removed`` if its supervisor has forgotten it, and all below it."""

    reason: ExitReason
    removed: bool


@dataclass(frozen=True, slots=True)
class ChildDeleted(Event):
    """A child that had stopped was forgotten: by ``delete_child``, or with its supervisor."""


@dataclass(frozen=True, slots=True)
class IntensityExceeded(Event):
    """This supervisor gives up: more than ``restarts`` failures within ``period_s`` seconds."""

    restarts: int
    period_s: float


@dataclass(frozen=True, slots=True)
class ShutdownTimeout(Event):
    """The child did not end within its ``timeout_s``; nobody waits for it any longer."""

    timeout_s: float


@dataclass(frozen=True, slots=True)
class Overflowed(Event):
    """A mailbox became full; once per episode, however many messages meet it full."""

    policy: str
    capacity: int


@dataclass(frozen=True, slots=True)
class DeadLetter(Event):
    """A message that nobody will handle."""

    message: object
    why: str


@dataclass(frozen=True, slots=True)
class SlowHandler(Event):
    """A message is being handled for longer than :attr:`ChildSpec.slow_after_s`; told once for each.

    :ivar message: its type name
    :ivar seconds: how long it has taken so far
    :ivar running: whether it is still being handled; False if nobody else could run before its end
    """

    message: str
    seconds: float
    running: bool


@dataclass(frozen=True, slots=True)
class SnapshotFailed(Event):
    """A snapshot could not be taken, kept or made again; the successor starts without one.

    :ivar why: one line
    """

    why: str


class MessageStep(Enum):
    """What became of a message, in a trace."""

    #: it was taken from the mailbox
    RECEIVED = "received"
    #: a message that was told was handled
    HANDLED = "handled"
    #: a request was answered
    ANSWERED = "answered"
    #: the handler raised a :class:`Refusal`
    REFUSED = "refused"
    #: the handler put it aside
    ASIDE = "aside"
    #: nobody waited for the answer any more, so it did not run
    SKIPPED = "skipped"
    #: the handler failed
    CRASHED = "crashed"
    #: the actor was stopped or killed meanwhile
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class MessageTraced(Event):
    """One step of one message of a traced actor.

    :ivar at: seconds of the event loop's clock
    :ivar message: its type name
    :ivar text: what it says of itself, at most 200 characters
    :ivar seconds: since it was received
    """

    at: float
    step: MessageStep
    message: str
    text: str
    seconds: float


E = TypeVar("E", bound=Event)


class EventStream(Generic[E]):
    """An observer's bounded view; when it is slow the oldest events go, and are counted.

    :ivar dropped: events lost so far
    """

    def __init__(self, hub: EventHub[E], capacity: int) -> None:
        self.dropped = 0
        self._hub = hub
        self._capacity = capacity
        self._queue: deque[E] = deque()
        self._wake: _Wake | None = None
        self._ended = False

    async def __aenter__(self) -> EventStream[E]:
        self._hub.streams.append(self)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self in self._hub.streams:
            self._hub.streams.remove(self)
        self.end()

    def __aiter__(self) -> EventStream[E]:
        return self

    async def __anext__(self) -> E:
        if self._queue:
            await checkpoint()  # before the event is taken: a cancelled call has no effect
        while not self._queue:
            if self._ended:
                raise StopAsyncIteration
            self._wake = _Wake()
            await self._wake.wait()
        return self._queue.popleft()

    def push(self, event: E) -> None:
        if len(self._queue) >= self._capacity:
            self._queue.popleft()
            self.dropped += 1
        self._queue.append(event)
        self._notify()

    def end(self) -> None:
        self._ended = True
        self._notify()

    def _notify(self) -> None:
        if self._wake is not None:
            self._wake.set()


class EventHub(Generic[E]):
    """Carries events to every stream. Where it counts, an event is made only if there is one."""

    def __init__(self) -> None:
        self.streams: list[EventStream[E]] = []

    def publish(self, event: E) -> None:
        for stream in self.streams:
            stream.push(event)

    def close(self) -> None:
        for stream in self.streams:
            stream.end()
        self.streams.clear()
