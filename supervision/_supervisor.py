"""One incarnation of a supervisor: starts its children, waits for their ends, decides."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import anyio

from ._actor_process import ActorProcess
from ._cell import Cell, State
from ._errors import (
    ActorStopped,
    ChildExists,
    ChildNotFound,
    RestartIntensityExceeded,
    StartFailed,
    TooManyChildren,
)
from ._events import ChildAdded, IntensityExceeded, RestartScheduled
from ._exit import ExitReason, Shutdown
from ._intensity import Window
from ._process import Process
from ._slot import Slot
from ._spec import ChildSpec, DynamicSupervisorSpec, Restart, Strategy, SupervisorSpec
from ._strategy import comes_back, group_of

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


class Alarm(NamedTuple):
    """A thing to do later: a restart of these cells, or the end of patience with one that leaves."""

    at: float
    cells: tuple[Cell, ...]
    patience: Process | None = None


class SupervisorProcess(Process):
    """See :class:`Process`. Nothing is slept for in its loop: restarts are alarms, so it answers
    during a backoff; only the ordered start and stop of a group is waited for (as OTP).
    """

    __slots__ = ("_alarms", "_inbox", "_waker", "_window", "children", "spec", "strategy")

    def __init__(self, cell: Cell, spec: SupervisorSpec | DynamicSupervisorSpec) -> None:
        super().__init__(cell)
        self.spec = spec
        self.strategy = spec.strategy if isinstance(spec, SupervisorSpec) else Strategy.ONE_FOR_ONE
        self.children: dict[str, Cell] = {}
        self._window = Window(spec.intensity)
        self._inbox: deque[Ended | Command] = deque()
        self._alarms: list[Alarm] = []
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
        self._alarms.clear()
        cells = list(reversed(self.children.values()))
        if isinstance(self.spec, DynamicSupervisorSpec) and not self.spec.ordered_shutdown:
            for cell in cells:
                if cell.process is not None and not cell.process.ended.is_open:
                    cell.process.stop()
        for cell in cells:
            ended = await self._put_down(cell)
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
        now = anyio.current_time()
        due = [alarm for alarm in self._alarms if alarm.at <= now]
        self._alarms = [alarm for alarm in self._alarms if alarm.at > now]
        for alarm in due:
            if alarm.patience is None:
                await self._restart(alarm.cells)
            else:
                self._lose_patience(alarm.cells[0], alarm.patience)

    async def _park(self) -> None:
        if self._inbox:
            return
        self._waker = anyio.Event()
        first = min((alarm.at for alarm in self._alarms), default=math.inf)
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

    async def _start(self, cell: Cell) -> Process:
        """Start a child and wait until it is up or has failed to come up."""
        process = self._spawn(cell)
        limit = cell.spec.start_timeout_s + cell.spec.shutdown_timeout_s if cell.mailbox else math.inf
        with anyio.move_on_after(limit):  # it keeps its start timeout itself unless it cannot be cancelled
            await process.settled.wait()
        if not process.ready:
            await self._put_down(cell)
        return process

    async def _start_or_raise(self, cell: Cell) -> None:
        process = await self._start(cell)
        if not process.ready:
            raise start_failure(cell, process)

    # a child has ended

    async def _on_end(self, cell: Cell, process: Process) -> None:
        if cell.process is not process:
            return  # it was put down on purpose
        cell.process = None
        reason = process.reason or Shutdown()
        if cell.leaving is not None:
            self._retire(cell, reason)
        elif cell.starter is not None:
            cell.starter.fail(start_failure(cell, process))
            self._forget(cell, reason)
        elif comes_back(cell.spec.restart, reason):
            await self._recover(cell, process)
        else:
            self._retire(cell, reason)

    async def _recover(self, cell: Cell, process: Process) -> None:
        """Schedule the restart of a failed child and of all who share its fate."""
        process.start_error = None  # nobody waits for it, and it holds frames
        self._charge(cell)
        group = await self._put_group_down(cell)
        healthy = process.ready and process.lasted_s >= cell.spec.backoff.reset_after_s
        cell.failures = 1 if healthy else cell.failures + 1
        delay_s = cell.spec.backoff.delay_s(cell.failures)
        self._drop_alarms(group)
        self._alarms.append(Alarm(anyio.current_time() + delay_s, tuple(group)))
        for member in group:
            member.state = State.BACKOFF
        self.system.events.publish(RestartScheduled(cell.path, delay_s, cell.failures))

    def _charge(self, cell: Cell) -> None:
        if not self._window.allows(anyio.current_time()):
            self._give_up(cell)

    def _give_up(self, cell: Cell) -> NoReturn:
        limit = self.spec.intensity
        self.system.events.publish(IntensityExceeded(self.cell.path, limit.restarts, limit.period_s))
        raise RestartIntensityExceeded(
            f"more than {limit.restarts} failures within {limit.period_s} s; "
            f"the last one was {cell.path}: {cell.last_error or 'ended'}"
        )

    async def _put_group_down(self, failed: Cell) -> list[Cell]:
        """Stop in reverse order those who share the fate; returns who is to be started again."""
        alive = [cell for cell in self.children.values() if not cell.is_over]
        group = group_of(self.strategy, alive, failed)
        for cell in reversed(group):
            if cell is not failed:
                ended = await self._put_down(cell)
                if cell.leaving is not None or cell.spec.restart is Restart.TEMPORARY:
                    self._retire(cell, ended or Shutdown())
        return [cell for cell in group if not cell.is_over]

    async def _restart(self, cells: tuple[Cell, ...]) -> None:
        lingering = next((cell for cell in cells if is_lingering(cell)), None)
        if lingering is not None and lingering.lingering is not None:
            await self._recover(lingering, lingering.lingering)  # counts as a failed start
        elif len(cells) == 1:
            self._spawn(cells[0])  # its acknowledgement or its end arrives as a message
        else:
            await self._restart_group(cells)

    async def _restart_group(self, cells: tuple[Cell, ...]) -> None:
        for cell in cells:
            process = await self._start(cell)
            if not process.ready:
                await self._recover(cell, process)
                return

    # stopping

    async def _put_down(self, cell: Cell) -> ExitReason | None:
        """Stop a child and wait, at most for its shutdown timeout. Its reason, if it was up."""
        process = cell.process
        if process is None:
            return None
        if not process.ended.is_open:
            process.stop()
            deadline = (process.stop_at or 0.0) + self._limit(cell)
            if not await self.outwait(process.ended, deadline):
                self._leave_behind(cell, process)
        cell.process = None
        return process.reason

    def _limit(self, cell: Cell) -> float:
        return cell.spec.shutdown_timeout_s if cell.mailbox else math.inf

    def _leave_behind(self, cell: Cell, process: Process) -> None:
        process.report_overdue()
        process.hard.cancel()
        cell.lingering = process

    def _retire(self, cell: Cell, reason: ExitReason) -> None:
        """It does not come back. Static children stay in the tree, unless temporary (as OTP)."""
        if cell.spec.restart is Restart.TEMPORARY or isinstance(self.spec, DynamicSupervisorSpec):
            self._forget(cell, reason)
        else:
            cell.close(reason, removed=False)

    def _forget(self, cell: Cell, reason: ExitReason) -> None:
        self.children.pop(cell.spec.id, None)
        cell.close(reason, removed=True)

    def _drop_alarms(self, cells: list[Cell]) -> None:
        """These cells wait for no restart any longer."""
        kept = []
        for alarm in self._alarms:
            rest = tuple(cell for cell in alarm.cells if cell not in cells)
            if rest:
                kept.append(alarm._replace(cells=rest))
        self._alarms = kept

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
        self._spawn(cell)

    def terminate_child(self, child_id: str, slot: Slot) -> None:
        """Stop one child for good; the slot is answered when it has ended or its time is over."""
        cell = self.children.get(child_id)
        if cell is None:
            raise ChildNotFound(f"{self.cell.path!r} has no child {child_id!r}")
        if cell.leaving is None:
            cell.leaving = []
        cell.leaving.append(slot)
        if cell.process is None:
            self._drop_alarms([cell])
            self._terminated(cell)
        else:
            self._dismiss(cell, cell.process)

    def _terminated(self, cell: Cell) -> None:
        if cell.is_over:
            for slot in cell.leaving or ():
                slot.succeed(None)
        else:
            self._retire(cell, Shutdown())

    def _dismiss(self, cell: Cell, process: Process) -> None:
        if not process.ended.is_open:
            process.stop()
            self._alarms.append(Alarm(anyio.current_time() + self._limit(cell), (cell,), process))

    def _lose_patience(self, cell: Cell, process: Process) -> None:
        if cell.process is process and not process.ended.is_open:
            self._leave_behind(cell, process)
            cell.process = None
            self._retire(cell, Shutdown())


def new_process(cell: Cell) -> Process:
    """A fresh incarnation for that cell."""
    start = cell.spec.start
    if isinstance(start, SupervisorSpec | DynamicSupervisorSpec):
        return SupervisorProcess(cell, start)
    if cell.mailbox is None:
        raise TypeError(f"{cell.path} is neither an actor nor a supervisor")
    return ActorProcess(cell, cell.mailbox)


def is_lingering(cell: Cell) -> bool:
    """Whether an incarnation that could not be stopped is still there."""
    return cell.lingering is not None and not cell.lingering.ended.is_open


def start_failure(cell: Cell, process: Process) -> Exception:
    """The original error of a failed start, handed over once."""
    error, process.start_error = process.start_error, None
    if error is None:
        return StartFailed(f"{cell.path} did not start: {process.reason or 'it did not end in time either'}")
    if cell.kind == "actor":
        error.add_note(f"while {cell.path} started")
    return error
