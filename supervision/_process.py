"""One incarnation: a task, its two cancel scopes, and how its end is classified.

The first scope (``soft``) holds the life and is cancelled to end it; the second one (``hard``) holds the
cleanup and ends with its time. Both are shields, so that only the supervisor decides when a child stops.
What escapes is an exit reason, never an exception.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

import anyio
from anyio.lowlevel import checkpoint

from ._cell import Cell, State
from ._errors import StartTimeout
from ._events import ChildExited, ChildStarted, ShutdownTimeout
from ._exit import ExitReason, Killed, Normal, Shutdown, crashed
from ._gate import Gate
from ._native import absorb_cancel

Step = Callable[[], Awaitable[None]]


class Process(ABC):
    """Base of actors' and supervisors' incarnations.

    :ivar ready: it came up
    :ivar ended: everything of it has ended, cleanup included
    :ivar reason: why, once ended
    :ivar closing: its cleanup has begun
    :ivar stop_at: when it was told to stop
    :ivar lasted_s: how long it was up
    :ivar start_error: the exception of a failed start, for whoever waits for that start
    """

    __slots__ = (
        "__weakref__", "_hard", "_overdue", "_settled", "cell", "closing", "ended", "fault", "incarnation",
        "lasted_s", "ready", "reason", "soft", "start_error", "stop_at", "system", "up_at",
    )  # fmt: skip

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.system = cell.system
        self.incarnation = cell.incarnation
        self.soft = cell.system.new_scope(shield=True)
        self._hard: anyio.CancelScope | None = None
        self._settled: Gate | None = None  # few wait for it
        self.ended = Gate()
        self.ready = False
        self.closing = False
        self.stop_at: float | None = None
        self.up_at: float | None = None
        self.lasted_s = 0.0
        self.fault: ExitReason | None = None
        self.reason: ExitReason | None = None
        self.start_error: Exception | None = None
        self._overdue = False

    # what the two kinds do

    @abstractmethod
    async def live(self) -> None:
        """Come up, call :meth:`acknowledge`, work until the end."""

    @abstractmethod
    async def put_away(self, reason: ExitReason) -> None:
        """Clean up; bounded by :attr:`limit_s`."""

    @abstractmethod
    def release(self, reason: ExitReason) -> None:
        """Synchronous last step: answer who waits, let go of everything."""

    def wind_up(self, reason: ExitReason) -> bool:
        """Synchronous first step of the end; whether :meth:`put_away` has anything to do."""
        return True

    @property
    def hard(self) -> anyio.CancelScope:
        """The scope of the cleanup; cancelling it cuts that, also if it is yet to begin."""
        if self._hard is None:  # most actors end without a cleanup, and a scope is 700 bytes
            self._hard = self.system.new_scope(shield=True)
        return self._hard

    @property
    def limit_s(self) -> float:
        """Seconds that the cleanup may take."""
        return math.inf

    # called from outside

    def spawn(self) -> None:
        """Start the task. Call it from the supervisor's task: a task inherits its spawner's context."""
        self.system.tasks.spawn(self.run, self.cell.path or self.cell.spec.id, self._lost)

    def stop(self) -> None:
        """Ask for the end; returns at once."""
        self.cell.state = State.STOPPING
        if self.stop_at is None:
            self.stop_at = self.system.now()
        self.soft.cancel()

    def fail(self, reason: ExitReason) -> None:
        """End it for that reason; the first one counts."""
        if self.fault is None:
            self.fault = reason
        self.soft.cancel()

    def report_overdue(self) -> None:
        """It did not end in time: said once."""
        if not self._overdue:
            self._overdue = True
            self.system.events.publish(ShutdownTimeout(self.cell.path, self.cell.spec.shutdown_timeout_s))

    # the life

    async def run(self) -> None:
        """The body of the task."""
        reason: ExitReason = Shutdown()
        try:
            if self._begins():
                failed = await self._contain(self.live, self.soft)
                reason = self.fault or failed or self._planned()
            else:
                reason = self._planned()
            self.closing = True
            if self.cell.process is self:
                self.cell.state = State.STOPPING
            if self.wind_up(reason) and not self.hard.cancel_called:
                reason = await self._clean_up(reason)
        finally:
            self._finish(self.fault or reason)

    def acknowledge(self) -> None:
        """The start is done."""
        self.ready = True
        cell = self.cell
        cell.state = State.STOPPING if self.soft.cancel_called else State.RUNNING
        self.up_at = self.system.now()
        if self.system.events.streams:
            self.system.events.publish(ChildStarted(cell.path, self.incarnation))
        self._settle()
        if cell.starter is not None:
            cell.starter.succeed(None)
            cell.starter = None

    def _settle(self) -> None:
        if self._settled is not None:
            self._settled.open()

    async def settled(self, timeout_s: float = math.inf) -> None:
        """Return once it came up or has ended, or after the timeout. Always a checkpoint."""
        self._settled = gate = Gate()  # it has one who waits: who started it
        gate.is_open = self.ready or self.ended.is_open  # an eager task may be that far
        await gate.wait(timeout_s)

    async def outwait(self, gate: Gate, deadline: float) -> bool:
        """Wait for the gate, shielded, until that time at most; whether it is open.

        A native cancel meanwhile becomes a kill of this process after the wait.
        """
        while not gate.is_open:
            try:
                with anyio.CancelScope(shield=True, deadline=deadline) as scope:
                    await gate.wait()
            except anyio.get_cancelled_exc_class():
                if absorb_cancel() is None:
                    raise  # pragma: no cover - trio: nothing passes the shield
                self.fail(Killed("foreign code"))
                continue
            if scope.cancel_called:
                break
        return gate.is_open

    async def give_way(self) -> None:
        """Let others run, shielded; a native cancel meanwhile becomes a kill of this process."""
        try:
            with anyio.CancelScope(shield=True):
                await checkpoint()
        except anyio.get_cancelled_exc_class():
            if absorb_cancel() is None:
                raise  # pragma: no cover - trio: nothing passes the shield
            self.fail(Killed("foreign code"))

    def _begins(self) -> bool:
        """Whether nobody has ended it yet."""
        parent = self.cell.parent
        if parent is not None and parent.soft.cancel_called:
            self.soft.cancel()  # it was spawned just before: nothing begins to start under one who stops
        return not self.soft.cancel_called

    async def _clean_up(self, reason: ExitReason) -> ExitReason:
        hard, failed = self.hard, None
        hard.deadline = self.system.now() + self.limit_s
        with hard:
            failed = await self._contain(lambda: self.put_away(reason), None)
        if hard.cancelled_caught:
            self.report_overdue()
        return failed or reason

    def _planned(self) -> ExitReason:
        if self.fault is None and self.is_late:
            self.start_error = self.too_late()
        return self.outlook()

    def outlook(self) -> ExitReason:
        """Why it will have ended if nothing else happens to it."""
        if self.fault is not None:
            return self.fault
        if self.is_late:
            return crashed(self.start_error or self.too_late())
        return Shutdown() if self.soft.cancel_called else Normal()

    @property
    def is_late(self) -> bool:
        """Whether the time for the start was over before it was done, and before anybody ended it."""
        over = self.soft.deadline
        return (
            not self.ready and self.fault is None and min(self.stop_at or math.inf, self.system.now()) >= over
        )

    def too_late(self) -> StartTimeout:
        """The error of an overdue start."""
        return StartTimeout(f"{self.cell.path} did not start within {self.cell.spec.start_timeout_s} s")

    async def _contain(self, step: Step, scope: anyio.CancelScope | None) -> ExitReason | None:
        """Run a step; None if it returned or the scope ended it, else the reason of its failure."""
        try:
            if scope is None:
                await step()
            else:
                with scope:
                    await step()
        except Exception as error:
            if not self.ready and scope is not None:
                self.start_error = error
            return crashed(error)
        except anyio.get_cancelled_exc_class() as error:
            if (scope is None and self.hard.cancel_called) or (native := absorb_cancel()) is None:
                raise  # overdue: the scope of the cleanup takes it
            if scope is not None and scope.cancel_called:
                return None  # both at once: the stop that was asked for counts
            return Killed("foreign code") if native else crashed(error)
        except BaseException as error:  # KeyboardInterrupt and its kin belong to the root
            self.system.abort(error)
            return Shutdown()
        return None

    def _lost(self, error: BaseException | None) -> None:
        """The task ended by a cancel before its first step, or by a defect of the kernel."""
        if error is not None:
            self.system.abort(error)
        if not self.ended.is_open:
            self._finish(Killed("foreign code"))

    def _finish(self, reason: ExitReason) -> None:
        self.reason = reason
        cell = self.cell
        if not cell.is_over:
            cell.note(reason)
        if self.up_at is not None:
            self.lasted_s = self.system.now() - self.up_at
        self.release(reason)
        if self.system.events.streams:
            self.system.events.publish(ChildExited(cell.path, self.incarnation, reason, self.ready))
        self.ended.open()
        self._settle()
        if cell.parent is not None:
            cell.parent.child_ended(cell, self)
        else:
            self.system.root_ended()
