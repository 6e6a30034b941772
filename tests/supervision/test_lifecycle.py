"""Start, stop, and the order of both."""

from __future__ import annotations

import gc
import weakref
from functools import partial

import anyio
import pytest
from anyio.lowlevel import checkpoint

from supervision import (
    Actor,
    ActorStopped,
    ChildSpec,
    DynamicSupervisorSpec,
    EscalationError,
    Intensity,
    Restart,
    ShutdownTimeout,
    StartFailed,
    StartTimeout,
    Strategy,
    SupervisorSpec,
    System,
    open_system,
)
from supervision.testing import Crash, Do, Echo, Hang, Puppet, PuppetError, Quit, Stage

pytestmark = pytest.mark.anyio

#: The order of a house with two floors.
ORDER = ["a", "sub/b", "sub/c", "d"]


def house(stage: Stage) -> SupervisorSpec:
    return SupervisorSpec(
        (
            ChildSpec("a", stage),
            ChildSpec("sub", SupervisorSpec((ChildSpec("b", stage), ChildSpec("c", stage)))),
            ChildSpec("d", stage),
        )
    )


async def test_siblings_start_after_the_acknowledgement(stage: Stage) -> None:
    """A slow start holds those behind it, on every floor."""
    stage.start_delays_s = {"a": 2, "sub/b": 1}
    begin = anyio.current_time()
    async with open_system(house(stage)):
        assert anyio.current_time() - begin == pytest.approx(3)
        assert stage.of("start") == ORDER


@pytest.mark.parametrize("cause", ["leave", "stop", "error", "scope", "outer_timeout"])
async def test_children_stop_in_reverse_for_every_cause(stage: Stage, cause: str) -> None:
    """One after the other, however long each takes, whoever wants the end."""
    stage.stop_delays_s = {"d": 1, "sub/c": 2, "a": 1}
    with anyio.move_on_after(10) as scope:
        try:
            async with open_system(house(stage)) as system:
                if cause == "stop":
                    system.stop()
                    await system.wait()
                elif cause == "error":
                    dict[str, int]()["body"]
                elif cause == "scope":
                    scope.cancel()
                    await checkpoint()
                elif cause == "outer_timeout":
                    await anyio.sleep_forever()
        except KeyError:
            assert cause == "error"

    assert stage.of("stop") == ORDER[::-1]
    verbs = [line for line in stage.journal if line[0] != "start"]
    assert verbs == [(verb, path) for path in ORDER[::-1] for verb in ("stopping", "stop")]


async def test_children_stop_in_reverse_when_the_root_gives_up(stage: Stage) -> None:
    """All are down before it escalates; the block is cancelled and the error says why."""
    spec = SupervisorSpec(house(stage).children, intensity=Intensity(0, 1.0))

    async def live() -> None:
        async with open_system(spec) as system:
            system.lookup("a").tell(Crash())
            await anyio.sleep_forever()

    with pytest.raises(
        EscalationError, match=r"more than 0 failures within 1\.0 s; the last one was a: Pupp"
    ):
        await live()

    assert stage.of("stop") == ["a", "d", "sub/c", "sub/b"]


async def test_wait_tells_of_the_escalation(stage: Stage) -> None:
    """Once: who heard it from wait() is not told again on leaving."""
    spec = SupervisorSpec((ChildSpec("a", stage),), intensity=Intensity(0, 1.0))
    async with open_system(spec) as system:
        system.lookup("a").tell(Crash())
        with pytest.raises(EscalationError):
            await system.wait()
        with pytest.raises(ActorStopped):
            await system.start_child("", ChildSpec("late", stage))


async def test_the_end_of_a_killed_root_is_an_escalation(stage: Stage) -> None:
    """Nobody could restart it."""

    async def live() -> None:
        async with open_system(house(stage)) as system:
            await system.kill("")
            await anyio.sleep_forever()

    with pytest.raises(EscalationError, match=r"killed by system\.kill"):
        await live()
    assert stage.of("stop") == ORDER[::-1]


async def test_a_failed_start_raises_the_original_error(stage: Stage) -> None:
    """From any depth, unwrapped, with a note of the path; what had started is stopped in reverse."""
    stage.failing_starts["sub/c"] = 1
    with pytest.raises(PuppetError, match="start of sub/c") as caught:
        async with open_system(house(stage)):
            pytest.fail("it must not come up")

    assert caught.value.__notes__ == ["while sub/c started"]
    assert stage.of("stop") == ["sub/b", "a"]


async def test_a_slow_start_is_a_failed_start(stage: Stage) -> None:
    """Bounded by start_timeout_s."""
    stage.start_delays_s = {"sub/c": 100}
    begin = anyio.current_time()
    with pytest.raises(StartTimeout, match=r"sub/c did not start within 5\.0 s"):
        async with open_system(house(stage)):
            pytest.fail("it must not come up")
    assert anyio.current_time() - begin == pytest.approx(5)
    assert stage.of("stop") == ["sub/b", "a"]


class Stubborn(Puppet):
    """Cannot be cancelled while it starts."""

    async def on_start(self) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(100)


class Shielded(Puppet):
    """Starts in a shield of its own."""

    async def on_start(self) -> None:
        with anyio.CancelScope(shield=True):
            await super().on_start()


@pytest.mark.parametrize("dynamic", [True, False])
async def test_an_uncancellable_start_is_given_up(stage: Stage, dynamic: bool) -> None:
    """A start in a shield of its own is waited for no longer than both its timeouts."""
    spec = ChildSpec("x", lambda: Stubborn(stage), start_timeout_s=1, shutdown_timeout_s=1)
    floor = SupervisorSpec((ChildSpec("floor", SupervisorSpec((spec,)), restart=Restart.TEMPORARY),))
    async with open_system(SupervisorSpec((ChildSpec("d", DynamicSupervisorSpec()),))) as system:
        begin = anyio.current_time()
        child = spec if dynamic else ChildSpec("floors", floor)
        with pytest.raises(StartFailed, match="it took too long and cannot be cancelled"):
            await system.start_child("d", child)
        assert anyio.current_time() - begin == pytest.approx(2 if dynamic else 3)
        row = system.tree().find("d")
        assert row is not None
        assert row.children == ()
    assert stage.journal == []


async def test_a_start_that_is_killed_fails(stage: Stage) -> None:
    """Without an error of its own it is StartFailed."""
    stage.start_delays_s = {"d/x": 3}
    spec = SupervisorSpec((ChildSpec("d", DynamicSupervisorSpec()),))
    async with open_system(spec) as system, anyio.create_task_group() as group:

        async def start() -> None:
            with pytest.raises(StartFailed, match=r"d/x did not start: killed by system\.kill"):
                await system.start_child("d", ChildSpec("x", stage))

        group.start_soon(start)
        await anyio.sleep(1)
        await system.kill("d/x")
    assert stage.of("stop") == []


async def test_an_overdue_child_is_reported_once_and_passed_by(stage: Stage) -> None:
    """Each wait ends by its timeout; siblings get their turn; only the final exit waits."""
    async with open_system(house(stage)) as system, system.subscribe() as events:
        system.lookup("sub/c").tell(Hang(60, shielded=True))
        await anyio.sleep(1)
        begin = anyio.current_time()
        system.stop()
        await system.wait()
        took = anyio.current_time() - begin
        overdue = [event async for event in events if isinstance(event, ShutdownTimeout)]
    assert took == pytest.approx(5)
    assert overdue == [ShutdownTimeout("sub/c", 5.0)]
    assert stage.of("stop")[:3] == ["d", "sub/b", "a"]
    assert anyio.current_time() - begin == pytest.approx(59)


async def test_a_hanging_on_stop_is_cut_and_reported(stage: Stage) -> None:
    """on_stop shares the shutdown timeout, also after a crash."""
    stage.stop_delays_s = {"a": 100}
    async with open_system(house(stage)) as system, system.subscribe() as events:
        system.lookup("a").tell(Crash())
        begin = anyio.current_time()
        await anyio.sleep(1)
        assert await system.lookup("a").ask(Echo(1)) == 1
        assert anyio.current_time() - begin == pytest.approx(5)
        system.stop()
        overdue = [event.path async for event in events if isinstance(event, ShutdownTimeout)]
    assert overdue == ["a", "a"]
    assert stage.of("stop") == ["d", "sub/c", "sub/b"]


async def test_the_successor_waits_for_an_incarnation_that_cannot_be_stopped(stage: Stage) -> None:
    """Incarnations never overlap: each try while the old one lingers is a failed start."""
    spec = SupervisorSpec(
        (ChildSpec("a", stage), ChildSpec("b", stage, shutdown_timeout_s=1)),
        strategy=Strategy.ONE_FOR_ALL,
        intensity=Intensity(1000, 10.0),
    )
    async with open_system(spec) as system:
        system.lookup("b").tell(Hang(20, shielded=True))
        await anyio.sleep(1)
        system.lookup("a").tell(Crash())
        await anyio.sleep(10)
        assert stage.tries["b"] == 1
        await anyio.sleep(60)
        assert stage.tries["b"] == 2
        assert await system.lookup("b").ask(Echo("again")) == "again"


async def test_background_tasks_and_timers_end_before_on_stop(stage: Stage) -> None:
    """They belong to the incarnation, and a restart starts without them."""
    lines: list[str] = []

    class Worker(Puppet):
        async def work(self) -> None:
            try:
                await anyio.sleep_forever()
            finally:
                lines.append("work ended")

        async def on_start(self) -> None:
            self.ctx.start_soon(self.work)
            self.ctx.start_timer("late", 50, Crash())

        async def on_stop(self, reason: object) -> None:
            lines.append("on_stop")
            with pytest.raises(ActorStopped, match="a is stopping"):
                self.ctx.start_soon(self.work)

    child = ChildSpec("a", lambda: Worker(stage), restart=Restart.TRANSIENT)
    async with open_system(SupervisorSpec((child,))) as system:
        await system.lookup("a").ask(Quit())
        await anyio.sleep(100)

    assert lines == ["work ended", "on_stop"]


async def test_a_background_failure_crashes_the_actor(stage: Stage) -> None:
    """And a handler in progress is cut."""

    async def fail() -> None:
        await anyio.sleep(1)
        raise PuppetError("behind")

    async def begin(puppet: Puppet) -> None:
        puppet.ctx.start_soon(fail)
        await anyio.sleep_forever()

    async with open_system(SupervisorSpec((ChildSpec("a", stage),))) as system:
        system.lookup("a").tell(Do(begin))
        await anyio.sleep(2)
        row = system.tree().find("a")
        assert row is not None
        assert (row.restarts, row.last_error) == (1, "PuppetError: behind")


async def test_stubborn_background_work_leaves_time_for_on_stop(stage: Stage) -> None:
    """on_stop runs although a task cannot be cancelled, and has half of the time."""

    async def stubborn() -> None:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(30)

    async def begin(puppet: Puppet) -> None:
        puppet.ctx.start_soon(stubborn)

    async with open_system(SupervisorSpec((ChildSpec("a", stage),))) as system:
        await system.lookup("a").ask(Do(begin))
        stage.stop_delays_s = {"a": 2}
        stopped = anyio.current_time()
        system.stop()
        await system.wait()
        assert stage.of("stop") == ["a"]
        assert anyio.current_time() - stopped == pytest.approx(5 / 2 + 2)


async def test_what_is_no_crash_reaches_the_root(stage: Stage) -> None:
    """KeyboardInterrupt and its kin stop the house in order and come out of it, on both backends."""

    async def interrupt(puppet: Puppet) -> None:
        raise KeyboardInterrupt

    async def live() -> None:
        async with open_system(house(stage)) as system:
            system.lookup("sub/b").tell(Do(interrupt))
            await anyio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        await live()
    assert stage.of("stop") == ["sub/b", "d", "sub/c", "a"]
    assert stage.tries["sub/b"] == 1


async def test_an_interrupt_during_the_start_comes_out(stage: Stage) -> None:
    """What had started is stopped."""

    class Interrupted(Puppet):
        async def on_start(self) -> None:
            raise KeyboardInterrupt

    spec = SupervisorSpec((ChildSpec("a", stage), ChildSpec("b", lambda: Interrupted(stage))))
    with pytest.raises(KeyboardInterrupt):
        async with open_system(spec):
            pytest.fail("it must not come up")
    assert stage.of("stop") == ["a"]


async def test_the_first_of_two_interrupts_counts(stage: Stage) -> None:
    """The second comes while the house goes down for the first."""

    async def interrupt(puppet: Puppet) -> None:
        raise KeyboardInterrupt

    class Impatient(Puppet):
        async def on_stop(self, reason: object) -> None:
            raise SystemExit

    spec = SupervisorSpec((ChildSpec("a", lambda: Impatient(stage)), ChildSpec("b", stage)))

    async def live() -> None:
        async with open_system(spec) as system:
            system.lookup("b").tell(Do(interrupt))
            await anyio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        await live()


async def test_a_root_that_gives_up_at_once_is_an_escalation(stage: Stage) -> None:
    """Though the block had not been entered yet: it is cancelled at its first await."""

    class Brief(Puppet):
        async def on_start(self) -> None:
            self.ctx.start_soon(self.fail)

        async def fail(self) -> None:
            raise PuppetError("at once")

    spec = SupervisorSpec((ChildSpec("a", lambda: Brief(stage)),), intensity=Intensity(0))

    async def live() -> None:
        async with open_system(spec):
            await anyio.sleep_forever()

    with pytest.raises(EscalationError, match="at once"):
        await live()


async def test_an_error_of_the_body_notes_the_escalation(stage: Stage) -> None:
    """It is the body's that comes out."""

    async def live() -> None:
        async with open_system(SupervisorSpec((ChildSpec("a", stage),), intensity=Intensity(0))) as system:
            system.lookup("a").tell(Crash())
            try:
                await anyio.sleep_forever()
            finally:
                raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as caught:
        await live()
    assert "the root supervisor of system ended" in caught.value.__notes__[0]


async def test_a_block_must_be_entered() -> None:
    """Leaving what was not entered is a mistake."""
    with pytest.raises(RuntimeError, match="not entered"):
        await open_system(SupervisorSpec(())).__aexit__(None, None, None)


async def test_a_kill_waits_no_longer_than_the_shutdown_timeout(stage: Stage) -> None:
    """Who does not end is reported; its successor comes when it has."""
    async with open_system(house(stage)) as system, system.subscribe() as events:
        system.lookup("a").tell(Hang(20, shielded=True))
        await anyio.sleep(1)
        begin = anyio.current_time()
        await system.kill("a")
        assert anyio.current_time() - begin == pytest.approx(5)
        assert await anext(events) == ShutdownTimeout("a", 5.0)
        assert await system.lookup("a").ask(Echo(1), timeout=100) == 1
        assert anyio.current_time() - begin == pytest.approx(19)


@pytest.mark.parametrize("silent", [False, True])
async def test_background_work_has_its_time_to_end_and_no_more(stage: Stage, silent: bool) -> None:
    """``on_stop`` comes when the last of it has ended, and so does the end of an actor without one."""
    at: dict[str, float] = {}

    async def work(name: str, cleanup_s: float) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(cleanup_s)
            at[name] = anyio.current_time()

    class Worker(Actor):
        async def on_start(self) -> None:
            self.ctx.start_soon(work, "brief", 1)
            self.ctx.start_soon(partial(work, "long", 2))

    class Speaking(Worker):
        async def on_stop(self, reason: object) -> None:
            at["on_stop"] = anyio.current_time()

    async with open_system(SupervisorSpec((ChildSpec("a", Worker if silent else Speaking),))) as system:
        await anyio.sleep(1)
        begin = at["ended"] = anyio.current_time()
        await system.terminate_child("", "a")
        at["ended"] = anyio.current_time()
    took = {"brief": 1, "long": 2, "ended": 2} | ({} if silent else {"on_stop": 2})
    assert {name: time - begin for name, time in at.items()} == pytest.approx(took)


async def test_background_work_goes_on_until_its_own_actor_stops(stage: Stage) -> None:
    """Whoever cancelled the host: later siblings may rely on it to the end."""
    done: list[float] = []

    async def work() -> None:
        while True:
            await anyio.sleep(1)
            done.append(anyio.current_time() - begin)

    async def start(puppet: Puppet) -> None:
        puppet.ctx.start_soon(work)

    stage.stop_delays_s = {"b": 4}
    begin = anyio.current_time()
    with anyio.move_on_after(2.5):
        async with open_system(SupervisorSpec((ChildSpec("a", stage), ChildSpec("b", stage)))) as system:
            await system.lookup("a").ask(Do(start))
            await anyio.sleep_forever()
    assert done == pytest.approx([1, 2, 3, 4, 5, 6])


async def test_background_work_may_be_any_callable(stage: Stage) -> None:
    """Also one without a name of its own."""
    done: list[str] = []

    class Client:
        async def __call__(self, text: str) -> None:
            done.append(text)

    async def begin(puppet: Puppet) -> None:
        puppet.ctx.start_soon(Client(), "object")
        puppet.ctx.start_soon(partial(Client(), "partial"))

    async with open_system(SupervisorSpec((ChildSpec("a", stage),))) as system:
        await system.lookup("a").ask(Do(begin))
        await anyio.sleep(1)
    assert sorted(done) == ["object", "partial"]


async def test_a_start_that_is_done_in_spite_of_the_stop_is_put_away(stage: Stage) -> None:
    """``on_start`` has returned, so ``on_stop`` follows."""
    spec = ChildSpec("x", lambda: Shielded(stage))
    stage.start_delays_s = {"d/x": 3}
    house = SupervisorSpec((ChildSpec("d", DynamicSupervisorSpec()),))
    async with open_system(house) as system, anyio.create_task_group() as group:
        group.start_soon(system.start_child, "d", spec)
        await anyio.sleep(1)
        await system.kill("d")
    assert stage.journal == [("start", "d/x"), ("stopping", "d/x"), ("stop", "d/x")]


async def test_a_kill_of_a_supervisor_waits_for_its_floor(stage: Stage) -> None:
    """However long its children may take, it is not overdue."""
    stage.stop_delays_s = {"sub/c": 20}
    patient = ChildSpec("c", stage, shutdown_timeout_s=30)
    spec = SupervisorSpec((ChildSpec("sub", SupervisorSpec((patient,))),))
    async with open_system(spec) as system, system.subscribe() as events:
        begin = anyio.current_time()
        await system.kill("sub")
        assert anyio.current_time() - begin == pytest.approx(20)
        stage.stop_delays_s = {}
        system.stop()
        assert not [event async for event in events if isinstance(event, ShutdownTimeout)]


async def test_a_dead_incarnation_is_collectable(stage: Stage) -> None:
    """Nothing of the kernel holds it: reasons keep text and not the exception."""
    dead: list[weakref.ref[Puppet]] = []

    async def remember(puppet: Puppet) -> None:
        dead.append(weakref.ref(puppet))

    async with open_system(house(stage)) as system:
        await system.lookup("a").ask(Do(remember))
        system.lookup("a").tell(Crash())
        await anyio.sleep(1)
        assert stage.tries["a"] == 2
        gc.collect()
        assert dead[0]() is None


async def test_error_in_the_body_comes_out_as_it_is(stage: Stage) -> None:
    """No exception group around it."""
    with pytest.raises(KeyError, match="mine"):
        async with open_system(house(stage)):
            raise KeyError("mine")


async def test_an_empty_supervisor_is_fine() -> None:
    """Nothing to start, nothing to stop."""
    async with open_system(SupervisorSpec(())) as system:
        assert system.tree().children == ()


async def test_kill_is_a_crash_of_kind_killed(stage: Stage) -> None:
    """Returns when that incarnation has ended; its supervisor restarts it."""
    async with open_system(house(stage)) as system:
        system.lookup("a").tell(Hang())
        await anyio.sleep(1)
        await system.kill("a")
        assert stage.of("stop") == ["a"]
        assert await system.lookup("a").ask(Echo(1)) == 1
        with pytest.raises(ActorStopped):
            await system.kill("nobody")


async def test_killing_a_supervisor_restarts_its_floor(stage: Stage) -> None:
    """In reverse down, in order up, and old refs reach the new ones."""
    async with open_system(house(stage)) as system:
        ref = system.lookup("sub/c")
        await system.kill("sub")
        await anyio.sleep(1)
        assert stage.of("stop") == ["sub/c", "sub/b"]
        assert stage.of("start") == [*ORDER, "sub/b", "sub/c"]
        assert await ref.ask(Echo(1)) == 1


async def test_a_supervisor_that_gives_up_is_its_parents_case(stage: Stage) -> None:
    """It counts as one failure there, and is restarted with fresh children."""
    floor = SupervisorSpec((ChildSpec("b", stage),), intensity=Intensity(1, 10.0))
    async with open_system(SupervisorSpec((ChildSpec("sub", floor),))) as system:
        for _ in range(2):
            system.lookup("sub/b").tell(Crash())
            await anyio.sleep(1)
        row = system.tree().find("sub")
        assert row is not None
        assert row.restarts == 1
        assert "RestartIntensityExceeded: more than 1 failures" in (row.last_error or "")
        assert await system.lookup("sub/b").ask(Echo(1)) == 1


async def give_up_waiting(system: System) -> None:
    with anyio.move_on_after(1):
        await system.wait()


async def test_a_block_that_waits_hears_of_the_end_itself(stage: Stage) -> None:
    """Whoever waits is told and not cancelled, also when somebody else has given up waiting."""
    async with open_system(SupervisorSpec((ChildSpec("a", stage),)), name="house") as system:
        async with anyio.create_task_group() as group:
            group.start_soon(give_up_waiting, system)
            group.start_soon(kill_later, system)
            with pytest.raises(EscalationError) as caught:
                await system.wait()
        assert str(caught.value) == "the root supervisor of house ended: killed by system.kill"


async def kill_later(system: System) -> None:
    await anyio.sleep(2)
    await system.kill("")


async def test_a_block_that_gave_up_waiting_is_cancelled(stage: Stage) -> None:
    """Nobody waits any more, so the end of the root ends the block."""
    outlived: list[str] = []

    async def live() -> None:
        async with open_system(SupervisorSpec((ChildSpec("a", stage),)), name="house") as system:
            await give_up_waiting(system)
            await system.kill("")
            await anyio.sleep(10)
            outlived.append("the root")

    with pytest.raises(EscalationError, match="the root supervisor of house ended"):
        await live()
    assert not outlived
