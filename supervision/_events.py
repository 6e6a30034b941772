"""What happened, as data, and the streams that carry it to observers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

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
    """A child that had stopped was deleted by ``delete_child``."""


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


class EventStream:
    """An observer's bounded view; when it is slow the oldest events go, and are counted.

    :ivar dropped: events lost so far
    """

    def __init__(self, hub: EventHub, capacity: int) -> None:
        self.dropped = 0
        self._hub = hub
        self._capacity = capacity
        self._queue: deque[Event] = deque()
        self._wake: _Wake | None = None
        self._ended = False

    async def __aenter__(self) -> EventStream:
        self._hub.streams.append(self)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self in self._hub.streams:
            self._hub.streams.remove(self)
        self.end()

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> Event:
        if self._queue:
            await checkpoint()  # before the event is taken: a cancelled call has no effect
        while not self._queue:
            if self._ended:
                raise StopAsyncIteration
            self._wake = _Wake()
            await self._wake.wait()
        return self._queue.popleft()

    def push(self, event: Event) -> None:
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


class EventHub:
    """Carries events to every stream. Where it counts, an event is made only if there is one."""

    def __init__(self) -> None:
        self.streams: list[EventStream] = []

    def publish(self, event: Event) -> None:
        for stream in self.streams:
            stream.push(event)

    def close(self) -> None:
        for stream in self.streams:
            stream.end()
        self.streams.clear()
