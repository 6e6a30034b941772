"""One incarnation of an actor: its message loop, background tasks, timers and watches."""

from __future__ import annotations

import math
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from anyio.lowlevel import checkpoint, checkpoint_if_cancelled

from . import _hand_over
from ._actor import Actor
from ._cell import State
from ._context import Context
from ._dispatch import learn
from ._errors import ActorCrashed, ActorStopped, Refusal
from ._exit import FAILURES, Crashed, ExitReason, Killed
from ._gate import Gate
from ._job import Job
from ._native import task_id
from ._observer import Observed
from ._process import Process
from ._slot import Ask
from ._stash import NOTHING, Aside
from ._terminated import Terminated
from ._timers import Timers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from ._cell import Cell
    from ._mailbox import Mailbox

#: Messages handled in a row before other tasks get their turn. One checkpoint per message costs
#: fifteen times the message; none at all lets a backlog of 100,000 delay a timer by 80 ms.
BUDGETED: Final = range(64)

#: The actor whose task this is.
current: ContextVar[ActorProcess | None] = ContextVar("supervision_current", default=None)

#: Of incarnations that nobody has suspended yet; with no timer, no background task, nobody watched. Shared,
#: never added to: most actors need none of it, and making it would be a tenth of a restart.
_OPEN: Final = Gate()
_NO_TIMERS: Final = Timers()
_NO_JOBS: Final[set[Job]] = set()
_NO_WATCHES: Final[set[str]] = set()


class ActorProcess(Process):
    """See :class:`Process`.

    :ivar in_hand: the message that is handled; an :class:`Ask` if it was asked
    :ivar since: when it was taken in hand
    :ivar waits_for: the cell that the message in hand asks and waits for
    :ivar jobs: background tasks of this incarnation
    """

    __slots__ = (
        "_idle", "_private", "_quiet", "actor", "box", "in_hand", "jobs", "since", "snapshot", "stopping",
        "suspended", "task_id", "timers", "waits_for", "watches",
    )  # fmt: skip

    def __init__(self, cell: Cell, box: Mailbox) -> None:
        super().__init__(cell)
        self.box = box
        self.actor: Actor | None = None
        self.in_hand: object = None
        self.since = 0.0
        self.snapshot: object = None
        self.jobs = _NO_JOBS
        self.waits_for: Cell | None = None
        self.watches = _NO_WATCHES
        self.task_id = 0
        self.stopping = False
        self._idle: Gate | None = None
        self._private: tuple[object, int] | None = None  # the latest from no mailbox, and when
        self._quiet = _OPEN
        self.suspended = False
        self.timers = _NO_TIMERS

    @property
    def limit_s(self) -> float:
        return self.cell.spec.shutdown_timeout_s

    @property
    def serves(self) -> bool:
        """Whether it is up, and nobody has ended it."""
        return self.ready and not (self.closing or self.stopping or self.soft.cancel_called)

    @property
    def message_in_hand(self) -> object:
        """What is handled, without its envelope; None if nothing is."""
        item = self.in_hand.item if type(self.in_hand) is Aside else self.in_hand
        return item.message if type(item) is Ask else item

    # called from outside

    def stop(self) -> None:
        super().stop()
        self.stop_self()  # a handler that could not be cut is the last one

    def fail(self, reason: ExitReason) -> None:
        super().fail(reason)
        self.stop_self()

    # life

    async def live(self) -> None:
        # The hot path of the kernel: one function, a plain dict, and nothing that need not be done
        # for every message. A request is a message like any other, whose handler answers it.
        actor = self._make()
        if type(actor).on_start is not Actor.on_start:
            await self._start(actor)
        self.acknowledge()
        box, queue = self.box, self.box.queue
        handlers, now = type(actor)._handlers, self.system.stopwatch
        while not self.stopping:
            for _ in BUDGETED:
                if queue and not box.urgent:
                    item = queue.popleft()
                    box.handed += 1
                elif (item := self._next()) is NOTHING:
                    self.in_hand = None
                    if not self.stopping:
                        await self._park()
                    break
                self.in_hand = item
                self.since = now()
                try:
                    handler = handlers[type(item)]
                except KeyError:
                    handler = learn(type(actor), type(item))
                try:
                    await handler(actor, item)
                except Refusal:
                    pass  # an expected "no" that nobody asked for
            else:
                await self._breathe()
        await checkpoint_if_cancelled()  # who is passed by has no cleanup

    async def _start(self, actor: Actor) -> None:
        self.soft.deadline = self.system.now() + self.cell.spec.start_timeout_s
        if self.cell.parent is not None:  # pragma: no branch - the root is no actor
            self.cell.parent.expect_start(self.cell, self)
        await actor.on_start()
        if self.is_late:
            raise self.too_late()
        if self.cell.process is not self:
            await checkpoint_if_cancelled()  # it was passed by: its place is another's
        self.soft.deadline = math.inf

    def _make(self) -> Actor:
        current.set(self)
        self.task_id = self.system.task_id()
        if self.cell.observer is not None:
            self.cell.observer.check_start()
        make: Any = self.cell.spec.start
        self.snapshot = _hand_over.receive(self.cell) if self.cell.spec.hand_over else None
        actor: Actor = make()
        actor.ctx = Context(self)
        self.actor = actor
        return actor

    def wind_up(self, reason: ExitReason) -> bool:
        self.timers.clear()
        if self._may_hand_over(reason) and self.actor is not None:
            _hand_over.leave(self.cell, self.actor)
        silent = self.actor is None or type(self.actor).on_stop is Actor.on_stop
        if not self.jobs:
            return self.ready and not silent
        for job in tuple(self.jobs):
            job.cancel()
        return True

    def _may_hand_over(self, reason: ExitReason) -> bool:
        """Only a failure does, of one that was up and that nobody has given up or told to stop."""
        failed = self.ready and self.stop_at is None and isinstance(reason, FAILURES)
        return failed and self.cell.spec.hand_over and self.cell.process is self

    async def put_away(self, reason: ExitReason) -> None:
        await self._end_jobs()
        if self.ready and self.actor is not None:
            await self.actor.on_stop(reason)

    async def _end_jobs(self) -> None:
        """Wait for the cancelled background tasks; a stubborn one leaves half the time to ``on_stop``."""
        if self.jobs:
            self._idle = Gate()
            await self._idle.wait(self.limit_s / 2)
        if self.jobs:
            self.report_overdue()

    def release(self, reason: ExitReason) -> None:
        item = self.in_hand
        if type(item) is Aside and isinstance(reason, FAILURES):
            item = item.item  # to put a message aside does not save it from its own failure
            self.box.drop_stashed(item)
        if type(item) is Ask:
            item.fail(_verdict(self.cell.path, reason))
        self.box.unstash_all()
        for path in self.watches:
            if (cell := self.system.find(path)) is not None:
                cell.watchers.pop(self, None)
        self.watches.clear()
        self._quiet.open()
        self.actor = self.in_hand = self.waits_for = self._private = self.snapshot = None

    # what waits for this actor: system messages, due timers, user messages

    def _next(self) -> object:
        """The slow way; :data:`NOTHING` if there is nothing to do now."""
        if self.stopping or self.suspended:
            return NOTHING
        item = self._next_private()
        if item is NOTHING:
            item = self.box.pop()
        else:
            self._private = item, self.box.handed
        observer = self.cell.observer
        looks = observer is not None and observer.looks
        self.box.urgent = looks or self.timers.first_at < math.inf or self.box.needs_care
        if observer is None or not looks or item is NOTHING:
            return item
        return Observed(item, observer)

    def _next_private(self) -> object:
        """What is for this incarnation only, and comes first: notices of the kernel, then due timers."""
        while (notice := self.box.pop_system()) is not None:
            watcher, message = notice
            if watcher is self and message.path in self.watches:
                self.watches.discard(message.path)
                return message
        return self.timers.pop_due(self.system.now())

    def _park(self) -> Awaitable[None]:
        if self.suspended:
            self._quiet.open()
            return self.box.park()
        return self.box.park(max(0.0, self.timers.first_at - self.system.now()))

    async def _breathe(self) -> None:
        """Let others run, if there is more to do."""
        self.in_hand = None
        if self.box.queue or self.box.urgent:
            await checkpoint()

    # what the context offers

    def start_timer(self, key: Hashable, delay_s: float, message: object) -> None:
        if self.timers is _NO_TIMERS:
            self.timers = Timers()
        self.timers.start(key, self.system.now() + delay_s, message)
        self.box.urge()  # it may be called by a background task while the loop is parked

    # what an operator may do

    def suspend(self) -> Gate:
        """Take nothing in hand any more; the gate opens when nothing is."""
        if not self.suspended:
            self.suspended, self._quiet = True, Gate()
            self.cell.state = State.SUSPENDED
            self.box.urge()
        return self._quiet

    def resume(self) -> None:
        """Go on."""
        if self.suspended:
            self.suspended = False
            self._quiet.open()
            self.cell.state = State.RUNNING
            self.box.urge()

    def start_job(self, function: Callable[..., Awaitable[object]], args: tuple[Any, ...]) -> None:
        if self.closing:
            raise ActorStopped(f"{self.cell.path} is stopping")
        if self.jobs is _NO_JOBS:
            self.jobs = set()
        Job(self, function, args).spawn()

    def job_ended(self, job: Job) -> None:
        self.jobs.discard(job)
        if self._idle is not None and not self.jobs:
            self._idle.open()

    def stash(self) -> None:
        item = self.in_hand
        if self.task_id != task_id() or item is None or type(item) is Aside:
            raise RuntimeError(f"{self.cell.path} has no message in hand that it could put aside")
        if self._private is not None and self._private[0] is item and self._private[1] == self.box.handed:
            raise RuntimeError("timers and notices are of this incarnation and cannot be put aside")
        self.box.stash(item)
        self.in_hand = Aside(item)

    def stop_self(self) -> None:
        self.stopping = True
        self.box.urge()

    def watch(self, path: str) -> None:
        if path in self.watches:
            return
        if self.watches is _NO_WATCHES:
            self.watches = set()
        self.watches.add(path)
        cell = self.system.find(path)
        if cell is None or cell.is_over:
            self.notify(path, None)
        else:
            cell.watchers[self] = None

    def unwatch(self, path: str) -> None:
        self.watches.discard(path)
        if (cell := self.system.find(path)) is not None:
            cell.watchers.pop(self, None)

    def notify(self, path: str, reason: ExitReason | None) -> None:
        """A watched one has ended."""
        self.box.put_system(self, Terminated(path, reason))


def _verdict(path: str, reason: ExitReason) -> Exception:
    match reason:
        case Crashed(error=error):
            return ActorCrashed(f"{path} crashed: {error}")
        case Killed():
            return ActorCrashed(f"{path} was {reason}")
        case _:
            return ActorStopped(f"{path} was stopped before it answered")
