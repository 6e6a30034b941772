"""What a cancel does at each point: all of it or nothing, whoever cancels and however."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING, Literal

import anyio
import pytest
from anyio.lowlevel import cancel_shielded_checkpoint

from supervision import (
    ActorStopped,
    ChildExited,
    ChildSpec,
    Crashed,
    DynamicSupervisorSpec,
    ExitReason,
    Killed,
    MailboxSpec,
    Normal,
    Restart,
    Shutdown,
    ShutdownTimeout,
    Strategy,
    SupervisorSpec,
    open_system,
)
from supervision.testing import Crash, Do, Echo, Hang, Puppet, Quit, Stage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from supervision import Event

pytestmark = pytest.mark.anyio

By = Literal["scope", "native"]


async def cut(by: By, after_s: float, call: Callable[[], Awaitable[object]]) -> bool:
    """Cancel a call after so many seconds; whether it was cut. On trio every cancel is a scope's."""
    if by == "native" and asyncio._get_running_loop() is not None:
        try:
            async with asyncio.timeout(after_s):
                await call()
        except TimeoutError:
            return True
        return False
    with anyio.move_on_after(after_s) as scope:
        await call()
    return scope.cancelled_caught


def alone(stage: Stage, capacity: int = 64) -> SupervisorSpec:
    return SupervisorSpec((ChildSpec("a", stage, mailbox=MailboxSpec(capacity)),))


@pytest.mark.parametrize("by", ["scope", "native"])
async def test_a_cancelled_send_had_no_effect(stage: Stage, by: By) -> None:
    """The message was not taken in, and the next who waits for room has its turn."""
    async with open_system(alone(stage, capacity=1)) as system, anyio.create_task_group() as group:
        ref = system.lookup("a")
        ref.tell(Hang(10))
        await anyio.sleep(1)
        ref.tell(Echo("waits"))
        group.start_soon(cut, by, 2, partial(ref.send, Echo("cut")))
        await anyio.sleep(1)
        group.start_soon(ref.send, Echo("next"))
        await anyio.sleep(20)
        assert stage.handled == [("a", "waits"), ("a", "next")]


@pytest.mark.parametrize("by", ["scope", "native"])
async def test_a_cancelled_ask_runs_if_it_had_begun_and_else_never(stage: Stage, by: By) -> None:
    """Its answer vanishes, and the next ask gets its own."""
    done: list[str] = []

    async def work(name: str, puppet: Puppet) -> str:
        await anyio.sleep(5)
        done.append(name)
        return name

    async with open_system(alone(stage)) as system, anyio.create_task_group() as group:
        ref = system.lookup("a")
        for name in ("begun", "waiting"):
            group.start_soon(cut, by, 2, partial(ref.ask, Do(partial(work, name))))
            await anyio.sleep(0.1)
        await anyio.sleep(3)
        assert await ref.ask(Do(partial(work, "own")), timeout=20) == "own"
        assert done == ["begun", "own"]


async def test_a_stop_is_met_at_the_next_await_of_a_handler(stage: Stage) -> None:
    """What it was about to do is not done; its ``finally`` runs; its asker hears of the stop."""
    steps: list[str] = []

    async def work(puppet: Puppet) -> None:
        try:
            await anyio.sleep(5)
            steps.append("not reached")
        finally:
            steps.append("finally")
            with anyio.move_on_after(1, shield=True):
                await anyio.sleep(0.5)
                steps.append("awaited in a shield")

    async with open_system(alone(stage)) as system, anyio.create_task_group() as group:

        async def ask() -> None:
            with pytest.raises(ActorStopped):
                await system.lookup("a").ask(Do(work), timeout=100)
            steps.append("told")

        group.start_soon(ask)
        await anyio.sleep(1)
        await system.terminate_child("", "a")
    assert steps == ["finally", "awaited in a shield", "told"]
    assert stage.reasons == [("a", Shutdown())]


async def test_a_handler_that_swallows_a_stop_meets_it_again(stage: Stage) -> None:
    """At each further await: it ends soon and not by its timeout."""
    swallowed = 0

    async def stubborn(puppet: Puppet) -> None:
        nonlocal swallowed
        while swallowed < 3:
            try:
                await anyio.sleep(1000)
            except anyio.get_cancelled_exc_class():
                swallowed += 1
        await anyio.sleep(1000)

    async with open_system(alone(stage)) as system:
        system.lookup("a").tell(Do(stubborn))
        await anyio.sleep(1)
        begin = anyio.current_time()
        await system.terminate_child("", "a")
        assert anyio.current_time() == begin
    assert swallowed == 3


@pytest.mark.parametrize("by", ["scope", "native"])
async def test_a_cancelled_command_is_done_or_not_begun(stage: Stage, by: By) -> None:
    """A child that had begun to start comes up; a command that the supervisor had not come to is void."""
    stage.start_delays_s = {"d/x": 3}
    async with open_system(SupervisorSpec((ChildSpec("d", DynamicSupervisorSpec()),))) as system:
        assert await cut(by, 1, partial(system.start_child, "d", ChildSpec("x", stage)))
        with anyio.CancelScope() as scope:
            scope.cancel()
            await system.start_child("d", ChildSpec("y", stage))
        await anyio.sleep(10)
        assert [row.id for row in system.which_children("d")] == ["x"]
        stage.stop_delays_s = {"d/x": 3}
        assert await cut(by, 1, partial(system.terminate_child, "d", "x"))
        await anyio.sleep(10)
        assert system.which_children("d") == ()


@pytest.mark.parametrize("by", ["scope", "native"])
async def test_a_cancelled_command_that_waited_is_void(stage: Stage, by: By) -> None:
    """The supervisor was busy with a group while its caller gave up."""
    stage.stop_delays_s = {"b": 5}
    spec = SupervisorSpec((ChildSpec("a", stage), ChildSpec("b", stage)), Strategy.ONE_FOR_ALL)
    async with open_system(spec) as system:
        system.lookup("a").tell(Crash())
        await anyio.sleep(1)
        assert await cut(by, 1, partial(system.start_child, "", ChildSpec("c", stage)))
        await anyio.sleep(10)
        assert [row.id for row in system.which_children("")] == ["a", "b"]
        assert stage.tries == {"a": 2, "b": 2}


@pytest.mark.parametrize("by", ["scope", "native"])
async def test_a_cancelled_kill_stands(stage: Stage, by: By) -> None:
    """Only the wait for it ends."""
    stage.stop_delays_s = {"a": 3}
    async with open_system(alone(stage)) as system:
        assert await cut(by, 1, partial(system.kill, "a"))
        stage.stop_delays_s = {}
        assert await system.lookup("a").ask(Echo(1)) == 1
        assert stage.tries["a"] == 2


@pytest.mark.parametrize("by", ["scope", "native"])
async def test_a_cancelled_look_changes_nothing(stage: Stage, by: By) -> None:
    """Neither the wait for an event, which loses none, nor the wait for the end, nor a survey."""
    seen: list[Event] = []
    async with open_system(alone(stage)) as system:
        async with system.subscribe() as events:
            assert await cut(by, 1, partial(anext, events))
            await system.kill("a")
            await system.lookup("a").ask(Echo(1))
            with anyio.CancelScope() as scope:
                scope.cancel()
                seen.append(await anext(events))
            assert seen == []
            assert isinstance(await anext(events), ChildExited)
        assert await cut(by, 1, system.wait)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await system.survey()
            await cancel_shielded_checkpoint()
        assert system.tree().children[0].state == "running"


async def test_a_handler_in_a_thread_cannot_be_killed(stage: Stage) -> None:
    """It is reported and passed by; its thread goes on, and only the end of the whole system waits."""
    go_on = threading.Event()
    told: list[Event] = []

    async def work(puppet: Puppet) -> None:
        await anyio.to_thread.run_sync(go_on.wait)

    spec = SupervisorSpec((ChildSpec("b", stage), ChildSpec("a", stage, shutdown_timeout_s=2)))
    async with open_system(spec) as system, system.subscribe() as events:
        system.lookup("a").tell(Do(work))
        await anyio.sleep(1)
        system.stop()
        await system.wait()
        told = [event async for event in events if isinstance(event, ShutdownTimeout)]
        go_on.set()
    assert told == [ShutdownTimeout("a", 2)]
    assert stage.of("stop")[0] == "b"


async def test_the_four_exit_reasons(stage: Stage) -> None:
    """Normal: it ended itself; shutdown: its supervisor ended it; crashed and killed: failures."""
    children = [ChildSpec(each, stage, restart=Restart.TEMPORARY) for each in ("n", "s", "c", "k")]
    async with open_system(SupervisorSpec(tuple(children))) as system, system.subscribe() as events:
        system.lookup("n").tell(Quit())
        system.lookup("c").tell(Crash("text"))
        await system.terminate_child("", "s")
        await system.kill("k")
        await anyio.sleep(1)
        system.stop()
        reasons: dict[str, ExitReason] = {
            event.path: event.reason async for event in events if isinstance(event, ChildExited)
        }
    assert {path: reasons[path] for path in "nsck"} == {
        "n": Normal(),
        "s": Shutdown(),
        "c": Crashed("PuppetError: text"),
        "k": Killed("system.kill"),
    }
    assert [str(reasons[path]) for path in "nsck"] == [
        "normal",
        "shutdown",
        "crashed: PuppetError: text",
        "killed by system.kill",
    ]
