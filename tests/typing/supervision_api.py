"""The kernel's public API as a type checker sees it. Checked by ``make lint`` and never run.

Whoever adds a public name uses it here; ``test_every_public_name_is_in_the_typed_program`` sees to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, assert_never, assert_type

from tenacity import wait_fixed

from supervision import (
    Actor,
    ActorCrashed,
    ActorStopped,
    AskCycle,
    AskTimeout,
    AutoShutdown,
    Backoff,
    ChildAdded,
    ChildCount,
    ChildDeleted,
    ChildExists,
    ChildExited,
    ChildInfo,
    ChildNotFound,
    ChildRestarting,
    ChildRunning,
    ChildSpec,
    ChildStarted,
    ChildStopped,
    Collector,
    CollectorSettings,
    Context,
    Crashed,
    DeadLetter,
    DynamicSupervisorSpec,
    EscalationError,
    Event,
    EventStream,
    ExitReason,
    ForeignCancelled,
    Intensity,
    IntensityExceeded,
    Killed,
    MailboxFull,
    MailboxSpec,
    MessageDropped,
    MessageStep,
    MessageTraced,
    NamedRef,
    NameNotFound,
    NameTaken,
    Normal,
    NotAnActor,
    NotASupervisor,
    Overflow,
    Overflowed,
    Ref,
    Refusal,
    Request,
    Restart,
    RestartIntensityExceeded,
    RestartScheduled,
    Shutdown,
    ShutdownTimeout,
    SlowHandler,
    SnapshotFailed,
    StartFailed,
    StartTimeout,
    StashFull,
    Strategy,
    SupervisionError,
    SupervisorSpec,
    System,
    Terminated,
    TooManyChildren,
    Trace,
    TraceStream,
    TreeNode,
    handles,
    open_system,
    quiet_collector,
    run_foreign,
)
from supervision.chaos import ChaosError, Deed, Fault, Monkey, Plan
from supervision.testing import (
    Crash,
    Do,
    Echo,
    Hang,
    Kill,
    Probe,
    Puppet,
    PuppetError,
    Quit,
    Stage,
    Step,
    run_script,
    virtual_backend,
)

# actors and messages


@dataclass(frozen=True)
class Position(Request[float]):
    """Answered by a float."""


@dataclass(frozen=True)
class Titles(Request[tuple[str, ...]]):
    """Answered by titles."""

    limit: int


class Play:
    """Told, not asked."""


class Player(Actor):
    """Handlers are typed by what they are marked with."""

    async def on_start(self) -> None:
        assert_type(self.ctx, Context)
        assert_type(self.ctx.path, str)
        assert_type(self.ctx.id, str)
        assert_type(self.ctx.incarnation, int)
        assert_type(self.ctx.system, System)
        assert_type(self.ctx.ref, Ref)
        assert_type(self.ctx.sibling("display"), Ref)
        assert_type(self.ctx.lookup("guilds/42/player"), Ref)
        self.ctx.start_soon(self.work, 1, "x")
        self.ctx.start_soon(self.work, "x", 1)  # type: ignore[arg-type]  # arguments are checked
        self.ctx.start_timer("tick", 1.0, Play())
        self.ctx.cancel_timer("tick")
        self.ctx.watch(self.ctx.ref)
        self.ctx.unwatch(self.ctx.ref)
        self.ctx.stash()
        self.ctx.unstash_all()
        self.ctx.stop()

    async def work(self, number: int, text: str) -> None:
        """A background task."""

    async def on_stop(self, reason: ExitReason) -> None:
        match reason:
            case Normal() | Shutdown():
                pass
            case Crashed(error=error, trace=trace):
                assert_type(error, str)
                assert_type(trace, Trace | None)
                assert_type(reason.traceback, str)
            case Killed(by=by):
                assert_type(by, str)

    @handles(Play)
    async def play(self, message: Play) -> None:
        raise Refusal("not now")

    @handles(Position)
    async def position(self, message: Position) -> float:
        return 1.5

    @handles(Play)  # type: ignore[arg-type]  # marked with one type, written for another
    async def wrong(self, message: Position) -> float:
        return 1.5

    @handles(Terminated)
    async def ended(self, message: Terminated) -> None:
        assert_type(message.path, str)
        assert_type(message.reason, ExitReason | None)


async def messages(ref: Ref) -> None:
    """An answer has the type that its request states."""
    assert_type(ref.path, str)
    assert_type(await ref.ask(Position()), float)
    assert_type(await ref.ask(Titles(3), timeout=1), tuple[str, ...])
    await ref.ask(Play())  # type: ignore[arg-type]  # only requests are asked
    ref.tell(Play())
    ref.tell_threadsafe(Play())
    await ref.send(Play())


# specs


def specs() -> SupervisorSpec:
    """Everything that a tree is made of."""
    backoff = Backoff(wait=wait_fixed(1), reset_after_s=30.0, immediate=False)
    assert_type(backoff.delay_s(3), float)
    mailbox = MailboxSpec(capacity=8, overflow=Overflow.CONFLATE, key=hash)
    child = ChildSpec(
        "player",
        Player,
        restart=Restart.TRANSIENT,
        start_timeout_s=5,
        shutdown_timeout_s=5.0,
        mailbox=mailbox,
        backoff=backoff,
        name="player",
        significant=True,
    )
    ChildSpec("wrong", lambda: "no actor")  # type: ignore[arg-type, return-value]  # a factory makes actors
    ChildSpec("wrong", Player, restart="permanent")  # type: ignore[arg-type]  # an enum, not its text
    child.id = "other"  # type: ignore[misc]  # frozen
    room = ChildSpec("room", DynamicSupervisorSpec(intensity=Intensity(3, 5.0), max_children=9))
    return SupervisorSpec(
        (child, room), Strategy.REST_FOR_ONE, Intensity(), auto_shutdown=AutoShutdown.ANY_SIGNIFICANT
    )


# the system


async def life() -> None:
    """From the first to the last line."""
    async with open_system(specs(), name="house") as system:
        assert_type(system, System)
        assert_type(system.name, str)
        assert_type(system.lookup("player"), Ref)
        assert_type(system.named("player"), Ref)
        assert_type(system.whereis("player"), Ref | None)
        assert_type(system.names(), Mapping[str, str])
        system.register("second", system.lookup("player"))
        system.unregister("second")
        assert_type(await system.start_child("room", ChildSpec("x", Player)), Ref)
        assert_type(await system.restart_child("", "player"), Ref)
        await system.terminate_child("room", "x")
        await system.delete_child("", "player")
        await system.kill("player")
        children = system.which_children("")
        assert_type(children, tuple[ChildInfo, ...])
        assert_type(children[0].restart, Restart)
        assert_type(children[0].significant, bool)
        assert_type(system.count_children(""), ChildCount)
        assert_type(system.count_children("").active, int)
        rows(system.tree())
        rows(await system.survey())
        stream = system.subscribe(capacity=8)
        assert_type(stream, EventStream[Event])
        async with stream as events:
            async for event in events:
                observe(event)
        assert_type(stream.dropped, int)
        system.stop()
        await system.wait()


def rows(tree: TreeNode) -> None:
    """Immutable, and plain data on demand."""
    assert_type(tree.kind, Literal["actor", "supervisor"])
    assert_type(tree.children, tuple[TreeNode, ...])
    assert_type(tree.find("player"), TreeNode | None)
    assert_type(tree.restart_in_s, float | None)
    assert_type(tree.to_dict(), dict[str, Any])
    assert_type(tree.to_text(), str)
    assert_type([row.uptime_s for row in tree.walk()], list[float])
    assert_type((tree.last_error, tree.last_error_at), tuple[str | None, float | None])
    assert_type((tree.current_message, tree.current_message_s), tuple[str | None, float])
    assert_type((tree.mailbox_depth, tree.mailbox_peak, tree.mailbox_dropped), tuple[int, int, int])
    tree.state = "running"  # type: ignore[misc]  # frozen


def observe(event: Event) -> None:
    """Events are told apart by their type."""
    match event:
        case ChildAdded():
            assert_type(event.kind, Literal["actor", "supervisor"])
        case ChildStarted():
            assert_type(event.incarnation, int)
        case ChildExited():
            assert_type((event.reason, event.started), tuple[ExitReason, bool])
        case ChildStopped():
            assert_type((event.reason, event.removed), tuple[ExitReason, bool])
        case ChildDeleted():
            assert_type(event.path, str)
        case _:
            observe_trouble(event)


def observe_trouble(event: Event) -> None:
    """The rest of them."""
    match event:
        case RestartScheduled():
            assert_type((event.delay_s, event.failures), tuple[float, int])
        case IntensityExceeded():
            assert_type((event.restarts, event.period_s), tuple[int, float])
        case ShutdownTimeout():
            assert_type(event.timeout_s, float)
        case Overflowed():
            assert_type((event.policy, event.capacity), tuple[str, int])
        case DeadLetter():
            assert_type((event.message, event.why), tuple[object, str])
        case SlowHandler():
            assert_type((event.message, event.seconds, event.running), tuple[str, float, bool])
        case SnapshotFailed():
            assert_type(event.why, str)


async def operations(system: System) -> None:
    """On a live actor: its state is text, its trace a stream of steps."""
    ChildSpec("a", Actor, slow_after_s=0.5, hand_over=True, mailbox=MailboxSpec(stash=8))
    assert_type(system.get_state("a"), str)
    assert_type(await system.suspend("a", timeout=1), None)
    assert_type(system.resume("a"), None)
    stream = system.trace("a", capacity=8)
    assert_type(stream, TraceStream)
    async with stream as steps:
        async for step in steps:
            assert_type(step, MessageTraced)
            assert_type(
                (step.at, step.step, step.message, step.seconds), tuple[float, MessageStep, str, float]
            )
            assert_type(step.text, str)


class Keeper(Actor):
    """Puts aside, and hands over."""

    def snapshot(self) -> list[int]:
        assert_type(self.ctx.snapshot, object)
        return [1]

    async def receive(self, message: object) -> object:
        assert_type(self.ctx.stash(), None)
        assert_type(self.ctx.unstash_all(), None)
        raise StashFull("no room")


def kept(reason: Crashed) -> None:
    """Where a crash happened, without frames."""
    assert_type(reason.trace, Trace | None)
    assert_type(reason.traceback, str)


def named(ref: Ref) -> None:
    """A ref by name is a ref."""
    if isinstance(ref, NamedRef):
        assert_type(ref.name, str)


# errors: all but the refusal are the kernel's own

ERRORS: tuple[type[SupervisionError], ...] = (
    ActorCrashed,
    ActorStopped,
    AskCycle,
    AskTimeout,
    ChildExists,
    ChildNotFound,
    ChildRestarting,
    ChildRunning,
    EscalationError,
    ForeignCancelled,
    MailboxFull,
    MessageDropped,
    NameNotFound,
    NameTaken,
    NotAnActor,
    NotASupervisor,
    RestartIntensityExceeded,
    StartFailed,
    StartTimeout,
    StashFull,
    TooManyChildren,
)
NO_ERROR: type[SupervisionError] = Refusal  # type: ignore[assignment]  # an answer, not a fault


# the rest


async def fetch(url: str) -> bytes:
    """Third-party asyncio code."""
    return url.encode()


async def foreign() -> None:
    """Its result keeps its type."""
    assert_type(await run_foreign(fetch, "x", grace_s=1.0), bytes)


def collector() -> None:
    """A plain context manager."""
    with quiet_collector(CollectorSettings(young=700)) as quiet:
        assert_type(quiet, Collector)
        assert_type(quiet.sweep(), float)
        assert_type((quiet.full, quiet.set_aside, quiet.worst_ms), tuple[int, int, float])


def table(restart: Restart) -> str:
    """Enums are exhaustive."""
    match restart:
        case Restart.PERMANENT | Restart.TRANSIENT:
            return "comes back"
        case Restart.TEMPORARY:
            return "never"
        case _:
            assert_never(restart)


# chaos


async def chaos(system: System) -> None:
    """Plans are made of enums and numbers; deeds are data."""
    heard: list[Deed] = []
    monkey = Monkey(system, headroom=None, on_deed=heard.append)
    plan = Plan(seed=1, duration_s=60, faults={Fault.KILL: 2, Fault.HANG: 1}, paths=("guilds/*/player",))
    assert_type(await monkey.run(plan), tuple[Deed, ...])
    assert_type(plan.decide(1, 0.5, system.tree()), Deed | None)
    deed = Deed(1, 0.0, Fault.SLOW, "puppet", seconds=1.0, amount=0.1)
    assert_type(deed.refused, str | None)
    assert_type(await monkey.replay([deed, Deed.from_dict(deed.to_dict())]), tuple[Deed, ...])
    assert_type(monkey.deeds, list[Deed])
    Plan(seed=1, faults={"kill": 1})  # type: ignore[dict-item]  # an enum
    raise ChaosError("text")


# the testing kit


async def kit(system: System) -> None:
    """Probes know what they expect; puppets take orders."""
    probe, stage = Probe(), Stage()
    ChildSpec("probe", probe)
    ChildSpec("puppet", stage)
    probe.answer(Position, 1.5)
    assert_type(await probe.expect(Position, timeout=1), Position)
    await probe.expect_nothing()
    assert_type(probe.received, list[object])
    assert_type(stage(), Puppet)
    assert_type(stage.journal, list[tuple[str, str]])
    assert_type(stage.of("start"), list[str])
    puppet = system.lookup("puppet")
    assert_type(await puppet.ask(Echo(1)), Any)
    assert_type(await puppet.ask(Quit()), None)
    puppet.tell(Hang(3.0, shielded=True))
    puppet.tell(Do(order))
    script = [Step(1.0, "puppet", Crash("text")), Step(0, "puppet", Kill())]
    assert_type(await run_script(system, script), list[SupervisionError])
    assert_type(virtual_backend("trio"), tuple[str, dict[str, Any]])
    virtual_backend("curio")  # type: ignore[arg-type]  # two backends


async def order(puppet: Puppet) -> object:
    """What a puppet may be told to do."""
    raise PuppetError(puppet.ctx.path)
