"""The monkey: what it decides, what it does, and that a tree outlives it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given, settings, strategies as st

from supervision import (
    AskTimeout,
    Backoff,
    ChildExited,
    ChildSpec,
    DynamicSupervisorSpec,
    EscalationError,
    Event,
    Intensity,
    IntensityExceeded,
    Killed,
    MailboxFull,
    MailboxSpec,
    Overflow,
    Strategy,
    SupervisorSpec,
    System,
    open_system,
)
from supervision.chaos import ChaosError, Deed, Fault, Monkey, Plan
from supervision.testing import Echo, Quit, Stage, virtual_backend

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from supervision import TreeNode

pytestmark = pytest.mark.anyio

KINDS = list(Fault)


def flock(stage: Stage, size: int = 3, *, strategy: Strategy = Strategy.ONE_FOR_ONE) -> SupervisorSpec:
    """A guild-like supervisor of puppets and one dynamic supervisor, which starts empty."""
    guild = SupervisorSpec(
        tuple(ChildSpec(f"p{number}", stage) for number in range(size)), strategy, Intensity(6, 10.0)
    )
    return SupervisorSpec((ChildSpec("guild", guild), ChildSpec("more", DynamicSupervisorSpec())))


async def alone(
    monkey: Monkey, fault: Fault, path: str = "guild/p1", seconds: float = 0.0, amount: float = 0.0
) -> Deed:
    """One deed, at once; returns when it is over."""
    (done,) = await monkey.replay([Deed(1, 0.0, fault, path, seconds, amount)])
    return done


async def told(system: System, work: Callable[[], Awaitable[object]]) -> list[Event]:
    """All events during something."""
    async with system.subscribe(capacity=100_000) as events:
        await work()
        system.stop()
        return [event async for event in events]


# deciding


def paths(node: TreeNode, *names: str) -> TreeNode:
    """A tree of that row as root, with actors of those names."""
    actors = tuple(replace(node, kind="actor", path=name, id=name, children=()) for name in names)
    return replace(node, children=actors)


async def test_decisions_depend_on_seed_step_and_paths_alone(stage: Stage) -> None:
    """Neither on the order of the children nor on what they are about."""
    async with open_system(flock(stage)) as system:
        row = system.tree()
    plan = Plan(seed=3, failing_starts=4)
    here = paths(row, "a", "b", "c")
    there = replace(paths(row, "c", "a", "b"), state="backoff")

    first = [plan.decide(step, 0.0, here) for step in range(200)]

    assert first == [plan.decide(step, 0.0, there) for step in range(200)]
    assert first != [replace(plan, seed=4).decide(step, 0.0, here) for step in range(200)]
    done = [deed for deed in first if deed is not None]
    assert {deed.fault for deed in done} == set(Fault)
    assert {deed.path for deed in done} == {"a", "b", "c"}
    assert {deed.amount for deed in done if deed.fault is Fault.FAIL_START} == {1, 2, 3, 4}
    assert all(deed.seconds <= plan.longest_s for deed in done)
    assert all(0.5 <= plan.pause_s(step) <= 1.5 for step in range(200))


async def test_only_those_of_the_plan_are_hit(stage: Stage) -> None:
    """By patterns; supervisors only by a kill and if it says so, the root never."""
    async with open_system(flock(stage)) as system:
        tree = system.tree()

    def hit(plan: Plan) -> set[tuple[str, bool]]:
        deeds = [plan.decide(step, 0.0, tree) for step in range(150)]
        return {(deed.path, deed.fault is Fault.KILL) for deed in deeds if deed is not None}

    few = {Fault.KILL: 1.0, Fault.HANG: 1.0}
    actors = {"guild/p0", "guild/p1", "guild/p2"}
    assert {path for path, _ in hit(Plan(1, faults=few))} == actors
    assert {path for path, _ in hit(Plan(1, spared=("*/p0", "*2")))} == {"guild/p1"}
    assert {path for path, _ in hit(Plan(1, paths=("*0",)))} == {"guild/p0"}
    everybody = hit(Plan(1, faults=few, supervisors=True))
    assert {path for path, kill in everybody if not kill} == actors
    assert {path for path, kill in everybody if kill} == {*actors, "guild", "more"}
    assert hit(Plan(1, paths=("nobody",))) == set()


async def test_each_fault_has_its_measure(stage: Stage) -> None:
    """Up to the most that the plan allows, and evenly spread; a pause is of its step."""
    async with open_system(flock(stage)) as system:
        tree = system.tree()
    plan = Plan(7, every_s=2.0, longest_s=10.0, delay_s=0.5, failing_starts=1)
    deeds = [deed for step in range(300) if (deed := plan.decide(step, 0.0, tree)) is not None]
    assert [deed.step for deed in deeds] == list(range(300))
    measures = {
        fault: [(deed.seconds, deed.amount) for deed in deeds if deed.fault is fault] for fault in Fault
    }
    assert set(measures[Fault.KILL] + measures[Fault.CANCEL]) == {(0.0, 0.0)}
    assert set(measures[Fault.FAIL_START]) == {(0.0, 1)}
    for fault in (Fault.HANG, Fault.FLOOD):
        assert {amount for _, amount in measures[fault]} == {0.0}
        assert 9 < max(seconds for seconds, _ in measures[fault]) <= 10
    assert {seconds for seconds, _ in measures[Fault.SLOW]} == {10.0}
    assert 0.4 < max(amount for _, amount in measures[Fault.SLOW]) <= 0.5
    pauses = [plan.pause_s(step) for step in range(300)]
    assert len(set(pauses)) == 300
    assert 1 <= min(pauses) < 1.1 < 2.9 < max(pauses) <= 3
    rare = Plan(7, faults={Fault.KILL: 0.5, Fault.HANG: 0.0})
    few = [rare.decide(step, 0.0, tree) for step in range(50)]
    assert {deed.fault for deed in few if deed is not None} == {Fault.KILL}


@pytest.mark.parametrize(
    "wrong",
    [
        {"every_s": 0.0},
        {"failing_starts": 0},
        {"faults": {}},
        {"faults": {Fault.KILL: 0.0}},
        {"faults": {Fault.KILL: 1.0, Fault.HANG: -1.0}},
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(wrong: dict[str, object]) -> None:
    """When it is made."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Plan(1, **wrong)  # type: ignore[arg-type]  # checked one by one


# each fault


async def test_a_kill(stage: Stage) -> None:
    """As system.kill, of supervisors too; it says who it was."""
    async with open_system(flock(stage)) as system:
        seen = await told(system, lambda: alone(Monkey(system), Fault.KILL, "guild"))
    ends = [event for event in seen if isinstance(event, ChildExited)]
    assert (ends[3].path, ends[3].reason) == ("guild", Killed("chaos"))


async def test_a_native_cancel(stage: Stage) -> None:
    """It kills that child alone; trio has none, and the deed is refused."""
    async with open_system(flock(stage)) as system:
        done = await alone(Monkey(system), Fault.CANCEL)
        await anyio.sleep(0.1)
        restarts = [node.restarts for node in system.tree().walk()]
    if asyncio._get_running_loop() is not None:
        assert (done.refused, restarts) == (None, [0, 0, 0, 1, 0, 0])
    else:
        assert done.refused == "there are no native cancels on this event loop"
        assert sum(restarts) == 0


async def test_one_that_hangs(stage: Stage) -> None:
    """Who asks it waits, the tree says with what it is busy, a kill cuts it, its siblings know nothing."""
    async with open_system(flock(stage)) as system, anyio.create_task_group() as group:
        group.start_soon(lambda: alone(Monkey(system), Fault.HANG, seconds=5.0))
        await anyio.sleep(1)
        with pytest.raises(AskTimeout):
            await system.lookup("guild/p1").ask(Echo(), timeout=1)
        row = system.tree().find("guild/p1")
        assert row is not None
        assert (row.current_message, row.current_message_s) == ("Disturbance", 2.0)
        assert await system.lookup("guild/p0").ask(Echo("well"), timeout=1) == "well"
        await system.kill("guild/p1")
        assert await system.lookup("guild/p1").ask(Echo("again"), timeout=1) == "again"


async def test_one_that_is_slow(stage: Stage) -> None:
    """Each message takes so much longer, for so long, and then no more; nobody looks afterwards."""

    async def takes_s(system: System) -> float:
        begin = anyio.current_time()
        await system.lookup("guild/p1").ask(Echo())
        return anyio.current_time() - begin

    async with open_system(flock(stage)) as system, anyio.create_task_group() as group:
        group.start_soon(lambda: alone(Monkey(system), Fault.SLOW, seconds=3.0, amount=0.5))
        await anyio.sleep(1)
        assert [await takes_s(system) for _ in range(2)] == pytest.approx([0.5, 0.5])
        await anyio.sleep(2.5)
        assert await takes_s(system) == 0


async def test_slowness_ends_by_itself(stage: Stage) -> None:
    """Also while its monkey is at other work."""
    deeds = [Deed(1, 0.0, Fault.SLOW, "guild/p1", 1.0, 0.5), Deed(2, 0.0, Fault.HANG, "guild/p0", 9.0)]
    async with open_system(flock(stage)) as system, anyio.create_task_group() as group:
        group.start_soon(Monkey(system).replay, deeds)
        await anyio.sleep(2)
        begin = anyio.current_time()
        await system.lookup("guild/p1").ask(Echo())
        assert anyio.current_time() == begin


async def test_a_flood(stage: Stage) -> None:
    """It is full at once, by its own policy; it empties in time, and the actor sees none of it."""
    async with open_system(flock(stage)) as system, anyio.create_task_group() as group:
        group.start_soon(lambda: alone(Monkey(system), Fault.FLOOD, seconds=6.4))
        await anyio.sleep(0.05)
        box = system.tree().find("guild/p1")
        assert box is not None
        assert (box.mailbox_peak, box.mailbox_depth, box.current_message) == (64, 63, "Disturbance")
        system.lookup("guild/p1").tell(Echo(1))  # one was taken in hand
        with pytest.raises(MailboxFull):
            system.lookup("guild/p1").tell(Echo(2))
        await anyio.sleep(3.2)
        box = system.tree().find("guild/p1")
        assert box is not None
        assert box.mailbox_depth == 32
        await anyio.sleep(4)
        assert stage.handled == [("guild/p1", 1)]


async def test_what_is_full_cannot_be_flooded(stage: Stage) -> None:
    """No message of others is thrown out."""
    async with open_system(flock(stage)) as system:
        await system.suspend("guild/p1")
        for _ in range(63):
            system.lookup("guild/p1").tell(Echo())
        assert (await alone(Monkey(system), Fault.FLOOD)).refused is None
        assert (await alone(Monkey(system), Fault.FLOOD)).refused == "the mailbox of guild/p1 is full already"


async def test_starts_that_fail(stage: Stage) -> None:
    """So many, then it comes up; also of one that was started later than the monkey was made."""
    quick = Backoff(wait=lambda _: 0.1)
    deeds = [Deed(1, 0.0, Fault.FAIL_START, "more/late", amount=2), Deed(2, 0.0, Fault.HANG, "guild/p0", 4.0)]
    async with open_system(flock(stage)) as system:
        monkey = Monkey(system)
        await system.start_child("more", ChildSpec("late", stage, backoff=quick))
        seen = await told(system, lambda: monkey.replay(deeds))
    late = [event for event in seen if isinstance(event, ChildExited) and event.path == "more/late"]
    assert [event.started for event in late] == [True, False, False, True]
    wanted = f"crashed: {ChaosError.__name__}: the start fails because chaos wants it"
    assert [str(event.reason) for event in late[1:3]] == [wanted] * 2


async def test_starts_that_are_yet_to_fail_are_taken_back(stage: Stage) -> None:
    """With the end of the run."""
    async with open_system(flock(stage)) as system:
        await alone(Monkey(system), Fault.FAIL_START, amount=4)
        await anyio.sleep(0.1)
        assert await system.lookup("guild/p1").ask(Echo("up"), timeout=1) == "up"
        row = system.tree().find("guild/p1")
        assert row is not None
        assert row.restarts == 1


@pytest.mark.parametrize(
    ("headroom", "starts", "refused"),
    [
        (0, 4, [None, None, "'guild' can bear only 0 more for now", None]),
        (0, 5, [None, "'guild' can bear only 0 more for now"] * 2),
        (0, 6, ["'guild' can bear only 6 more for now", None, None, None]),
        (2, 4, ["'guild' can bear only 6 more for now", None, None, None]),
    ],
)
async def test_failures_on_their_way_count(
    stage: Stage, headroom: int, starts: int, refused: list[str | None]
) -> None:
    """A supervisor bears what its intensity allows, less what it will count for certain; a hang is none."""
    stage.stop_delays_s = {f"guild/p{number}": 1 for number in range(3)}
    deeds = [
        Deed(1, 0.0, Fault.FAIL_START, "guild/p1", amount=starts),
        Deed(2, 0.0, Fault.KILL, "guild/p0"),
        Deed(3, 0.0, Fault.KILL if refused[3] is None else Fault.HANG, "guild/p2", 0.1),
        Deed(4, 0.0, Fault.HANG if refused[3] is None else Fault.KILL, "guild/p2", 0.1),
    ]
    async with open_system(flock(stage)) as system:
        monkey = Monkey(system, headroom=headroom) if headroom else Monkey(system)
        done = await monkey.replay(deeds)
    assert [deed.refused for deed in done] == refused


async def test_an_end_on_its_way_counts(stage: Stage) -> None:
    """Also of a child that leaves by itself, and is to be there for ever."""
    stage.stop_delays_s = {"guild/p0": 1}
    async with open_system(flock(stage)) as system:
        system.lookup("guild/p0").tell(Quit())
        await anyio.sleep(0.5)
        deed = await alone(Monkey(system), Fault.FAIL_START, amount=5)
    assert deed.refused == "'guild' can bear only 5 more for now"


async def test_starts_that_fail_add_up(stage: Stage) -> None:
    """Two deeds to the same actor while it stops."""
    stage.stop_delays_s = {"guild/p1": 1}
    twice = [Deed(step, 0.0, Fault.FAIL_START, "guild/p1", amount=1) for step in (1, 2)]
    async with open_system(flock(stage)) as system:
        seen = await told(
            system, lambda: Monkey(system).replay([*twice, Deed(3, 0.0, Fault.HANG, "guild/p0", 9)])
        )
    ends = [event.started for event in seen if isinstance(event, ChildExited) and event.path == "guild/p1"]
    assert ends == [True, False, False, True]


async def test_nobody_looks_at_messages_when_the_monkey_has_gone(stage: Stage) -> None:
    """Who was slow is on the quick way of all messages again."""
    async with open_system(flock(stage)) as system:
        with anyio.move_on_after(1):
            await alone(Monkey(system), Fault.SLOW, seconds=1e6, amount=0.1)
        cell = system.find("guild/p1")
        assert cell is not None
        assert cell.observer is not None
        assert not cell.observer.looks


async def test_what_a_key_function_raises_is_a_refusal(stage: Stage) -> None:
    """It has not met such a message before."""

    def key(message: object) -> str:
        assert isinstance(message, Echo)
        return str(message.value)

    box = MailboxSpec(overflow=Overflow.CONFLATE, key=key)
    async with open_system(SupervisorSpec((ChildSpec("a", stage, mailbox=box),))) as system:
        assert "AssertionError" in str((await alone(Monkey(system), Fault.FLOOD, "a")).refused)


async def test_what_is_not_there_is_not_hit(stage: Stage) -> None:
    """It is noted, and the run goes on."""
    async with open_system(flock(stage)) as system:
        for fault in KINDS:
            assert "nobody" in str((await alone(Monkey(system), fault, "guild/none")).refused)
        for fault in (Fault.SLOW, Fault.FLOOD, Fault.FAIL_START, Fault.CANCEL):
            assert (await alone(Monkey(system), fault, "guild")).refused
        assert sum(node.restarts for node in system.tree().walk()) == 0


async def test_a_cancelled_monkey_takes_all_back(stage: Stage) -> None:
    """At once: who hung goes on, who was slow is quick, and no start fails any more."""
    lasting = [
        Deed(1, 0.0, Fault.HANG, "guild/p0", 1e6),
        Deed(2, 0.0, Fault.SLOW, "guild/p1", 1e6, 1e3),
        Deed(3, 0.0, Fault.FLOOD, "guild/p2", 1e6),
    ]
    async with open_system(flock(stage)) as system:
        with anyio.move_on_after(2):
            await Monkey(system).replay(lasting)
        for name in ("p0", "p1", "p2"):
            assert await system.lookup(f"guild/{name}").ask(Echo(name), timeout=0.5) == name


# runs


async def whole_run(seed: int, monkey_of: Callable[[System], Monkey] = Monkey) -> tuple[Deed, ...]:
    plan = Plan(seed, every_s=0.3, duration_s=10.0, supervisors=True)
    async with open_system(flock(Stage())) as system:
        monkey = monkey_of(system)
        await monkey.run(plan)
    return tuple(monkey.deeds)


async def test_a_run_is_repeated_by_its_seed_and_by_its_log() -> None:
    """All of it, with its times and with what was refused; the log survives JSON."""
    first = await whole_run(11)

    assert await whole_run(11) == first
    assert len({deed.path for deed in first}) == 5
    assert await whole_run(12) != first
    text = json.dumps([deed.to_dict() for deed in first])
    read = [Deed.from_dict(each) for each in json.loads(text)]
    assert tuple(read) == first
    async with open_system(flock(Stage())) as system:
        again = await Monkey(system).replay(read)
    assert again == tuple(deed for deed in first if deed.refused is None)


@pytest.mark.parametrize("rubbish", [{}, {"fault": "love"}, {"fault": "kill"}, {"fault": "kill", "x": 1}])
def test_what_is_no_deed_is_refused(rubbish: dict[str, object]) -> None:
    """By one of two exceptions."""
    with pytest.raises((TypeError, ValueError)):
        Deed.from_dict(rubbish)


async def test_somebody_may_be_told_of_each_deed() -> None:
    """As it is done."""
    heard: list[Deed] = []
    deeds = await whole_run(5, lambda system: Monkey(system, on_deed=heard.append))
    assert tuple(heard) == deeds


async def test_a_run_keeps_its_times(stage: Stage) -> None:
    """One step after each pause, until its time is over; where there is nothing to do it ends with that."""
    async with open_system(flock(stage)) as system:
        plan = Plan(3, every_s=0.5, duration_s=10.0, faults={Fault.HANG: 1.0}, longest_s=0.1)
        done = await Monkey(system).run(plan)
        assert [deed.step for deed in done] == list(range(1, len(done) + 1))
        times = list(accumulate(plan.pause_s(deed.step) for deed in done))
        assert [deed.at_s for deed in done] == pytest.approx(times)
        begin = anyio.current_time()
        assert await Monkey(system).run(Plan(3, duration_s=10.0, paths=("nobody",))) == ()
        assert anyio.current_time() - begin == pytest.approx(10)
        assert await Monkey(system).replay([]) == ()
        assert anyio.current_time() - begin == pytest.approx(10)


async def test_a_monkey_by_itself_makes_nobody_give_up() -> None:
    """However fast it is; one without care does at once."""
    few = {Fault.KILL: 1.0, Fault.FAIL_START: 1.0, Fault.CANCEL: 1.0}
    plan = Plan(1, every_s=0.05, duration_s=10.0, faults=few)

    async def done_by(headroom: int | None) -> int:
        async with open_system(flock(Stage())) as system:
            monkey = Monkey(system, headroom=headroom)
            seen = await told(system, lambda: monkey.run(plan))
        assert not any(isinstance(event, IntensityExceeded) for event in seen)
        return sum(deed.refused is None for deed in monkey.deeds)

    assert 0 < await done_by(4) < await done_by(0)
    with pytest.raises(EscalationError):
        await done_by(None)


@given(
    seed=st.integers(0, 2**32),
    strategy=st.sampled_from(Strategy),
    size=st.integers(1, 4),
    backend=st.sampled_from(["asyncio", "trio"]),
)
@settings(max_examples=15)
def test_after_the_monkey_everybody_is_up_and_answers(
    seed: int, strategy: Strategy, size: int, backend: str
) -> None:
    """Whatever it did, nobody has given up, and every permanent actor handles messages."""

    async def play() -> None:
        async with open_system(flock(Stage(), size, strategy=strategy)) as system:
            monkey = Monkey(system)

            async def work() -> None:
                await monkey.run(Plan(seed, every_s=0.2, duration_s=15.0, supervisors=True))
                await anyio.sleep(60)  # the longest backoff
                for number in range(size):
                    assert await system.lookup(f"guild/p{number}").ask(Echo(number), timeout=1) == number
                assert {node.state for node in system.tree().walk()} == {"running"}

            seen = await told(system, work)
            assert not any(isinstance(event, IntensityExceeded) for event in seen)

    name, options = virtual_backend(backend)  # type: ignore[arg-type]  # one of the two
    anyio.run(play, backend=name, backend_options=options)
