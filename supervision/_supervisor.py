"""One incarnation of a supervisor: starts its children, waits for their ends and for commands."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import anyio

from ._actor_process import ActorProcess
from ._alarms import Alarms, PatienceOver, RestartDue
from ._cell import Cell, State
from ._errors import ActorStopped, ChildExists, ChildNotFound, StartFailed, TooManyChildren
from ._events import ChildAdded
from ._exit import ExitReason, Shutdown
from ._process import Process
from ._recovery import Recovery
from ._slot import Slot
from ._spec import ChildSpec, DynamicSupervisorSpec, Restart, SupervisorSpec
from ._strategy import comes_back

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio import Event


class Ended(NamedTuple):
    """An incarnation of a child has ended."""

    cell: Cell
    process: Process


class Command(NamedTuple):
    """Something asked from outside; the slot gets the result."""

    slot: Slot
    act: Callable[[SupervisorProcess, Slot], None]


class SupervisorProcess(Process):
    """See :class:`Process`. Nothing is slept for in its loop: restarts are alarms, so it answers
    during a backoff; only the ordered start and stop of a group is waited for (as OTP).

    :ivar children: by id, in start order
    """

    __slots__ = ("_inbox", "_recovery", "_waker", "alarms", "children", "spec")

    def __init__(self, cell: Cell, spec: SupervisorSpec | DynamicSupervisorSpec) -> None:
        super().__init__(cell)
        self.spec = spec
        self.children: dict[str, Cell] = {}
        self.alarms = Alarms()
        self._recovery = Recovery(self, spec)
        self._inbox: deque[Ended | Command] = deque()
        self._waker: Event | None = None

    # called from outside

    def child_ended(self, cell: Cell, process: Process) -> None:
        """An incarnation of a child has ended."""
        self._post(Ended(cell, process))

    def command(self, act: Callable[[SupervisorProcess, Slot], None]) -> Slot:
        """Have something done in this supervisor's task.

        :raises ActorStopped: if it is stopping
        """
        if self.closing or self.ended.is_open:
            raise ActorStopped(f"the supervisor {self.cell.path!r} is stopping")
        slot = Slot()
        self._post(Command(slot, act))
        return slot

    def _post(self, item: Ended | Command) -> None:
        if self.ended.is_open:
            return
        self._inbox.append(item)
        if self._waker is not None:
            self._waker.set()

    # life

    async def live(self) -> None:
        if isinstance(self.spec, SupervisorSpec):
            for spec in self.spec.children:
                await self._start_or_raise(self._add(spec))
        self.acknowledge()
        while True:
            while self._inbox:
                await self._handle(self._inbox.popleft())
            await self._ring()
            await self._park()

    async def put_away(self, reason: ExitReason) -> None:
        self.alarms.clear()
        cells = list(reversed(self.children.values()))
        if isinstance(self.spec, DynamicSupervisorSpec) and not self.spec.ordered_shutdown:
            for cell in cells:
                if cell.process is not None and not cell.process.ended.is_open:
                    cell.process.stop()
        for cell in cells:
            ended = await self.put_down(cell)
            cell.close(ended or Shutdown(), removed=True)

    def release(self, reason: ExitReason) -> None:
        for item in self._inbox:
            if isinstance(item, Command):
                item.slot.fail(ActorStopped(f"the supervisor {self.cell.path!r} has ended"))
        self._inbox.clear()
        self.children.clear()

    async def _handle(self, item: Ended | Command) -> None:
        if isinstance(item, Ended):
            await self._on_end(item.cell, item.process)
        elif not item.slot.abandoned:
            try:
                item.act(self, item.slot)
            except Exception as error:
                item.slot.fail(error)

    async def _ring(self) -> None:
        """Do what is due."""
        while (alarm := self.alarms.pop_due(anyio.current_time())) is not None:
            if isinstance(alarm, RestartDue):
                await self._recovery.restart(alarm.cells)
            else:
                await self._lose_patience(alarm.cell, alarm.process)

    async def _park(self) -> None:
        if self._inbox:
            return
        self._waker = anyio.Event()
        first = self.alarms.first_at
        if first == math.inf:
            await self._waker.wait()
        else:
            with anyio.CancelScope(deadline=first):
                await self._waker.wait()
        self._waker = None

    # starting

    def _add(self, spec: ChildSpec) -> Cell:
        path = f"{self.cell.path}/{spec.id}" if self.cell.path else spec.id
        cell = Cell(self.system, spec, path, self)
        self.children[spec.id] = cell
        self.system.enter(cell)
        self.system.events.publish(ChildAdded(path, cell.kind))
        return cell

    def _spawn(self, cell: Cell) -> Process:
        cell.incarnation += 1
        cell.state = State.STARTING
        cell.process = process = new_process(cell)
        process.spawn()
        return process

    def spawn_child(self, cell: Cell) -> None:
        """Start a child and do not wait: that it is up, or has ended, is told later."""
        process = self._spawn(cell)
        if cell.mailbox is not None:
            self.alarms.set(anyio.current_time() + patience_s(cell), PatienceOver(cell, process))

    async def start_and_wait(self, cell: Cell) -> Process:
        """Start a child and wait until it is up or has failed to come up."""
        process = self._spawn(cell)
        with anyio.move_on_after(patience_s(cell)):
            await process.settled.wait()
        if not process.ready:
            await self.put_down(cell)
        return process

    async def _start_or_raise(self, cell: Cell) -> None:
        process = await self.start_and_wait(cell)
        if not process.ready:
            raise start_failure(cell, process)

    # a child has ended

    async def _on_end(self, cell: Cell, process: Process) -> None:
        if cell.process is not process:
            return  # it was put down on purpose
        cell.process = None
        await self._decide(cell, process)

    async def _decide(self, cell: Cell, process: Process) -> None:
        reason = process.reason or Shutdown()
        if cell.leaving is not None:
            self.retire(cell, reason)
        elif cell.starter is not None:
            cell.starter.fail(start_failure(cell, process))
            self._forget(cell, reason)
        elif not comes_back(cell.spec.restart, reason):
            self.retire(cell, reason)
        elif self.system.fatal is None:
            await self._recovery.recover(cell, process)

    # stopping

    async def put_down(self, cell: Cell) -> ExitReason | None:
        """Stop a child and wait, at most for its shutdown timeout. Its reason, if it was up."""
        process = cell.process
        if process is None:
            return None
        if not process.ended.is_open:
            process.stop()
            deadline = (process.stop_at or 0.0) + shutdown_limit_s(cell)
            if not await self.outwait(process.ended, deadline):
                leave_behind(cell, process)
        cell.process = None
        return process.reason

    def retire(self, cell: Cell, reason: ExitReason) -> None:
        """It does not come back. Static children stay in the tree, unless temporary (as OTP)."""
        if cell.spec.restart is Restart.TEMPORARY or isinstance(self.spec, DynamicSupervisorSpec):
            self._forget(cell, reason)
        else:
            cell.close(reason, removed=False)

    def _forget(self, cell: Cell, reason: ExitReason) -> None:
        self.children.pop(cell.spec.id, None)
        cell.close(reason, removed=True)

    async def _lose_patience(self, cell: Cell, process: Process) -> None:
        """It should have come up by now, or ended if it is leaving."""
        if cell.process is not process or process.ended.is_open or (process.ready and cell.leaving is None):
            return
        process.soft.cancel()
        leave_behind(cell, process)
        cell.process = None
        await self._decide(cell, process)

    # commands

    def start_child(self, spec: ChildSpec, slot: Slot) -> None:
        """Start one more child; the slot is answered when it is up."""
        if spec.id in self.children:
            raise ChildExists(f"{self.cell.path}/{spec.id} exists")
        limit = self.spec.max_children if isinstance(self.spec, DynamicSupervisorSpec) else None
        if limit is not None and len(self.children) >= limit:
            raise TooManyChildren(f"{self.cell.path!r} has its {limit} children")
        cell = self._add(spec)
        cell.starter = slot
        self.spawn_child(cell)

    def terminate_child(self, child_id: str, slot: Slot) -> None:
        """Stop one child for good; the slot is answered when it has ended or its time is over."""
        cell = self.children.get(child_id)
        if cell is None:
            raise ChildNotFound(f"{self.cell.path!r} has no child {child_id!r}")
        if cell.is_over:
            slot.succeed(None)
            return
        if cell.leaving is None:
            cell.leaving = []
        cell.leaving.append(slot)
        if cell.process is None:
            self.alarms.drop_restarts([cell])
            self.retire(cell, Shutdown())
        else:
            self._dismiss(cell, cell.process)

    def _dismiss(self, cell: Cell, process: Process) -> None:
        if not process.ended.is_open and cell.mailbox is not None:
            at = anyio.current_time() + shutdown_limit_s(cell)
            self.alarms.set(at, PatienceOver(cell, process))
        if not process.ended.is_open:
            process.stop()


def new_process(cell: Cell) -> Process:
    """A fresh incarnation for that cell."""
    start = cell.spec.start
    if isinstance(start, SupervisorSpec | DynamicSupervisorSpec):
        return SupervisorProcess(cell, start)
    if cell.mailbox is None:
        raise TypeError(f"{cell.path} is neither an actor nor a supervisor")
    return ActorProcess(cell, cell.mailbox)


def shutdown_limit_s(cell: Cell) -> float:
    """Seconds a child may take to stop; a supervisor takes what its bounded children take."""
    return cell.spec.shutdown_timeout_s if cell.mailbox is not None else math.inf


def patience_s(cell: Cell) -> float:
    """Seconds after which a start is given up though the child, uncancellable, has not ended."""
    return cell.spec.start_timeout_s + shutdown_limit_s(cell)


def leave_behind(cell: Cell, process: Process) -> None:
    """Nobody waits for it any longer; no successor starts before it has ended."""
    process.report_overdue()
    process.hard.cancel()
    cell.lingering = process


def start_failure(cell: Cell, process: Process) -> Exception:
    """The original error of a failed start, handed over once."""
    error, process.start_error = process.start_error, None
    if error is None:
        why = process.reason or "it took too long and cannot be cancelled"
        return StartFailed(f"{cell.path} did not start: {why}")
    if cell.kind == "actor":
        error.add_note(f"while {cell.path} started")
    return error
