"""One incarnation of a supervisor: starts its children, waits for their ends and for commands."""

from __future__ import annotations

from collections import deque
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, NamedTuple, TypeVarTuple, Unpack

from anyio.lowlevel import checkpoint

from ._actor_process import ActorProcess
from ._alarms import Alarm, Alarms, PatienceOver, RestartDue
from ._cell import Cell, State
from ._child import patience_s, shutdown_limit_s, start_failure
from ._errors import ActorStopped
from ._events import ChildAdded, ChildDeleted
from ._exit import ExitReason, Shutdown
from ._parking import Parking
from ._process import Process
from ._recovery import Recovery
from ._slot import Slot
from ._spec import SUPERVISORS, ChildSpec, DynamicSupervisorSpec, Restart, SupervisorSpec
from ._stopping import Stopping
from ._strategy import AUTO_SHUTDOWN, comes_back
from ._turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable

Ts = TypeVarTuple("Ts")


class Ended(NamedTuple):
    """An incarnation of a child has ended."""

    cell: Cell
    process: Process


class Command(NamedTuple):
    """Something asked from outside; the slot gets the result."""

    slot: Slot
    act: Callable[[Slot], None]


class SupervisorProcess(Process):
    """See :class:`Process`. Nothing is slept for in its loop: restarts are alarms, so it answers
    during a backoff; only the ordered start and stop of a group is waited for (as OTP).

    :ivar children: by id, in start order
    :ivar in_a_row: decisions since others could run
    """

    __slots__ = (
        "_acts",
        "_at_once",
        "_context",
        "_inbox",
        "_parking",
        "_recovery",
        "alarms",
        "children",
        "in_a_row",
        "spec",
        "stopping",
    )

    def __init__(self, cell: Cell, spec: SupervisorSpec | DynamicSupervisorSpec) -> None:
        super().__init__(cell)
        self.spec = spec
        self.children: dict[str, Cell] = {}
        self.alarms = Alarms()
        self._recovery = Recovery(self, spec)
        self.stopping = Stopping(self)
        self._inbox: deque[Ended | Command] = deque()
        self._parking = Parking()
        self._context = Context()
        self.in_a_row = Turns()
        self._at_once = Turns()
        self._acts = False

    # called from outside

    def child_ended(self, cell: Cell, process: Process) -> None:
        """An incarnation of a child has ended: decided in its last step, if this task rests."""
        if self._recovery.may_act_at_once and self._may_do_at_once():
            self._do_at_once(self._end_at_once, cell, process)
        else:
            self._post(Ended(cell, process))

    def command(self, act: Callable[[Slot], None]) -> Slot:
        """Have something done as by this supervisor's task: at once if that rests, else in its turn.

        :raises ActorStopped: if it is stopping
        """
        if self.closing:
            raise ActorStopped(f"the supervisor {self.cell.path!r} is stopping")
        slot = Slot()
        if self._may_do_at_once():
            self._do_at_once(self._carry_out, Command(slot, act))
        else:
            self._post(Command(slot, act))
        return slot

    def expect_start(self, cell: Cell, process: Process) -> None:
        """A start that may last has begun: it is given up in time, even if it cannot be cancelled."""
        self.alarms.set(self.system.now() + patience_s(cell), PatienceOver(cell, process))
        if self._parking.is_taken:
            self._parking.no_later_than(self.alarms.first_at)

    def _may_do_at_once(self) -> bool:
        """Whether this task rests and nothing comes before. A crowd waits for its turns."""
        if not self._parking.is_taken or self._inbox or self._acts or self.soft.cancel_called:
            return False
        return not self._at_once.are_over

    def _do_at_once(self, act: Callable[[Unpack[Ts]], None], *args: *Ts) -> None:
        """As this task would: what it starts must inherit from this task, not from the caller's."""
        self._acts = True  # an eager task's first step may come back here
        try:
            self._context.run(act, *args)
        finally:
            self._acts = False
        if self.alarms:
            self._parking.no_later_than(self.alarms.first_at)

    def _post(self, item: Ended | Command) -> None:
        if self.closing:
            return  # nothing is decided any more
        self._inbox.append(item)
        self._parking.wake()

    # life

    async def live(self) -> None:
        self._context = copy_context()
        if isinstance(self.spec, SupervisorSpec):
            for spec in self.spec.children:
                await self._start_or_raise(self.add(spec))
        self.acknowledge()
        while not self.soft.cancel_called:
            await self._work()
            await self._park()

    async def _work(self) -> None:
        """All that is to be decided, first what came and then what is due: ends of children may have
        come while a group was started. Who was told to stop decides nothing more.
        """
        self.in_a_row = Turns()
        while not self.soft.cancel_called:
            if self.in_a_row.are_over:
                await checkpoint()
            if self._inbox:
                await self._handle(self._inbox.popleft())
            elif (alarm := self.alarms.pop_due(self.system.now())) is not None:
                await self._ring(alarm)
            else:
                return

    async def put_away(self, reason: ExitReason) -> None:
        self.alarms.clear()
        if isinstance(self.spec, DynamicSupervisorSpec) and not self.spec.ordered_shutdown:
            await self.stopping.announce()
        turns = Turns()
        while self.children:
            cell = next(reversed(self.children.values()))
            ended = await self.stopping.put_down(cell)
            if cell.is_over:
                self.delete(cell)
            else:
                self.forget(cell, ended or Shutdown())
            if turns.are_over:
                await self.give_way()

    def release(self, reason: ExitReason) -> None:
        for item in self._inbox:
            if isinstance(item, Command):
                item.slot.fail(ActorStopped(f"the supervisor {self.cell.path!r} has ended"))
        self._inbox.clear()
        self._parking.close()

    async def _handle(self, item: Ended | Command) -> None:
        if isinstance(item, Ended):
            if self._on_end(item.cell, item.process):
                await self._recovery.recover(item.cell, item.process)
        elif not item.slot.abandoned:
            self._carry_out(item)

    @staticmethod
    def _carry_out(command: Command) -> None:
        try:
            command.act(command.slot)
        except Exception as error:
            command.slot.fail(error)

    async def _ring(self, alarm: Alarm) -> None:
        """Do what is due."""
        if isinstance(alarm, RestartDue):
            await self._recovery.restart(alarm.cells)
        else:
            await self._lose_patience(alarm.cell, alarm.process)

    async def _park(self) -> None:
        if self._inbox:
            return
        await self._parking.park(self.alarms.first_at)

    # starting

    def add(self, spec: ChildSpec) -> Cell:
        """A place for a child, last in order, or where one of its id stood."""
        path = self.path_of(spec.id)
        cell = Cell(self.system, spec, path, self)
        if spec.name is not None:
            self.system.registry.bind(spec.name, cell)
        self.children[spec.id] = cell
        self.system.enter(cell)
        if self.system.events.streams:
            self.system.events.publish(ChildAdded(path, cell.kind))
        return cell

    def failures_left(self) -> int:
        """How many more failures of children it would bear now."""
        return self._recovery.failures_left()

    def path_of(self, child_id: str) -> str:
        """Where that child lives, or would."""
        return f"{self.cell.path}/{child_id}" if self.cell.path else child_id

    def spawn_child(self, cell: Cell) -> Process:
        """Start a child and do not wait: that it is up, or has ended, is told later."""
        cell.incarnation += 1
        cell.state = State.STARTING
        cell.process = process = new_process(cell)
        process.spawn()
        return process

    async def start_and_wait(self, cell: Cell) -> Process | None:
        """Start a child and wait: None if it is up, else the incarnation that failed to come up.

        Who is given up has failed, though its start may be done while it is put down.
        """
        process = self.spawn_child(cell)
        await process.settled(patience_s(cell))
        if process.ready:
            return None
        await self.stopping.put_down(cell)
        return process

    async def _start_or_raise(self, cell: Cell) -> None:
        failed = await self.start_and_wait(cell)
        if failed is not None:
            raise start_failure(cell, failed)

    # a child has ended

    def _end_at_once(self, cell: Cell, process: Process) -> None:
        if self._on_end(cell, process):
            self._recovery.recover_at_once(cell, process)

    def _on_end(self, cell: Cell, process: Process) -> bool:
        """Decide about it, unless it was put down on purpose; whether it is to come back."""
        self.stopping.has_ended(cell, process)
        if cell.process is not process:
            return False
        cell.process = None
        return self._decide(cell, process)

    def _decide(self, cell: Cell, process: Process) -> bool:
        """What becomes of its place; whether it is to come back."""
        reason = process.reason or process.outlook()
        if cell.leaving is not None:
            self.retire(cell, reason)
        elif cell.starter is not None:
            cell.starter.fail(start_failure(cell, process))
            self._end_of_start(cell, reason)
        elif not comes_back(cell.spec.restart, reason):
            self.retire(cell, reason)
            self._end_with(cell)
        else:
            return self.system.fatal is None
        return False

    def _end_of_start(self, cell: Cell, reason: ExitReason) -> None:
        if cell.kept:
            cell.close(reason, removed=False)
        else:
            self.forget(cell, reason)

    def _end_with(self, cell: Cell) -> None:
        """A significant child has ended by itself, not by us: that may be the end of us all."""
        left = sum(each.spec.significant and not each.is_over for each in self.children.values())
        if cell.spec.significant and AUTO_SHUTDOWN[self.spec.auto_shutdown](left):
            self.stop()

    def retire(self, cell: Cell, reason: ExitReason) -> None:
        """It does not come back. Static children stay in the tree, unless temporary (as OTP)."""
        if cell.spec.restart is Restart.TEMPORARY or isinstance(self.spec, DynamicSupervisorSpec):
            self.forget(cell, reason)
        else:
            cell.close(reason, removed=False)

    def forget(self, cell: Cell, reason: ExitReason) -> None:
        """It has ended, and its place is gone."""
        self.children.pop(cell.spec.id, None)
        self.system.forget(cell)
        cell.close(reason, removed=True)  # unless it had stopped before, and stayed in the tree

    def delete(self, cell: Cell) -> None:
        """It had ended before, and now its place is gone too."""
        del self.children[cell.spec.id]
        self.system.forget(cell)
        self.system.events.publish(ChildDeleted(cell.path))

    async def _lose_patience(self, cell: Cell, process: Process) -> None:
        """It should have come up by now, or ended if it is leaving."""
        if cell.process is not process or process.ended.is_open or (process.ready and self._has_time(cell)):
            return
        process.soft.cancel()
        await self.stopping.pass_by(cell, process)
        if not process.ended.is_open:  # else its end waits in the inbox
            cell.process = None
            if self._decide(cell, process):
                await self._recovery.recover(cell, process)

    @staticmethod
    def _has_time(cell: Cell) -> bool:
        """The alarm was of its start, which is done; its stop has a limit of its own."""
        stop_at = cell.process.stop_at if cell.process is not None and cell.leaving is not None else None
        return stop_at is None or cell.system.now() < stop_at + shutdown_limit_s(cell)


def new_process(cell: Cell) -> Process:
    """A fresh incarnation for that cell."""
    start = cell.spec.start
    if isinstance(start, SUPERVISORS):
        return SupervisorProcess(cell, start)
    if cell.mailbox is None:  # pragma: no cover - a cell without one is a supervisor's
        raise TypeError(f"{cell.path} is neither an actor nor a supervisor")
    return ActorProcess(cell, cell.mailbox)
