"""One place in the tree: what stays when the incarnation in it is replaced."""

from __future__ import annotations

import time
from enum import Enum
from typing import TYPE_CHECKING, Final

from ._errors import ActorStopped
from ._events import ChildStopped, DeadLetter, Kind, Overflowed
from ._exit import FAILURES, Crashed, ExitReason
from ._mailbox import Mailbox, make_mailbox
from ._observer import Observer
from ._slot import Ask, Slot
from ._spec import SUPERVISORS, ChildSpec

if TYPE_CHECKING:
    from ._actor_process import ActorProcess
    from ._process import Process
    from ._supervisor import SupervisorProcess
    from ._system import System


class State(Enum):
    """Where a child is in its life."""

    STARTING = "starting"
    RUNNING = "running"
    BACKOFF = "backoff"
    #: up, and held still by :meth:`System.suspend`
    SUSPENDED = "suspended"
    STOPPING = "stopping"
    STOPPED = "stopped"


#: Looked at so often that it counts: an enum's member is a property on Python 3.11.
_STOPPED: Final = State.STOPPED


class Cell:
    """A child of a supervisor: spec, path, mailbox, counters and the present incarnation.

    :ivar process: the present incarnation, None between two
    :ivar kept: a failed start leaves it in the tree as stopped, for :meth:`System.restart_child`
    :ivar failures: failures in a row, for the backoff
    :ivar restart_at: when its restart is due, while it waits for it, in seconds of the event loop's clock
    :ivar leaving: who waits for ``terminate_child``, once it was asked for
    :ivar observer: who looks at its messages, None if nobody ever did
    :ivar handed_over: what a failed incarnation left for its successor, as bytes
    :ivar starter: who waits for ``start_child``, until the child is up
    """

    __slots__ = (
        "failures", "handed_over", "incarnation", "kept", "kind", "last_error", "last_error_at", "leaving",
        "mailbox", "observer", "parent", "path", "process", "restart_at", "spec", "starter", "state",
        "system", "watchers",
    )  # fmt: skip

    def __init__(self, system: System, spec: ChildSpec, path: str, parent: SupervisorProcess | None) -> None:
        self.system = system
        self.spec = spec
        self.path = path
        self.parent = parent
        self.kind: Kind = "supervisor" if isinstance(spec.start, SUPERVISORS) else "actor"
        self.mailbox: Mailbox | None = (
            make_mailbox(spec.mailbox, path, self._overflowed) if self.kind == "actor" else None
        )
        self.process: Process | None = None
        limit_s = spec.slow_after_s
        self.observer = None if limit_s is None else Observer(self, limit_s)
        self.handed_over: bytes | None = None
        self.kept = False
        self.state = State.STARTING
        self.incarnation = 0
        self.failures = 0
        self.restart_at = 0.0
        self.last_error: str | None = None
        self.last_error_at: float | None = None
        self.starter: Slot | None = None
        self.leaving: list[Slot] | None = None
        self.watchers: dict[ActorProcess, None] = {}

    @property
    def is_over(self) -> bool:
        return self.state is _STOPPED

    def observed(self) -> Observer:
        """Its observer, made when somebody first wants to look."""
        if self.observer is None:
            self.observer = Observer(self, None)
        return self.observer

    def note(self, reason: ExitReason) -> None:
        """Remember why an incarnation ended, if it was a failure."""
        if isinstance(reason, FAILURES):
            self.last_error = reason.error if isinstance(reason, Crashed) else str(reason)
            self.last_error_at = time.time()

    def close(self, reason: ExitReason, *, removed: bool) -> None:
        """The end for good, in one synchronous step: mailbox drained, asks and watchers answered."""
        if self.is_over:  # pragma: no cover - said once, whoever says it
            return
        self.state = State.STOPPED
        self.system.registry.release(self)
        self._drain(reason)
        if self.starter is not None:
            self.starter.fail(ActorStopped(f"{self.path} was stopped while it started"))
        for slot in self.leaving or ():
            slot.succeed(None)
        watchers, self.watchers = self.watchers, {}
        for watcher in watchers:
            watcher.notify(self.path, reason)
        self.handed_over = None
        if self.observer is not None:
            self.observer.traces.close()
        self.system.events.publish(ChildStopped(self.path, reason, removed))

    def _drain(self, reason: ExitReason) -> None:
        if self.mailbox is None:
            return
        for item in self.mailbox.close():
            if type(item) is Ask:
                item.fail(ActorStopped(f"{self.path} has ended ({reason})"))
            message = item.message if type(item) is Ask else item
            self.system.events.publish(DeadLetter(self.path, message, f"{self.path} has ended"))

    def _overflowed(self) -> None:
        policy = self.spec.mailbox.overflow.value
        self.system.events.publish(Overflowed(self.path, policy, self.spec.mailbox.capacity))
