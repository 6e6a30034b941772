"""A play on the kernel itself, in virtual time or in real time, and what it produced."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anyio
from anyio.lowlevel import checkpoint

from supervision import (
    Backoff,
    ChildAdded,
    ChildDeleted,
    ChildExited,
    ChildSpec,
    ChildStarted,
    ChildStopped,
    DeadLetter,
    DynamicSupervisorSpec,
    EscalationError,
    Event,
    EventStream,
    Intensity,
    IntensityExceeded,
    MailboxSpec,
    RestartScheduled,
    ShutdownTimeout,
    SupervisionError,
    SupervisorSpec,
    System,
    TreeNode,
    handles,
    open_system,
)
from supervision.testing import Crash, Echo, Hang, Puppet, PuppetError, Quit, Stage, virtual_backend

from .plays import TICK_S, Branch, Leaf, Play, Step, backoff, join, newcomer, own, walk
from .rules import ordered
from .timeline import Line

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import RetryCallState

    from supervision import ExitReason, Request


def perform(play: Play, backend: tuple[str, dict[str, Any]] | None = None, scale: float = 1.0) -> list[Line]:
    """Run a play; the lines it produced.

    :param backend: as :func:`supervision.testing.virtual_backend` makes one; asyncio's without it
    :param scale: seconds of the clock per second of the play
    """
    name, options = backend or virtual_backend("asyncio")
    performance = Performance(play, TICK_S * scale)
    anyio.run(performance.run, backend=name, backend_options=options)
    return ordered(performance.lines)


def _word(reason: ExitReason) -> str:
    return type(reason).__name__.lower()


#: How the reference writes what the kernel tells its observers.
WRITTEN: dict[type[Event], Callable[[Any, float], str]] = {
    ChildAdded: lambda event, tick_s: "added",
    ChildDeleted: lambda event, tick_s: "deleted",
    ChildStarted: lambda event, tick_s: f"started {event.incarnation}",
    ChildExited: lambda event, tick_s: f"exited {event.incarnation} {_word(event.reason)} {event.started}",
    ChildStopped: lambda event, tick_s: f"stopped {_word(event.reason)} {event.removed}",
    RestartScheduled: lambda event, tick_s: f"restart in {event.delay_s / tick_s:.0f} after {event.failures}",
    IntensityExceeded: lambda event, tick_s: "gives up",
    ShutdownTimeout: lambda event, tick_s: "shutdown timeout",
    DeadLetter: lambda event, tick_s: "dead letter",
}


class Tape(EventStream[Event]):
    """Writes every event down at the very moment it is published."""

    def __init__(self, system: System, performance: Performance) -> None:
        super().__init__(system.events, 1)
        self._performance = performance

    def push(self, event: Event) -> None:
        if type(event) in WRITTEN:
            text = WRITTEN[type(event)](event, self._performance.tick_s)
            self._performance.write(event.path, "event", text)


class Performer(Puppet):
    """A puppet whose echoes are written down, and who may start in a shield of its own."""

    stage: Performance

    async def on_start(self) -> None:
        with anyio.CancelScope(shield=self.ctx.path in self.stage.stubborn):
            await super().on_start()

    @handles(Echo)
    async def echo(self, message: Echo) -> object:
        self.stage.note(f"handled {message.value}", self.ctx.path)
        return message.value


class Performance(Stage):
    """A stage on which one play is given."""

    def __init__(self, play: Play, tick_s: float) -> None:
        super().__init__()
        self.play = play
        self.tick_s = tick_s
        self.lines: list[Line] = []
        self.begin_s = 0.0
        self.stubborn: set[str] = set()
        self.slow_s: dict[str, float] = {}
        self.failing_starts.update(dict(play.weak))
        self._furnish("", play.root)

    def __call__(self) -> Puppet:
        return Performer(self)

    def note(self, verb: str, path: str) -> None:
        self.write(path, "play", verb)

    def write(self, path: str, stream: str, text: str) -> None:
        at = round((anyio.current_time() - self.begin_s) / self.tick_s)
        self.lines.append(Line(at, path, stream, text))

    def _furnish(self, path: str, child: Leaf | Branch) -> None:
        if isinstance(child, Leaf):
            self._furnish_leaf(path, child)
            return
        for below, each in walk(child, path):
            if isinstance(each, Leaf):
                self._furnish_leaf(below, each)

    def _furnish_leaf(self, path: str, leaf: Leaf) -> None:
        self.start_delays_s[path] = (leaf.starts_in + own(path, "start")) * self.tick_s
        self.stop_delays_s[path] = (leaf.stops_in + own(path, "stop")) * self.tick_s
        if leaf.stubborn:
            self.stubborn.add(path)

    # the tree

    def _spec(self, child: Leaf | Branch, path: str) -> ChildSpec:
        tick_s = self.tick_s
        pause = Backoff(self._waits(path), child.healthy_after * tick_s, child.immediate)
        if isinstance(child, Branch):
            floor = self._floor(child, path)
            return ChildSpec(child.id, floor, child.restart, backoff=pause, significant=child.significant)
        return ChildSpec(
            child.id,
            self,
            child.restart,
            start_timeout_s=(child.start_limit + own(path, "start limit")) * tick_s,
            shutdown_timeout_s=(child.stop_limit + own(path, "stop limit")) * tick_s,
            mailbox=MailboxSpec(child.capacity),
            backoff=pause,
            significant=child.significant,
        )

    def _floor(self, branch: Branch, path: str) -> SupervisorSpec | DynamicSupervisorSpec:
        intensity = Intensity(branch.restarts, branch.period * self.tick_s)
        if branch.strategy is None:
            return DynamicSupervisorSpec(
                intensity, ordered_shutdown=branch.ordered, auto_shutdown=branch.auto_shutdown
            )
        children = tuple(self._spec(child, join(path, child.id)) for child in branch.children)
        return SupervisorSpec(children, branch.strategy, intensity, branch.auto_shutdown)

    def _waits(self, path: str) -> Callable[[RetryCallState], float]:
        return lambda state: backoff(path, state.attempt_number) * self.tick_s

    # the script

    async def run(self) -> None:
        self.begin_s = anyio.current_time()
        async with anyio.create_task_group() as visitors:
            outcome = await self._in_a_system(visitors)
            self.write("", "outcome", outcome)

    async def _in_a_system(self, visitors: anyio.abc.TaskGroup) -> str:
        outcome, opened = "left", open_system(self._floor(self.play.root, ""), name="play")
        with anyio.CancelScope() as scope:
            try:
                async with opened as system:
                    system.events.streams.append(Tape(system, self))
                    await self._play(system, visitors)
                    await self._end(system, scope)
            except PlayError:
                pass
            except (EscalationError, PuppetError, SupervisionError) as error:
                return type(error).__name__
            except asyncio.CancelledError:
                if self.play.cause != "native":
                    raise
                self._forgive()
        return outcome if system.escalation is None else "EscalationError"

    async def _play(self, system: System, visitors: anyio.abc.TaskGroup) -> None:
        begin_s = anyio.current_time()
        for number, step in enumerate(self.play.steps):
            if await self._ends_before(system, begin_s + step.at * self.tick_s):
                return
            self._look(system.tree())
            self._act(system, visitors, number, step)
        await self._ends_before(system, begin_s + self.play.end_at * self.tick_s)

    @staticmethod
    async def _ends_before(system: System, deadline: float) -> bool:
        with anyio.CancelScope(deadline=deadline):
            await system.wait()
            return True
        return False

    async def _end(self, system: System, scope: anyio.CancelScope) -> None:
        match self.play.cause:
            case "stop":
                system.stop()
                await system.wait()
            case "scope":
                scope.cancel()
                await checkpoint()
            case "native":
                if (task := _task()) is None:
                    return
                task.cancel()
                await checkpoint()
            case "error":
                raise PlayError

    @staticmethod
    def _forgive() -> None:
        if (task := _task()) is not None:
            task.uncancel()

    def _look(self, row: TreeNode) -> None:
        self.write(row.path, "tree", f"{row.state} {row.incarnation} {row.mailbox_depth} {row.handled}")
        for child in row.children:
            self._look(child)

    def _act(self, system: System, visitors: anyio.abc.TaskGroup, number: int, step: Step) -> None:
        match step.order:
            case "weak":
                self.failing_starts[step.path] += step.length
            case "slow":
                self._dawdle(step.path, step.length * self.tick_s)
            case "foreign":
                cancel_natively(step.path or "play")
            case "tell" | "crash" | "quit" | "hang" | "stuck":
                self._tell(system, number, step)
            case _:
                visitors.start_soon(self._visit, system, number, step)

    def _dawdle(self, path: str, more_s: float) -> None:
        if path in self.start_delays_s:
            more_s = -self.slow_s.pop(path) if path in self.slow_s else self.slow_s.setdefault(path, more_s)
            self.start_delays_s[path] += more_s

    def _tell(self, system: System, number: int, step: Step) -> None:
        length_s = step.length * self.tick_s
        orders: dict[str, Request[Any]] = {
            "tell": Echo(step.length),
            "crash": Crash(),
            "quit": Quit(),
            "hang": Hang(length_s),
            "stuck": Hang(length_s, shielded=True),
        }
        try:
            system.lookup(step.path).tell(orders[step.order])
        except SupervisionError as error:
            self.write("", f"step {number}", type(error).__name__)

    async def _visit(self, system: System, number: int, step: Step) -> None:
        try:
            outcome = await self._ask_of(system, step)
        except (SupervisionError, PuppetError) as error:
            outcome = type(error).__name__
        self.write("", f"step {number}", outcome)

    async def _ask_of(self, system: System, step: Step) -> str:
        parent, _, name = step.path.rpartition("/")
        match step.order:
            case "ask":
                await system.lookup(step.path).ask(Echo(step.length), step.length * self.tick_s)
                return "answered"
            case "kill":
                await system.kill(step.path)
            case "terminate":
                await system.terminate_child(parent, name)
            case "delete":
                await system.delete_child(parent, name)
            case "restart":
                await system.restart_child(parent, name)
                return "started"
            case "start":
                child = newcomer(step.length)
                path = join(step.path, child.id)
                self._furnish(path, child)
                await system.start_child(step.path, self._spec(child, path))
                return "started"
        return "done"


class PlayError(Exception):
    """What a body raises whose end is an error."""


def cancel_natively(name: str) -> None:
    """Cancel the tasks of that name, as foreign code does; trio has nothing of the kind."""
    for task in asyncio.all_tasks() if _task() else ():
        if task.get_name() == name and not task.done():
            task.cancel()


def _task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # trio
        return None
