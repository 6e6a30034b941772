"""Corners: what happens at the edges that no play comes to."""

from __future__ import annotations

import asyncio
import selectors
import socket
import time
from typing import Any

import anyio
import pytest

from supervision import (
    Actor,
    ActorCrashed,
    ActorStopped,
    ChildExited,
    ChildSpec,
    ChildStopped,
    MailboxSpec,
    Overflow,
    Request,
    Shutdown,
    SupervisorSpec,
    System,
    open_system,
    run_foreign,
)
from supervision._exit import crashed
from supervision._job import Job
from supervision._mailbox import make_mailbox
from supervision._native import _JumpingSelector, absorb_cancel, new_waiter, wake
from supervision._slot import Ask
from supervision.testing import Crash, Do, Echo, Hang, Puppet, PuppetError, Quit, Stage, virtual_backend

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Both backends."""
    return virtual_backend(request.param)


def needs_native() -> None:
    """Skip where there are no native cancels."""
    if asyncio._get_running_loop() is None:
        pytest.skip("trio has no native cancels")


def one(stage: Stage) -> SupervisorSpec:
    return SupervisorSpec((ChildSpec("a", stage),))


def tasks_named(name: str) -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if task.get_name() == name]


async def forever() -> None:
    await anyio.sleep_forever()


async def works(puppet: Puppet) -> None:
    puppet.ctx.start_soon(forever)


@pytest.mark.parametrize("how", ["kill", "stop", "quit"])
async def test_the_asker_of_the_message_in_hand_hears_how_it_ended(stage: Stage, how: str) -> None:
    """Killed over it, or stopped before the answer, or answered at the very end."""
    async with open_system(one(stage)) as system, anyio.create_task_group() as group:
        heard: list[object] = []

        async def ask() -> None:
            request: Request[None] = Quit() if how == "quit" else Hang()
            try:
                await system.lookup("a").ask(request)
                heard.append(None)
            except (ActorCrashed, ActorStopped) as error:
                heard.append(str(error))

        group.start_soon(ask)
        await anyio.sleep(1)
        if how == "kill":
            await system.kill("a")
        elif how == "stop":
            system.stop()
        await anyio.sleep(1)
        told = {
            "kill": "a was killed by system.kill",
            "stop": "a was stopped before it answered",
            "quit": None,
        }
        assert heard == [told[how]]


async def test_jobs_of_a_start_that_fails_end_and_nothing_is_put_away(stage: Stage) -> None:
    """A watch of somebody who was never there ends with them."""
    ended: list[str] = []

    class Half(Puppet):
        async def work(self) -> None:
            try:
                await forever()
            finally:
                ended.append("job")

        async def on_start(self) -> None:
            self.ctx.start_soon(self.work)
            self.ctx.watch(self.ctx.lookup("nobody"))
            await anyio.sleep(1)
            raise PuppetError

        async def on_stop(self, reason: object) -> None:
            ended.append("on_stop")

    async with open_system(SupervisorSpec(())) as system:
        with pytest.raises(PuppetError):
            await system.start_child("", ChildSpec("a", lambda: Half(stage)))
    assert ended == ["job"]


async def test_an_actor_that_has_used_up_its_budget_and_its_mailbox_waits(stage: Stage) -> None:
    """Sixty-four messages, and none after them."""
    async with open_system(one(stage)) as system:
        for number in range(64):
            system.lookup("a").tell(Echo(number))
        await anyio.sleep(1)
        assert await system.lookup("a").ask(Echo("more")) == "more"


async def test_a_job_that_outlives_its_actor_watches_nobody(stage: Stage) -> None:
    """The mailbox has closed: the notice has nowhere to go."""
    actor: list[Puppet] = []

    async def stubborn() -> None:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(30)
        actor[0].ctx.watch(actor[0].ctx.lookup("nobody"))

    async def begin(puppet: Puppet) -> None:
        actor.append(puppet)
        puppet.ctx.start_soon(stubborn)

    async with open_system(one(stage)) as system:
        await system.lookup("a").ask(Do(begin))
        await system.terminate_child("", "a")
        await anyio.sleep(60)
        assert system.lookup("a").path == "a"


async def test_what_is_no_crash_in_a_job_reaches_the_root(stage: Stage) -> None:
    """As from a handler."""

    async def interrupt() -> None:
        raise KeyboardInterrupt

    async def begin(puppet: Puppet) -> None:
        puppet.ctx.start_soon(interrupt)

    async def live() -> None:
        async with open_system(one(stage)) as system:
            system.lookup("a").tell(Do(begin))
            await anyio.sleep(60)

    with pytest.raises(KeyboardInterrupt):
        await live()
    assert stage.of("stop") == ["a"]


async def test_a_job_that_never_began_ends_with_its_actor(stage: Stage) -> None:
    """It was started by the message over which the actor crashed."""

    async def begin(puppet: Puppet) -> None:
        puppet.ctx.start_soon(forever)
        raise PuppetError

    async with open_system(one(stage)) as system:
        system.lookup("a").tell(Do(begin))
        await anyio.sleep(1)
        assert await system.lookup("a").ask(Echo(1)) == 1
    assert stage.of("stop") == ["a", "a"]


async def test_a_native_cancel_of_a_job_before_its_first_step_kills_the_actor(stage: Stage) -> None:
    """Its work is lost, though none of it had run."""
    needs_native()

    async def begin(puppet: Puppet) -> None:
        puppet.ctx.start_soon(forever)
        tasks_named("a forever")[0].cancel()
        await anyio.sleep(5)

    async with open_system(one(stage)) as system:
        system.lookup("a").tell(Do(begin))
        await anyio.sleep(2)
        row = system.tree().find("a")
        assert row is not None
        assert row.last_error == "killed by foreign code"


async def test_a_native_cancel_of_a_job_that_is_to_end_is_its_end(stage: Stage) -> None:
    """Both at once: the actor is not killed for it."""
    needs_native()
    async with open_system(one(stage)) as system:
        await system.lookup("a").ask(Do(works))
        cell = system.find("a")
        assert cell is not None
        process: Any = cell.process
        for job in process.jobs:
            job.cancel()
        tasks_named("a forever")[0].cancel()
        await anyio.sleep(1)
        assert await system.lookup("a").ask(Echo(1)) == 1
    assert stage.tries["a"] == 1


async def test_a_native_cancel_at_the_instant_of_a_stop_is_the_stop(stage: Stage) -> None:
    """Both at once: the stop that was asked for counts."""
    needs_native()
    async with open_system(one(stage)) as system, system.subscribe() as events:
        system.lookup("a").tell(Hang(10))
        await anyio.sleep(1)
        tasks_named("a")[0].cancel()
        await system.terminate_child("", "a")
        system.stop()
        reasons = [
            event.reason async for event in events if isinstance(event, ChildExited) and event.path == "a"
        ]
    assert reasons == [Shutdown()]


async def defect() -> None:
    raise PuppetError("in the kernel")


async def test_a_defect_of_the_kernel_stops_the_system_and_is_raised(stage: Stage) -> None:
    """Whatever a task of the kernel raises is nobody's crash."""

    async def live() -> None:
        async with open_system(one(stage)) as system:
            cell = system.find("a")
            assert cell is not None
            ended = cell.process
            assert ended is not None
            await system.kill("a")
            await anyio.sleep(1)
            system.slow._lost(None)  # a native cancel of that task harms nobody
            system.tasks.spawn(defect, "defect", ended._lost)
            await anyio.sleep(60)

    with pytest.raises(PuppetError, match="in the kernel"):
        await live()
    assert stage.of("stop") == ["a", "a"]


async def test_who_was_killed_and_then_passed_by_was_killed(stage: Stage) -> None:
    """It lingers, and what is told of it is why it is to end."""
    async with open_system(one(stage)) as system, system.subscribe() as events:
        system.lookup("a").tell(Hang(60, shielded=True))
        await anyio.sleep(1)
        await system.kill("a")
        await system.terminate_child("", "a")
        system.stop()
        told = [event.reason async for event in events if isinstance(event, ChildStopped)]
    assert [str(reason) for reason in told] == ["killed by system.kill", "shutdown"]


async def test_a_defect_in_a_job_and_in_the_watch_of_slow_handlers_too(stage: Stage) -> None:
    """Each tells the system."""
    for part in ("job", "slow"):

        async def live(part: str = part) -> None:
            spec = SupervisorSpec((ChildSpec("a", stage, slow_after_s=1),))
            async with open_system(spec) as system:
                await system.lookup("a").ask(Do(works))
                cell = system.find("a")
                assert cell is not None
                process: Any = cell.process
                lost = Job(process, forever, ())._lost if part == "job" else system.slow._lost
                system.tasks.spawn(defect, "defect", lost)
                await anyio.sleep(60)

        with pytest.raises(PuppetError, match="in the kernel"):
            await live()


async def test_a_native_cancel_while_the_last_task_lingers_is_held_back(stage: Stage) -> None:
    """Nobody leaves a system before its tasks; the cancel comes out at the end."""
    needs_native()

    async def live() -> None:
        async with open_system(one(stage)) as system:
            system.lookup("a").tell(Hang(60, shielded=True))
            await anyio.sleep(1)

    begin = anyio.current_time()
    task = asyncio.get_running_loop().create_task(live())
    await anyio.sleep(30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert anyio.current_time() - begin == pytest.approx(60)


async def test_foreign_code_that_fails_while_it_cleans_up(caplog: pytest.LogCaptureFixture) -> None:
    """Its error is taken note of, and a second cancel meanwhile changes nothing."""
    needs_native()

    async def fails() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(2)
            raise PuppetError

    task = asyncio.get_running_loop().create_task(run_foreign(fails))
    for _ in range(2):
        await anyio.sleep(1)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await anyio.sleep(5)
    assert caplog.text == ""


async def test_a_waiter_that_was_woken_before_it_waits(anyio_backend: tuple[str, Any]) -> None:
    """It does not wait; and what no foreign code has cancelled is not taken for that."""
    waiter = new_waiter()
    wake(waiter)
    with anyio.fail_after(1):
        await waiter
    assert absorb_cancel() is (None if anyio_backend[0] == "trio" else False)


def test_virtual_time_that_stands_still_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody waits, and nothing can ever happen any more."""
    monkeypatch.setattr(_JumpingSelector, "PATIENCE_S", 0.0)

    with (
        _JumpingSelector() as selector,
        pytest.raises(RuntimeError, match="virtual time stands still"),
    ):
        selector.select(None)


def test_virtual_time_does_not_jump_past_what_is_ready() -> None:
    """A timer far off waits until what has come is done."""
    here, there = socket.socketpair()
    with here, there, _JumpingSelector() as selector:
        selector.register(here, selectors.EVENT_READ)
        there.send(b"now")
        assert [key.fileobj for key, _ in selector.select(1000)] == [here]
        assert selector.now == 0


async def test_virtual_time_waits_for_a_thread_when_nothing_else_is_to_come() -> None:
    """It stands still meanwhile."""
    needs_native()
    begin = anyio.current_time()

    await anyio.to_thread.run_sync(time.sleep, 0.05)

    assert anyio.current_time() == begin


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_thread_that_tells_a_system_of_a_loop_that_has_ended(backend: str, stage: Stage) -> None:
    """It hears that it has."""
    systems: list[System] = []

    async def main() -> None:
        async with open_system(one(stage)) as system:
            systems.append(system)

    name, options = virtual_backend("trio" if backend == "trio" else "asyncio")
    anyio.run(main, backend=name, backend_options=options)

    with pytest.raises(ActorStopped, match="the system of a has ended"):
        systems[0].lookup("a").tell_threadsafe(Echo(1))


async def test_a_second_trace_of_an_actor_shares_its_observer(stage: Stage) -> None:
    """Each has a stream of its own."""
    async with open_system(one(stage)) as system:
        async with system.trace("a") as first, system.trace("a") as second:
            await system.lookup("a").ask(Echo(1))
        assert [[step async for step in stream] != [] for stream in (first, second)] == [True, True]


async def test_no_snapshot_is_none() -> None:
    """An actor that leaves nothing behind is restarted with nothing."""
    given: list[object] = []

    class Plain(Actor):
        async def on_start(self) -> None:
            given.append(getattr(self.ctx, "snapshot", None))

        async def receive(self, message: object) -> None:
            raise PuppetError

    async with open_system(SupervisorSpec((ChildSpec("a", Plain, hand_over=True),))) as system:
        system.lookup("a").tell(Crash())
        await anyio.sleep(1)
    assert given == [None, None]


def test_the_abandoned_give_way_in_a_conflating_mailbox_too() -> None:
    """Its queue is of another kind."""
    box = make_mailbox(MailboxSpec(2, Overflow.CONFLATE, key=lambda _: None), "a", lambda: None)
    asks = [Ask("old"), Ask("wanted")]
    for ask in asks:
        box.put(ask)
    box.abandon(asks[0])

    box.put("new")

    assert [box.pop(), box.pop()] == [asks[1], "new"]


def test_an_abandoned_request_that_is_dropped_is_not_counted_as_waiting() -> None:
    """It had been replaced by one of its key."""
    box = make_mailbox(MailboxSpec(2, Overflow.CONFLATE, key=lambda _: 1), "a", lambda: None)
    ask = Ask("old")
    box.put(ask)
    box.abandon(ask)

    box.put("new")

    assert box.dropped == 1
    assert box.pop() == "new"


def test_an_error_whose_text_fails_is_named_all_the_same() -> None:
    """A defect in somebody's __str__ must not take the supervisor with it."""

    class SilentError(Exception):
        def __str__(self) -> str:
            raise ValueError

    assert crashed(SilentError()).error == "SilentError: <its text failed with ValueError>"
