"""What random plays and the mailbox machine found in the kernel, each as a test of its own name."""

from __future__ import annotations

import anyio
import pytest

from supervision import (
    Backoff,
    ChildDeleted,
    ChildExited,
    ChildSpec,
    ChildStarted,
    ChildStopped,
    DeadLetter,
    Intensity,
    MailboxSpec,
    Restart,
    RestartScheduled,
    ShutdownTimeout,
    Strategy,
    SupervisorSpec,
    System,
    open_system,
)
from supervision._mailbox import make_mailbox
from supervision._slot import Ask
from supervision.testing import Crash, Echo, Hang, Puppet, Quit, Stage

pytestmark = pytest.mark.anyio


async def test_a_terminated_child_has_its_full_time_to_stop(stage: Stage) -> None:
    """The patience with its restart, which was done long since, cut the stop short."""
    stage.stop_delays_s = {"a": 4}
    async with open_system(SupervisorSpec((ChildSpec("a", stage),))) as system:
        await system.kill("a")
        await anyio.sleep(7)
        async with system.subscribe() as events:
            await system.terminate_child("", "a")
            system.stop()
            assert not [event async for event in events if isinstance(event, ShutdownTimeout)]
    assert stage.of("stop") == ["a", "a"]


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
async def test_who_is_cut_at_its_limit_is_no_failed_start(stage: Stage, strategy: Strategy) -> None:
    """The supervisor's patience and the child's own limit end in the same instant: it must not count as one
    that lingers.
    """
    stage.stop_delays_s = {"b": 100, "c": 100}
    children = tuple(ChildSpec(each, stage, backoff=Backoff(lambda _: 0)) for each in "abc")
    async with open_system(SupervisorSpec(children, strategy, Intensity(1, 100.0))) as system:
        async with system.subscribe() as events:
            system.lookup("a").tell(Crash())
            await anyio.sleep(50)
            await system.terminate_child("", "b")
            system.stop()
            told = [event async for event in events]
        assert len([event for event in told if isinstance(event, RestartScheduled)]) == 1
    for path in "bc":
        mine = [event for event in told if event.path == path]
        exits = [type(event) for event in mine if isinstance(event, ChildExited | ChildStopped)]
        assert exits == [ChildExited, ChildExited, ChildStopped]


async def test_who_was_told_to_stop_handles_no_more(stage: Stage) -> None:
    """After a handler in a shield of its own the next message was handled although the end was asked for."""
    async with open_system(SupervisorSpec((ChildSpec("a", stage),))) as system, system.subscribe() as events:
        system.lookup("a").tell(Hang(3, shielded=True))
        system.lookup("a").tell(Echo("late"))
        await anyio.sleep(1)
        system.stop()
        letters = [event.message async for event in events if isinstance(event, DeadLetter)]
    assert letters == [Echo("late")]
    assert stage.handled == []
    assert stage.of("stop") == ["a"]


async def test_a_supervisor_that_is_to_stop_schedules_nothing(stage: Stage) -> None:
    """A stop that came while a group went down let the restart of the group begin."""
    stage.stop_delays_s = {"c": 2}
    children = tuple(ChildSpec(each, stage) for each in "abc")
    spec = SupervisorSpec(children, Strategy.ONE_FOR_ALL)
    async with open_system(spec) as system, system.subscribe() as events:
        system.lookup("a").tell(Crash())
        await anyio.sleep(1)
        system.stop()
        told = [event async for event in events]
    assert not [event for event in told if isinstance(event, RestartScheduled)]
    assert {event.incarnation for event in told if isinstance(event, ChildExited)} == {1}


async def test_commands_are_heard_between_the_tries_of_a_group(stage: Stage) -> None:
    """Who left during a group's restart was started once more, as the next try was due at once."""
    stage.start_delays_s = {"b": 1}
    children = tuple(ChildSpec(each, stage, backoff=Backoff(lambda _: 0)) for each in "ab")
    async with open_system(SupervisorSpec(children, Strategy.ONE_FOR_ALL, Intensity(100))) as system:
        stage.failing_starts["b"] = 3
        system.lookup("b").tell(Crash())
        await anyio.sleep(0.5)
        await system.terminate_child("", "a")
        await anyio.sleep(20)
        assert stage.tries == {"a": 2, "b": 5}


class Stubborn(Puppet):
    """Starts in a shield of its own."""

    async def on_start(self) -> None:
        with anyio.CancelScope(shield=True):
            await super().on_start()


async def test_who_was_passed_by_does_not_come_up_any_more(stage: Stage) -> None:
    """Its start was done long after it had been given up: the stopped child was running again."""
    spec = SupervisorSpec((ChildSpec("a", lambda: Stubborn(stage)),))
    async with open_system(spec) as system, system.subscribe() as events:
        stage.start_delays_s = {"a": 30}
        await system.kill("a")
        await anyio.sleep(1)
        await system.terminate_child("", "a")
        await anyio.sleep(100)
        row = system.tree().find("a")
        assert row is not None
        assert row.state == "stopped"
        system.stop()
        assert not [event async for event in events if isinstance(event, ChildStarted)]


async def test_an_overdue_start_that_cannot_be_cancelled_is_a_failure(stage: Stage) -> None:
    """A transient child was given up as if it had been asked to stop."""
    child = ChildSpec("a", lambda: Stubborn(stage), restart=Restart.TRANSIENT)
    async with open_system(SupervisorSpec((child,), intensity=Intensity(1000))) as system:
        stage.start_delays_s = {"a": 30}
        await system.kill("a")
        await anyio.sleep(20)
        stage.start_delays_s = {"a": 0}
        await anyio.sleep(60)
        assert await system.lookup("a").ask(Echo(1)) == 1


def _stubborn_pair(stage: Stage) -> SupervisorSpec:
    """Both are restarted together; `a` starts in a shield of its own."""
    children = ChildSpec("a", lambda: Stubborn(stage)), ChildSpec("b", stage)
    return SupervisorSpec(children, Strategy.ONE_FOR_ALL)


async def _kill_twice(system: System, stage: Stage) -> None:
    """`a` is killed over the start that follows its first end: that lasts longer than anybody waits."""
    stage.start_delays_s = {"a": 12}
    await system.kill("a")
    await anyio.sleep(1)
    await system.kill("a")
    await anyio.sleep(5)


async def test_who_comes_up_while_it_is_given_up_has_failed_to_start(stage: Stage) -> None:
    """The group went on as if it were there, and nobody started it again."""
    async with open_system(_stubborn_pair(stage)) as system:
        await _kill_twice(system, stage)
        stage.start_delays_s = {}
        await anyio.sleep(5)
        assert await system.lookup("a").ask(Echo(1)) == 1
    assert stage.tries == {"a": 3, "b": 2}


async def test_a_group_is_started_no_further_once_the_supervisor_is_to_stop(stage: Stage) -> None:
    """The stop came while the first of the group was given up, and the second one was started."""
    async with (
        open_system(_stubborn_pair(stage)) as system,
        system.subscribe() as events,
    ):
        await _kill_twice(system, stage)
        system.stop()
        told = [event async for event in events if event.path == "b"]
    assert [event.incarnation for event in told if isinstance(event, ChildExited)] == [1]


async def test_who_has_ended_lingers_no_longer(stage: Stage) -> None:
    """The command came first, the end of the old incarnation next, and a busy supervisor to both later."""
    stage.stop_delays_s = {"c": 4}
    spec = SupervisorSpec(tuple(ChildSpec(each, stage) for each in "abc"), Strategy.REST_FOR_ONE)
    async with open_system(spec) as system, anyio.create_task_group() as group:
        system.lookup("a").tell(Hang(20, shielded=True))
        await anyio.sleep(1)
        await system.terminate_child("", "a")
        await anyio.sleep(11)
        system.lookup("b").tell(Crash())
        await anyio.sleep(1)
        group.start_soon(system.restart_child, "", "a")
        await anyio.sleep(4)
        assert await system.lookup("a").ask(Echo(1)) == 1


async def test_the_room_of_the_abandoned_belongs_to_who_came_first() -> None:
    """A sender who came later took it, and those who waited before were not told that there was room."""
    box, done = make_mailbox(MailboxSpec(2), "a", lambda: None), list[str]()
    asks = [Ask("first"), Ask("second")]
    for ask in asks:
        box.put(ask)

    async def send(name: str) -> None:
        await box.send(name)
        done.append(name)

    async with anyio.create_task_group() as group:
        for name in "ab":
            group.start_soon(send, name)
            await anyio.wait_all_tasks_blocked()
        for ask in asks:
            box.abandon(ask)
        group.start_soon(send, "c")
        await anyio.wait_all_tasks_blocked()
        assert done == ["a", "b"]
        assert [box.pop(), box.pop()] == ["a", "b"]
    assert done == ["a", "b", "c"]


async def test_a_stopped_child_is_forgotten_with_its_supervisor(stage: Stage) -> None:
    """Nobody was told, and its place was kept for ever."""
    floor = SupervisorSpec((ChildSpec("b", stage, restart=Restart.TRANSIENT),))
    spec = SupervisorSpec((ChildSpec("sub", floor, restart=Restart.TEMPORARY),))
    async with open_system(spec) as system, system.subscribe() as events:
        await system.lookup("sub/b").ask(Quit())
        await anyio.sleep(1)
        await system.kill("sub")
        await anyio.sleep(1)
        assert system.find("sub/b") is None
        system.stop()
        assert [event.path async for event in events if isinstance(event, ChildDeleted)] == ["sub/b"]
