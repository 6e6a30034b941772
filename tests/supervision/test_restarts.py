"""Who is restarted, when, and when it is too much."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import count, pairwise, product
from typing import Any, cast

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import example, given, strategies as st
from tenacity import wait_fixed

from supervision import (
    ActorStopped,
    Backoff,
    ChildExited,
    ChildSpec,
    DynamicSupervisorSpec,
    EscalationError,
    Intensity,
    Killed,
    Request,
    Restart,
    RestartScheduled,
    Shutdown,
    Strategy,
    SupervisorSpec,
    System,
    open_system,
)
from supervision._alarms import Alarms
from supervision._intensity import Window
from supervision.testing import Crash, Echo, Hang, Quit, Stage

pytestmark = pytest.mark.anyio


def name_of_backend() -> str:
    return "asyncio" if asyncio._get_running_loop() else "trio"


def cancel_natively(name: str) -> None:
    """Cancel the asyncio task of that name, as foreign code may; there is no such thing on trio."""
    for task in asyncio.all_tasks() if asyncio._get_running_loop() else ():
        if task.get_name() == name:
            task.cancel()


#: Whether the child that ended comes back, by restart type: after (crash, kill, normal end).
COMES_BACK = {
    Restart.PERMANENT: {"crash": True, "kill": True, "normal": True},
    Restart.TRANSIENT: {"crash": True, "kill": True, "normal": False},
    Restart.TEMPORARY: {"crash": False, "kill": False, "normal": False},
}
#: Who shares the fate of ``b``, beside itself.
SHARED = {Strategy.ONE_FOR_ONE: "", Strategy.ONE_FOR_ALL: "acd", Strategy.REST_FOR_ONE: "cd"}


@pytest.mark.parametrize("sibling", Restart)
@pytest.mark.parametrize("reason", ["crash", "kill", "normal"])
@pytest.mark.parametrize(("strategy", "restart"), list(product(Strategy, Restart)))
async def test_the_matrix(
    stage: Stage, strategy: Strategy, restart: Restart, reason: str, sibling: Restart
) -> None:
    """Strategy x restart type x reason x restart type of the sibling ``c``: who stops and starts."""
    types = {"b": restart, "c": sibling}
    children = tuple(ChildSpec(each, stage, restart=types.get(each, Restart.PERMANENT)) for each in "abcd")
    back = COMES_BACK[restart][reason]
    group = SHARED[strategy] if back else ""
    stops = ["b", *sorted(group, reverse=True)]
    starts = [each for each in sorted(group + "b") if each != "c" or sibling is not Restart.TEMPORARY]
    async with open_system(SupervisorSpec(children, strategy)) as system:
        stage.journal.clear()
        orders: dict[str, Request[None]] = {"crash": Crash(), "normal": Quit()}
        if reason == "kill":
            await system.kill("b")
        else:
            system.lookup("b").tell(orders[reason])
        await anyio.sleep(1)
        assert stage.of("stop") == stops
        assert stage.of("start") == (starts if back else [])
        rows = {row.id: row.state for row in system.tree().children}
        gone = {each for each in "bc" if each not in rows}
        assert gone == {
            each
            for each, stopped in (("b", True), ("c", "c" in group))
            if stopped and types[each] is Restart.TEMPORARY
        }
        if not back and "b" in rows:
            assert rows["b"] == "stopped"


@example(1, 10.0, [0.0, 10.0])
@given(
    st.integers(0, 4),
    st.floats(0.5, 20),
    st.lists(st.floats(0, 5), max_size=30),
)
def test_the_window_equals_counting(restarts: int, period_s: float, gaps: list[float]) -> None:
    """It allows a failure iff no more than that many fell into the period that ends with it."""
    window, times, now = Window(Intensity(restarts, period_s)), list[float](), 0.0
    for gap in gaps:
        now += gap
        times.append(now)
        assert window.allows(now) == (sum(now - each <= period_s for each in times) <= restarts)


@given(st.integers(1, 200))
def test_default_delays_stay_within_bounds(failures: int) -> None:
    """Immediate at first, then between 0 and the doubling limit, 30 s at most."""
    delay = Backoff().delay_s(failures)

    assert 0 <= delay <= (0 if failures == 1 else min(30, 0.05 * 2 ** (failures - 2)))


def test_delays_are_spread_at_the_cap() -> None:
    """Full jitter: those who failed together do not come back together."""
    delays = [Backoff().delay_s(100) for _ in range(200)]

    assert len({round(delay, 3) for delay in delays}) > 150
    assert max(delays) - min(delays) > 15


def test_not_immediate_means_the_first_delay_counts() -> None:
    """The wait object is asked from the first failure on."""
    assert Backoff(wait_fixed(3), immediate=False).delay_s(1) == 3


async def test_the_supervisor_answers_during_a_backoff(stage: Stage) -> None:
    """Nothing is slept for in its loop; messages wait for the restart."""
    slow = ChildSpec("a", stage, backoff=Backoff(wait_fixed(100), immediate=False))
    spec = SupervisorSpec((slow, ChildSpec("b", stage)))
    async with open_system(spec) as system:
        system.lookup("a").tell(Crash())
        await anyio.sleep(1)
        begin = anyio.current_time()
        assert system.tree().children[0].state == "backoff"
        system.lookup("b").tell(Crash())
        assert await system.lookup("b").ask(Echo(1)) == 1
        await system.start_child("", ChildSpec("c", stage))
        await system.terminate_child("", "c")
        assert anyio.current_time() == begin
        assert await system.lookup("a").ask(Echo(2), timeout=200) == 2
        assert anyio.current_time() - begin == pytest.approx(99)


async def test_stop_cancels_a_pending_restart(stage: Stage) -> None:
    """Nothing starts once its supervisor stops."""
    slow = ChildSpec("a", stage, backoff=Backoff(wait_fixed(100), immediate=False))
    async with open_system(SupervisorSpec((slow,))) as system:
        system.lookup("a").tell(Crash())
        await anyio.sleep(1)
        begin = anyio.current_time()
        system.stop()
        await system.wait()
        assert anyio.current_time() == begin
    assert stage.tries["a"] == 1


@pytest.mark.parametrize("steps", range(12))
@pytest.mark.parametrize("strategy", Strategy)
async def test_nothing_starts_once_the_supervisor_is_to_stop(
    stage: Stage, strategy: Strategy, steps: int
) -> None:
    """Not even what was due, however many turns of the loop lie between the crash and the stop."""
    children = tuple(ChildSpec(each, stage) for each in "ab")
    async with open_system(SupervisorSpec(children, strategy)) as system:
        system.lookup("a").tell(Crash())
        for _ in range(steps):
            await checkpoint()
        system.stop()
        tries = stage.tries.copy()
        await system.wait()
        assert stage.tries == tries


async def test_the_wall_clock_does_not_count(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is set forward by a year between two failures forgives none."""
    years = count()
    monkeypatch.setattr("time.time", lambda: next(years) * 3.2e7)
    floor = SupervisorSpec((ChildSpec("a", stage),), intensity=Intensity(1, 10.0))
    async with open_system(SupervisorSpec((ChildSpec("sub", floor),))) as system:
        for _ in range(2):
            system.lookup("sub/a").tell(Crash())
            await anyio.sleep(1)
        assert system.tree().children[0].restarts == 1


async def test_stop_cancels_the_pending_restart_of_a_dynamic_child(stage: Stage) -> None:
    """There is nobody to tell; the others are told."""
    slow = ChildSpec("x", stage, backoff=Backoff(wait_fixed(100), immediate=False))
    async with open_system(SupervisorSpec((ChildSpec("d", DynamicSupervisorSpec()),))) as system:
        await system.start_child("d", slow)
        await system.start_child("d", ChildSpec("y", stage))
        system.lookup("d/x").tell(Crash())
        await anyio.sleep(1)
    assert stage.tries == {"d/x": 1, "d/y": 1}
    assert stage.of("stop") == ["d/x", "d/y"]


async def test_terminate_cancels_a_pending_restart(stage: Stage) -> None:
    """The child stays stopped."""
    slow = ChildSpec("a", stage, backoff=Backoff(wait_fixed(10), immediate=False))
    async with open_system(SupervisorSpec((slow,))) as system:
        system.lookup("a").tell(Crash())
        await anyio.sleep(1)
        await system.terminate_child("", "a")
        await system.terminate_child("", "a")
        await anyio.sleep(100)
        assert system.tree().children[0].state == "stopped"
    assert stage.tries["a"] == 1


async def test_health_resets_the_backoff(stage: Stage) -> None:
    """After reset_after_s of life the count of failures starts again."""
    child = ChildSpec("a", stage, backoff=Backoff(wait_fixed(1), reset_after_s=50))
    spec = SupervisorSpec((child,), intensity=Intensity(100, 1.0))
    async with open_system(spec) as system, system.subscribe() as events:
        for pause in (10, 10, 60, 10):
            await anyio.sleep(pause)
            system.lookup("a").tell(Crash())
        await anyio.sleep(10)
        system.stop()
        failures = [event.failures async for event in events if isinstance(event, RestartScheduled)]

    assert failures == [1, 2, 1, 2]


@pytest.mark.parametrize("strategy", Strategy)
async def test_a_group_restart_counts_one(stage: Stage, strategy: Strategy) -> None:
    """Three failures of a group of four are three, not twelve."""
    children = tuple(ChildSpec(each, stage) for each in "abcd")
    async with open_system(SupervisorSpec(children, strategy, Intensity(3, 100.0))) as system:
        for _ in range(3):
            system.lookup("a").tell(Crash())
            await anyio.sleep(1)
        assert await system.lookup("d").ask(Echo(1)) == 1


@pytest.mark.parametrize("strategy", Strategy)
async def test_a_failed_start_counts_one(stage: Stage, strategy: Strategy) -> None:
    """The crash and each failed start after it; one more than allowed is the end."""
    children = tuple(ChildSpec(each, stage, backoff=Backoff(wait_fixed(1))) for each in "ab")
    for failing, survives in ((2, True), (3, False)):
        stage.tries.clear()

        async def live(failing: int = failing) -> None:
            async with open_system(SupervisorSpec(children, strategy, Intensity(3, 100.0))) as system:
                stage.failing_starts["b"] = failing
                system.lookup("b").tell(Crash())
                await anyio.sleep(50)
                assert await system.lookup("b").ask(Echo(1)) == 1

        if survives:
            await live()
        else:
            with pytest.raises(EscalationError, match="start of b"):
                await live()
        assert stage.tries["b"] == 1 + 3


async def test_a_group_that_fails_to_start_goes_down_in_reverse(stage: Stage) -> None:
    """And is tried again as a whole."""
    children = tuple(ChildSpec(each, stage, backoff=Backoff(wait_fixed(1))) for each in "abc")
    async with open_system(SupervisorSpec(children, Strategy.ONE_FOR_ALL)) as system:
        stage.failing_starts["c"] = 1
        stage.journal.clear()
        system.lookup("b").tell(Crash())
        await anyio.sleep(10)
        assert stage.of("stop") == ["b", "c", "a", "b", "a"]
        assert stage.of("start") == ["a", "b", "a", "b", "c"]


async def test_rest_for_one_with_a_backoff_takes_in_an_earlier_failure(stage: Stage) -> None:
    """A failure before the group that waits takes its restart over."""
    waits = {"b": 100.0, "a": 5.0}
    children = tuple(
        ChildSpec(each, stage, backoff=Backoff(wait_fixed(waits.get(each, 1)), immediate=False))
        for each in "abc"
    )
    async with open_system(SupervisorSpec(children, Strategy.REST_FOR_ONE)) as system:
        system.lookup("b").tell(Crash())
        await anyio.sleep(1)
        system.lookup("a").tell(Crash())
        await anyio.sleep(10)
        assert stage.of("start") == [*"abc", *"abc"]
        await anyio.sleep(200)
        assert stage.of("start") == [*"abc", *"abc"]


async def test_thousands_of_dynamic_children(stage: Stage) -> None:
    """Started side by side, stopped side by side, and one that crashes is its own affair."""
    async with open_system(SupervisorSpec((ChildSpec("d", DynamicSupervisorSpec()),))) as system:
        async with anyio.create_task_group() as group:
            for number in range(2000):
                group.start_soon(system.start_child, "d", ChildSpec(str(number), stage))
        stage.stop_delays_s = {f"d/{number}": 1 for number in range(2000)}
        await system.kill("d/77")
        assert await system.lookup("d/77").ask(Echo(1)) == 1
        stage.journal.clear()
        begin = anyio.current_time()
        system.stop()
        await system.wait()
        assert anyio.current_time() - begin == pytest.approx(1)
    assert len(stage.of("stop")) == 2000


async def test_a_supervisor_at_rest_decides_at_once(stage: Stage) -> None:
    """Whoever sees the end sees the successor: no turn of the loop lies between them."""
    async with open_system(SupervisorSpec((ChildSpec("a", stage),))) as system:
        await system.kill("a")
        row = system.tree().find("a")
        assert row is not None
        assert row.incarnation == 2


async def test_a_crowd_that_fails_together_comes_back(stage: Stage) -> None:
    """Some are decided about in their own last step, and the rest in the supervisor's turn."""
    paths = [str(number) for number in range(40)]
    spec = SupervisorSpec(tuple(ChildSpec(each, stage) for each in paths), intensity=Intensity(40))
    async with open_system(spec) as system:
        for path in paths:
            system.lookup(path).tell(Crash())
        for path in paths:
            assert await system.lookup(path).ask(Echo(path)) == path
        assert {child.restarts for child in system.tree().children} == {1}


@pytest.mark.parametrize("native", [False, True])
async def test_a_crowd_starts_and_stops_by_turns(stage: Stage, native: bool) -> None:
    """Between two turns of others a handful starts, is told to stop, stops, and is forgotten; a native
    cancel of the supervisor amid its stop spoils nothing.
    """
    count, most = 500, 64
    seen: list[tuple[int, int]] = []

    async def look(system: System) -> None:
        while True:
            with suppress(ActorStopped):
                seen.append((len(stage.journal), system.count_children("d").specs))
            await checkpoint()

    spec = SupervisorSpec((ChildSpec("d", DynamicSupervisorSpec()),))
    async with open_system(spec) as system, anyio.create_task_group() as group:
        group.start_soon(look, system)
        async with anyio.create_task_group() as starters:
            for number in range(count):
                starters.start_soon(system.start_child, "d", ChildSpec(str(number), stage))
        async with system.subscribe(capacity=4) as events:
            system.stop()
            for _ in range(10):
                await checkpoint()
            if native:
                cancel_natively("d")
            await system.wait()
            last = [event.reason async for event in events if isinstance(event, ChildExited)]
        group.cancel_scope.cancel()
    killed = native and name_of_backend() == "asyncio"
    assert last[0] == (Killed("foreign code") if killed else Shutdown())
    for (notes, children), (notes_then, children_then) in pairwise(seen):
        assert notes_then - notes <= 2 * most
        assert abs(children_then - children) <= most
    assert sorted(stage.of("stop")) == sorted(stage.of("start"))
    assert len(stage.of("stop")) == count


class Moment:
    """An alarm of which one may say when it is moot."""

    def __init__(self) -> None:
        self.is_moot = False


def test_moot_alarms_go_bit_by_bit() -> None:
    """They do not pile up while new ones come, and never go by the thousand."""
    alarms, moments = Alarms(), [Moment() for _ in range(2_000)]
    for number, moment in enumerate(moments[:1_000]):
        alarms.set(float(number), cast("Any", moment))
    for moment in moments[:1_000]:
        moment.is_moot = True
    before = len(alarms._heap)
    assert alarms.first_at < 100
    assert len(alarms._heap) == before - 16
    for number, moment in enumerate(moments[1_000:], start=1_000):
        alarms.set(float(number), cast("Any", moment))
        moment.is_moot = True
    assert len(alarms._heap) <= 2


async def test_dynamic_children_are_told_in_reverse(stage: Stage) -> None:
    """While the first are not told yet, the last ones are on their way."""
    hands = ChildSpec("d", DynamicSupervisorSpec())
    async with open_system(SupervisorSpec((hands,))) as system:
        for number in range(40):
            await system.start_child("d", ChildSpec(str(number), stage))
            stage.stop_delays_s[f"d/{number}"] = 1
        system.stop()
        seen: list[list[str]] = []
        while not seen or seen[-1] == ["running"] * 40:
            await checkpoint()
            seen.append([row.state for row in system.which_children("d")])
        await system.wait()
    told = seen[-1].count("stopping")
    assert 0 < told < 40
    assert seen[-1] == ["running"] * (40 - told) + ["stopping"] * told


async def test_dynamic_children_may_stop_in_order(stage: Stage) -> None:
    """ordered_shutdown waits for each before the next."""
    stage.stop_delays_s = {f"d/{each}": 1 for each in "abc"}
    spec = SupervisorSpec((ChildSpec("d", DynamicSupervisorSpec(ordered_shutdown=True)),))
    async with open_system(spec) as system:
        for each in "abc":
            await system.start_child("d", ChildSpec(each, stage))
    assert [line for line in stage.journal if line[0] != "start"] == [
        (verb, f"d/{each}") for each in "cba" for verb in ("stopping", "stop")
    ]


async def test_dynamic_stops_are_bounded_together(stage: Stage) -> None:
    """Ten that cannot be stopped cost one timeout and not ten."""
    async with open_system(SupervisorSpec((ChildSpec("d", DynamicSupervisorSpec()),))) as system:
        for number in range(10):
            await system.start_child("d", ChildSpec(str(number), stage))
            system.lookup(f"d/{number}").tell(Hang(60, shielded=True))
        await anyio.sleep(1)
        begin = anyio.current_time()
        system.stop()
        await system.wait()
        assert anyio.current_time() - begin == pytest.approx(5)
