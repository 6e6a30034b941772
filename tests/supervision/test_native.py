"""Native asyncio cancels and foreign asyncio code."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import anyio
import pytest

from supervision import (
    ChildExited,
    ChildSpec,
    EscalationError,
    ExitReason,
    ForeignCancelled,
    Killed,
    Shutdown,
    Strategy,
    SupervisorSpec,
    open_system,
    run_foreign,
)
from supervision._native import new_waiter, wait, wake
from supervision.testing import Crash, Do, Echo, Hang, Puppet, PuppetError, Stage, virtual_backend

pytestmark = pytest.mark.anyio

ORDER = ["a", "sub/b", "sub/c", "d"]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Only asyncio has native cancels."""
    return virtual_backend("asyncio")


def house(stage: Stage) -> SupervisorSpec:
    floor = SupervisorSpec((ChildSpec("b", stage), ChildSpec("c", stage)))
    return SupervisorSpec((ChildSpec("a", stage), ChildSpec("sub", floor), ChildSpec("d", stage)))


def task_named(name: str) -> asyncio.Task[Any]:
    return next(task for task in asyncio.all_tasks() if task.get_name() == name)


@pytest.mark.parametrize("busy", [False, True])
async def test_a_native_cancel_kills_that_child_only(stage: Stage, busy: bool) -> None:
    """It is an exit of kind Killed, and its supervisor restarts it."""
    async with open_system(house(stage)) as system:
        if busy:
            system.lookup("sub/b").tell(Hang())
            await anyio.sleep(1)
        task_named("sub/b").cancel()
        await anyio.sleep(1)
        rows = {row.path: (row.incarnation, row.last_error) for row in system.tree().walk()}
        assert rows["sub/b"] == (2, "killed by foreign code")
        assert all(rows[path] == (1, None) for path in ("a", "sub", "sub/c", "d"))
        assert await system.lookup("sub/b").ask(Echo(1)) == 1


async def test_a_native_cancel_before_the_first_step(stage: Stage) -> None:
    """The task never ran, and still its end is known and its successor comes."""
    async with open_system(house(stage)) as system:
        killed = system.find("a")
        assert killed is not None
        assert killed.process is not None
        killed.process.soft.cancel()  # it ends, its successor is spawned
        while killed.incarnation < 2:  # noqa: ASYNC110 - step by step until the task exists
            await asyncio.sleep(0)
        task = next(task for task in asyncio.all_tasks() if task.get_name() == "a" and not task.done())
        task.cancel()
        await anyio.sleep(1)
        assert await system.lookup("a").ask(Echo(1)) == 1
        row = system.tree().find("a")
        assert row is not None
        assert row.last_error == "killed by foreign code"


async def test_a_native_cancel_of_a_supervisor_restarts_its_floor(stage: Stage) -> None:
    """Children go down in reverse first."""
    async with open_system(house(stage)) as system:
        task_named("sub").cancel()
        await anyio.sleep(1)
        assert stage.of("stop") == ["sub/c", "sub/b"]
        assert await system.lookup("sub/c").ask(Echo(1)) == 1


async def test_a_native_cancel_of_the_host_stops_in_reverse(stage: Stage) -> None:
    """And a second and third one meanwhile do not hurry it; the cancellation is not swallowed."""
    stage.stop_delays_s = dict.fromkeys(ORDER, 1)

    async def live() -> None:
        async with open_system(house(stage)):
            await anyio.sleep_forever()

    task = asyncio.create_task(live())
    for _ in range(3):
        await anyio.sleep(0.4)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert stage.of("stop") == ORDER[::-1]


async def test_a_mass_cancel_restarts_nobody(stage: Stage) -> None:
    """As at the end of asyncio.run: all tasks are cancelled at once."""

    async def live() -> None:
        async with open_system(house(stage)):
            await anyio.sleep_forever()

    before = asyncio.all_tasks()
    task = asyncio.create_task(live())
    await anyio.sleep(1)
    mine = asyncio.all_tasks() - before
    for each in mine:
        each.cancel()
    with pytest.raises((asyncio.CancelledError, EscalationError)):
        await task
    await anyio.sleep(100)
    assert all(stage.tries[path] == 1 for path in ORDER)
    assert all(each.done() for each in mine)


async def test_asyncio_timeouts_inside_handlers_are_no_kills(stage: Stage) -> None:
    """asyncio.timeout cancels natively and takes it back."""

    async def timed(puppet: Puppet) -> object:
        try:
            async with asyncio.timeout(1):
                await asyncio.sleep(10)
        except TimeoutError:
            return "timed out"
        return None

    async with open_system(house(stage)) as system:
        assert await system.lookup("a").ask(Do(timed)) == "timed out"
        assert await system.lookup("a").ask(Echo(1)) == 1
    assert stage.tries["a"] == 1


@pytest.mark.parametrize("behind", [False, True])
async def test_an_awaited_foreign_task_that_was_cancelled_is_a_crash(stage: Stage, behind: bool) -> None:
    """Nobody cancelled the actor, nor its background work; the error is named."""

    async def wait_for_it(puppet: Puppet) -> None:
        foreign = asyncio.create_task(asyncio.sleep(100))
        asyncio.get_running_loop().call_later(1, foreign.cancel)
        await foreign

    async def begin(puppet: Puppet) -> None:
        puppet.ctx.start_soon(wait_for_it, puppet)

    async with open_system(house(stage)) as system:
        system.lookup("a").tell(Do(begin if behind else wait_for_it))
        await anyio.sleep(2)
        row = system.tree().find("a")
        assert row is not None
        assert (row.restarts, row.last_error) == (1, "CancelledError")


async def test_a_native_cancel_of_background_work_kills_the_actor(stage: Stage) -> None:
    """Its work is lost, so it starts afresh."""

    async def work() -> None:
        await anyio.sleep_forever()

    async def begin(puppet: Puppet) -> None:
        puppet.ctx.start_soon(work)

    async with open_system(house(stage)) as system:
        await system.lookup("a").ask(Do(begin))
        task_named("a work").cancel()
        await anyio.sleep(1)
        row = system.tree().find("a")
        assert row is not None
        assert row.last_error == "killed by foreign code"
        assert stage.tries["a"] == 2


async def test_asks_survive_random_native_timeouts(stage: Stage) -> None:
    """asyncio.wait_for around an ask loses nothing but that ask."""
    async with open_system(house(stage)) as system:
        ref = system.lookup("a")
        ref.tell(Hang(5))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ref.ask(Echo("abandoned")), 1)
        assert await ref.ask(Echo("wanted"), timeout=10) == "wanted"
    assert stage.handled == [("a", "wanted")]


class Foreign:
    """A third-party client in the asyncio manner: cleans up once, with awaits."""

    def __init__(self, cleanup_s: float = 1.0) -> None:
        self.cleanup_s = cleanup_s
        self.lines: list[str] = []

    async def run(self, answer: str = "") -> str:
        self.lines.append("begin")
        try:
            if answer:
                return answer
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            self.lines.append("cancelled")
            await asyncio.sleep(self.cleanup_s)
            self.lines.append("clean")
            raise
        return "ended"


async def test_foreign_code_cleans_up_undisturbed() -> None:
    """A cancelled scope cancels it once and waits."""
    foreign = Foreign()
    with anyio.move_on_after(1) as scope:
        await run_foreign(foreign.run)
    assert scope.cancelled_caught
    assert foreign.lines == ["begin", "cancelled", "clean"]


async def test_foreign_code_is_cancelled_once_however_often_its_caller_is() -> None:
    """Natively, while it cleans up."""
    foreign = Foreign(cleanup_s=3)
    task = asyncio.create_task(run_foreign(foreign.run))
    for _ in range(3):
        await anyio.sleep(1)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert foreign.lines == ["begin", "cancelled", "clean"]


async def test_foreign_code_answers_or_raises() -> None:
    """As if it had been awaited."""

    async def fail() -> None:
        raise PuppetError("theirs")

    assert await run_foreign(Foreign().run, "done") == "done"
    with pytest.raises(PuppetError, match="theirs"):
        await run_foreign(fail)


async def test_foreign_code_is_waited_for_so_long(caplog: pytest.LogCaptureFixture) -> None:
    """Bounded by the grace time; what stays behind is told."""
    foreign = Foreign(cleanup_s=20)
    begin = anyio.current_time()
    with anyio.move_on_after(1):
        await run_foreign(foreign.run, grace_s=3)
    assert anyio.current_time() - begin == pytest.approx(4)
    assert "foreign code <bound method Foreign.run" in caplog.text
    assert "did not end within 3 s" in caplog.text
    await anyio.sleep(30)
    assert foreign.lines[-1] == "clean"
    begin = anyio.current_time()
    with anyio.move_on_after(1):
        await run_foreign(foreign.run)
    assert anyio.current_time() - begin == pytest.approx(1 + 5)


async def test_foreign_code_that_loses_a_cancel_is_cancelled_again() -> None:
    """``asyncio.wait_for`` did so up to Python 3.11: discord.py's client then went on for ever."""
    lost: list[float] = []

    async def lose() -> None:
        while len(lost) < 3:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                lost.append(anyio.current_time() - begin)
        await asyncio.sleep(60)

    begin = anyio.current_time()
    with anyio.move_on_after(1):
        await run_foreign(lose, grace_s=3, again_s=0.5)
    assert lost == [1.0, 1.5, 2.0]
    assert anyio.current_time() - begin == pytest.approx(2.5)


async def test_foreign_code_cancelled_by_others_is_an_error() -> None:
    """And not a cancellation of the caller."""

    async def gone() -> None:
        raise asyncio.CancelledError

    with pytest.raises(ForeignCancelled, match=r"gone at .* was cancelled by foreign code"):
        await run_foreign(gone)


async def test_foreign_code_as_an_actors_background_work(stage: Stage) -> None:
    """Stopping the actor cancels it once and lets it clean up before on_stop."""
    foreign = Foreign()

    class Client(Puppet):
        async def on_start(self) -> None:
            self.ctx.start_soon(run_foreign, foreign.run)

        async def on_stop(self, reason: object) -> None:
            foreign.lines.append("on_stop")

    async with open_system(SupervisorSpec((ChildSpec("a", lambda: Client(stage)),))):
        await anyio.sleep(1)
    assert foreign.lines == ["begin", "cancelled", "clean", "on_stop"]


def test_foreign_code_needs_asyncio() -> None:
    """On trio it says so."""

    async def main() -> None:
        with pytest.raises(RuntimeError, match="needs the asyncio backend"):
            await run_foreign(Foreign().run)

    anyio.run(main, backend="trio")


async def test_after_a_native_kill_on_stop_may_use_asyncio_timeouts(stage: Stage) -> None:
    """The cancel is taken off the task, as whoever absorbs a cancel must."""
    lines: list[object] = []

    class Careful(Puppet):
        async def on_stop(self, reason: object) -> None:
            task = asyncio.current_task()
            lines.append(task.cancelling() if task else None)
            try:
                async with asyncio.timeout(1):
                    await asyncio.sleep(10)
            except TimeoutError:
                lines.append("timed out")

    async with open_system(SupervisorSpec((ChildSpec("a", lambda: Careful(stage)),))):
        task_named("a").cancel()
        await anyio.sleep(2)
        assert lines == [0, "timed out"]


@pytest.mark.parametrize(("how", "reason"), [("killed", Killed("foreign code")), ("left alone", Shutdown())])
async def test_a_native_cancel_of_a_cleanup_is_why_it_ended(
    stage: Stage, how: str, reason: ExitReason
) -> None:
    """The actor was to stop in order, and that was not what happened."""
    stage.stop_delays_s = {"a": 3}
    async with open_system(house(stage)) as system, system.subscribe() as events:
        async with anyio.create_task_group() as group:
            group.start_soon(system.terminate_child, "", "a")
            await anyio.sleep(1)
            if how == "killed":
                task_named("a").cancel()
        system.stop()
        exits = {event.path: event.reason async for event in events if isinstance(event, ChildExited)}
    assert exits["a"] == reason
    assert stage.of("stop") == [*(["a"] if how == "left alone" else []), "d", "sub/c", "sub/b"]


async def test_a_native_cancel_while_a_supervisor_waits_kills_it_afterwards(stage: Stage) -> None:
    """It is neither swallowed nor does it cut the ordered stop of a group."""
    stage.stop_delays_s = {"sub/c": 2}
    floor = SupervisorSpec((ChildSpec("b", stage), ChildSpec("c", stage)), Strategy.ONE_FOR_ALL)
    async with open_system(SupervisorSpec((ChildSpec("sub", floor),))) as system:
        system.lookup("sub/b").tell(Crash())
        await anyio.sleep(1)
        task_named("sub").cancel()
        await anyio.sleep(5)
        row = system.tree().find("sub")
        assert row is not None
        assert (row.restarts, row.last_error) == (1, "killed by foreign code")
        assert stage.of("stop") == ["sub/b", "sub/c"]


@pytest.mark.parametrize("anyio_backend", [virtual_backend("asyncio"), virtual_backend("trio")])
async def test_a_wake_up_before_the_wait_is_not_lost(anyio_backend: object) -> None:
    """A waiter that was woken, even twice, does not wait; one that was cut does not mind being woken."""
    waiter = new_waiter()
    wake(waiter)
    wake(waiter)
    await wait(waiter, math.inf)
    cut = new_waiter()
    with anyio.move_on_after(1) as scope:
        await wait(cut, math.inf)
    assert scope.cancelled_caught
    wake(cut)
    begin = anyio.current_time()
    await wait(new_waiter(), 3)
    assert anyio.current_time() - begin == pytest.approx(3)
