"""The system: owner of a whole tree and of all its tasks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from . import _commands
from ._cell import Cell
from ._child import start_failure
from ._children import ChildCount, ChildInfo, count_of, infos_of
from ._errors import ActorStopped, EscalationError, NotASupervisor
from ._events import Event, EventHub, EventStream
from ._exit import Killed
from ._gate import Gate
from ._inspect import actor_cell, live_actor, state_text, suspend
from ._native import clock, scopes, stopwatch, task_ids, thread_portal
from ._observer import TraceStream
from ._ref import Ref
from ._registry import NamedRef, Registry
from ._slow import SlowWatch
from ._spec import ChildSpec, DynamicSupervisorSpec, SupervisorSpec
from ._supervisor import SupervisorProcess, new_process
from ._survey import Survey, tree_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ._process import Process
    from ._slot import Slot
    from ._tasks import Tasks
    from ._tree import TreeNode


class System:
    """A running tree. Made by :func:`open_system`."""

    def __init__(self, spec: SupervisorSpec | DynamicSupervisorSpec, name: str, tasks: Tasks) -> None:
        self.name = name
        self.tasks = tasks
        self.events: EventHub[Event] = EventHub()
        self.registry = Registry()
        self.portal = thread_portal()
        self.now, self.stopwatch = clock(), stopwatch()
        self.new_scope, self.task_id = scopes(), task_ids()
        self.slow = SlowWatch(self)
        self.ended = Gate()
        self.body: anyio.CancelScope | None = None
        self.fatal: BaseException | None = None
        self.escalation: str | None = None
        self._waiting = 0
        self._cells: dict[str, Cell] = {}
        self._root = Cell(self, ChildSpec(name, spec), "", None)
        self._root.incarnation = 1
        self._cells[""] = self._root
        self.root: Process = new_process(self._root)
        self._root.process = self.root

    # for users

    def lookup(self, path: str) -> Ref:
        """The ref of whoever lives at that path whenever it is used; it need not be there yet."""
        return Ref(self, path)

    def named(self, name: str) -> Ref:
        """The ref of whoever holds that name whenever it is used; nobody need hold it yet."""
        return NamedRef(self, name)

    def whereis(self, name: str) -> Ref | None:
        """The ref of the place that holds that name now, or None."""
        cell = self.registry.find(name)
        return None if cell is None else self.lookup(cell.path)

    def register(self, name: str, ref: Ref) -> None:
        """Give a name to whoever lives at that ref's path, over its restarts until it ends for good.

        A restart of a supervisor above ends it; a name in the :class:`ChildSpec` is given again then.

        :raises NameTaken: another one has it
        :raises ActorStopped: nobody lives there
        """
        cell = self.find(ref.path)
        if cell is None or cell.is_over:
            raise ActorStopped(f"nobody lives at {ref.path!r}")
        self.registry.bind(name, cell)

    def unregister(self, name: str) -> None:
        """Take a name from its holder.

        :raises NameNotFound: nobody has it
        """
        self.registry.free(name)

    def names(self) -> Mapping[str, str]:
        """Every name with the path of its holder, at this instant."""
        return self.registry.snapshot()

    async def start_child(self, parent: str, spec: ChildSpec) -> Ref:
        """Start a child below the supervisor at ``parent``; returns when it is up.

        A failed start raises the child's own error, and the child is forgotten.

        :raises ChildExists: that id is taken, be it by a stopped child
        :raises TooManyChildren: ``max_children`` are there
        :raises StartFailed: it was killed, or one of its id that could not be stopped is still there
        :raises ValueError: it is significant, and ``auto_shutdown`` of the supervisor is never
        :raises ActorStopped: no supervisor runs at that path
        :raises NotASupervisor: an actor lives there
        """
        supervisor = self._supervisor(parent)
        await self._result(supervisor, lambda slot: _commands.start_child(supervisor, spec, slot))
        return self.lookup(supervisor.path_of(spec.id))

    async def restart_child(self, parent: str, child_id: str) -> Ref:
        """Start a stopped child again, in its old place among its siblings; returns when it is up.

        Its mailbox is a new one and its counters begin anew, but for the incarnation. A failed start
        raises the child's own error, counts as nothing, and leaves the child stopped.

        :raises ChildNotFound: no such child; temporary and dynamic ones are forgotten when they end
        :raises ChildRunning: it has not stopped
        :raises ChildRestarting: it waits for its restart
        :raises StartFailed: it was killed, or an incarnation that could not be stopped is still there
        :raises ActorStopped: no supervisor runs at that path
        :raises NotASupervisor: an actor lives there
        """
        supervisor = self._supervisor(parent)
        await self._result(supervisor, lambda slot: _commands.restart_child(supervisor, child_id, slot))
        return self.lookup(supervisor.path_of(child_id))

    async def terminate_child(self, parent: str, child_id: str) -> None:
        """Stop a child; returns when it has ended, or its shutdown timeout is over.

        It stays in the tree as stopped, for :meth:`restart_child` and :meth:`delete_child`; a temporary
        child and a child of a dynamic supervisor are forgotten.

        :raises ChildNotFound: no such child
        :raises ActorStopped: no supervisor runs at that path
        :raises NotASupervisor: an actor lives there
        """
        supervisor = self._supervisor(parent)
        await self._result(supervisor, lambda slot: _commands.terminate_child(supervisor, child_id, slot))

    async def delete_child(self, parent: str, child_id: str) -> None:
        """Forget a stopped child, so that its id is free.

        :raises ChildNotFound: no such child
        :raises ChildRunning: it has not stopped
        :raises ChildRestarting: it waits for its restart
        :raises ActorStopped: no supervisor runs at that path
        :raises NotASupervisor: an actor lives there
        """
        supervisor = self._supervisor(parent)
        await self._result(supervisor, lambda slot: _commands.delete_child(supervisor, child_id, slot))

    def which_children(self, parent: str) -> tuple[ChildInfo, ...]:
        """The children of the supervisor at ``parent``, in start order.

        :raises ActorStopped: no supervisor runs at that path
        :raises NotASupervisor: an actor lives there
        """
        return infos_of(self._supervisor(parent))

    def count_children(self, parent: str) -> ChildCount:
        """How many children the supervisor at ``parent`` has, without making a row for each.

        :raises ActorStopped: no supervisor runs at that path
        :raises NotASupervisor: an actor lives there
        """
        return count_of(self._supervisor(parent))

    async def kill(self, path: str) -> None:
        """End the actor or supervisor at that path as if it had crashed; its supervisor decides.

        Returns when that incarnation has ended, or its shutdown timeout is over.

        :raises ActorStopped: nobody is up at that path
        """
        await self.outlast(self.strike(path, "system.kill"))

    def tree(self) -> TreeNode:
        """The whole tree at this instant, as immutable data; about 5 us an actor."""
        return tree_of(self._root, self.name)

    async def survey(self) -> TreeNode:
        """The same for a tree of thousands, made bit by bit so that the event loop never waits for it.

        Each row is consistent in itself; who ends meanwhile may still be in it.
        """
        return await Survey().of(self._root, self.name)

    def subscribe(self, capacity: int = 1024) -> EventStream[Event]:
        """A stream of events, from the moment its block is entered until the system has ended.

        :param capacity: events kept for a slow observer; older ones are dropped and counted
        """
        return EventStream(self.events, capacity)

    def get_state(self, path: str) -> str:
        """What :meth:`Actor.state` tells now, one ``name = value`` a line, at most 8,000 characters.

        Also of an actor that hangs in a handler. Values under names like ``token`` are not shown.

        :raises ActorStopped: no actor is up at that path
        :raises NotAnActor: a supervisor is
        """
        return state_text(live_actor(self, path))

    async def suspend(self, path: str, timeout: float = 5.0) -> None:
        """Have an actor take nothing in hand any more; returns when the message in hand is done.

        Its mailbox fills by its policy, its timers and notices wait, its background tasks run on. A stop, a
        kill, :meth:`get_state` and the tree work as ever. It lasts until :meth:`resume`, also if this call
        ends early, and ends with the incarnation.

        :param timeout: seconds to wait for the message in hand
        :raises AskTimeout: it was not done in time
        :raises ActorStopped: no actor is up at that path, or it ended meanwhile
        :raises NotAnActor: a supervisor is there
        """
        await suspend(live_actor(self, path), timeout)

    def resume(self, path: str) -> None:
        """Have a suspended actor go on; without effect on any other.

        :raises ActorStopped: no actor is up at that path
        :raises NotAnActor: a supervisor is there
        """
        live_actor(self, path).resume()

    def trace(self, path: str, capacity: int = 256) -> TraceStream:
        """A stream of what becomes of each message of an actor, from the moment its block is entered,
        over its restarts, until it has ended for good.

        :param capacity: steps kept for a slow observer; older ones are dropped and counted
        :raises ActorStopped: no actor lives at that path
        :raises NotAnActor: a supervisor does
        """
        cell = actor_cell(self, path)
        return TraceStream(cell, cell.observed(), capacity)

    def stop(self) -> None:
        """Ask for the orderly end; returns at once, :meth:`wait` tells when it is done."""
        if not self.root.ended.is_open:
            self.root.stop()

    async def wait(self) -> None:
        """Return when the whole tree has ended.

        :raises EscalationError: if the root supervisor gave up
        """
        self._waiting += 1
        try:
            await self.ended.wait()
        finally:
            self._waiting -= 1
        reason, self.escalation = self.escalation, None
        if reason is not None:
            raise EscalationError(reason)

    # for the kernel

    def find(self, path: str) -> Cell | None:
        return self._cells.get(path)

    def enter(self, cell: Cell) -> None:
        self._cells[cell.path] = cell

    def forget(self, cell: Cell) -> None:
        del self._cells[cell.path]

    def strike(self, path: str, by: str) -> Process:
        """Begin a kill, synchronously.

        :raises ActorStopped: nobody is up at that path
        """
        cell = self.find(path)
        process = cell.process if cell is not None else None
        if process is None or process.ended.is_open:
            raise ActorStopped(f"nobody is up at {path!r}")
        process.fail(Killed(by))
        return process

    @staticmethod
    async def outlast(process: Process) -> None:
        """Wait for the end of who was struck, as long as its shutdown may take."""
        spec, is_actor = process.cell.spec, process.cell.mailbox is not None
        with anyio.move_on_after(spec.shutdown_timeout_s if is_actor else math.inf) as limit:
            await process.ended.wait()
        if limit.cancelled_caught:
            process.report_overdue()

    def abort(self, error: BaseException) -> None:
        """Something that is no crash (``KeyboardInterrupt``, a defect): stop in order, then raise it."""
        if self.fatal is None:
            self.fatal = error
        self.stop()
        if self.body is not None:
            self.body.cancel()

    def check_start(self) -> None:
        """Raise why the root did not come up, if so."""
        if not self.root.ready:
            raise self.fatal or start_failure(self._root, self.root)

    def root_ended(self) -> None:
        root = self.root
        self._root.close(root.reason or Killed(), removed=False)
        if root.ready and (root.stop_at is None or root.fault is not None) and self.fatal is None:
            self.escalation = f"the root supervisor of {self.name} ended: {root.reason}"
            if self.body is not None and not self._waiting:
                self.body.cancel()
        self.slow.close()
        self.events.close()
        self.ended.open()

    def _supervisor(self, path: str) -> SupervisorProcess:
        cell = self.find(path)
        process = cell.process if cell is not None else None
        if process is None:
            raise ActorStopped(f"no supervisor runs at {path!r}")
        if not isinstance(process, SupervisorProcess):
            raise NotASupervisor(f"{path} is an actor, not a supervisor")
        return process

    @staticmethod
    async def _result(supervisor: SupervisorProcess, act: Callable[[Slot], None]) -> None:
        await checkpoint_if_cancelled()  # who is cancelled already asks for nothing
        slot = supervisor.command(act)
        try:
            await slot.wait()
        finally:
            slot.abandoned = True
        slot.result()
