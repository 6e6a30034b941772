"""Reports of slow handlers."""

from __future__ import annotations

import asyncio
import time

import anyio
import pytest

from supervision import (
    Actor,
    ActorCrashed,
    ChildSpec,
    Event,
    SlowHandler,
    SupervisorSpec,
    System,
    open_system,
)
from supervision.testing import Crash, Do, Echo, Hang, Puppet, Stage, virtual_backend

pytestmark = pytest.mark.anyio


def slow(stage: Stage, *ids: str, after_s: float | None = 2) -> SupervisorSpec:
    return SupervisorSpec(tuple(ChildSpec(name, stage, slow_after_s=after_s) for name in ids))


async def reports(system: System, during_s: float) -> list[SlowHandler]:
    """What is told in so many seconds."""
    told: list[Event] = []
    async with system.subscribe() as events:
        with anyio.move_on_after(during_s):
            async for event in events:
                told.append(event)  # noqa: PERF401 - what came before the time was over counts
    return [event for event in told if isinstance(event, SlowHandler)]


async def test_a_slow_handler_is_told_while_it_runs(stage: Stage) -> None:
    """At its threshold and once, with path, type and seconds; the next slow one is told again."""
    async with open_system(slow(stage, "a", "b")) as system:
        system.lookup("a").tell(Hang(1))
        system.lookup("a").tell(Hang(10))
        system.lookup("a").tell(Hang(3))
        system.lookup("b").tell(Hang(1.5))
        assert await reports(system, 2.5) == []
        first = await reports(system, 1)
        assert first == [SlowHandler("a", "Hang", 2, running=True)]
        rest = await reports(system, 20)
    assert rest == [SlowHandler("a", "Hang", 2, running=True)]


async def test_a_request_is_watched_too(stage: Stage) -> None:
    """By its own type and not that of its envelope."""
    async with open_system(slow(stage, "a")) as system, anyio.create_task_group() as group:
        group.start_soon(system.lookup("a").ask, Hang(3))
        told = await reports(system, 5)
    assert [event.message for event in told] == ["Hang"]


async def test_slow_reports_are_off_by_default(stage: Stage) -> None:
    """Nothing looks at a message then."""
    async with open_system(slow(stage, "a", after_s=None)) as system:
        system.lookup("a").tell(Hang(1000))
        assert await reports(system, 900) == []
        cell = system.find("a")
        assert cell is not None
        assert cell.observer is None


@pytest.mark.parametrize("after_s", [0, -1, float("nan")])
def test_a_threshold_is_positive(stage: Stage, after_s: float) -> None:
    """Zero would tell of every message."""
    with pytest.raises(ValueError, match="slow_after_s"):
        slow(stage, "a", after_s=after_s)


async def test_the_watch_ends_with_the_system_and_rests_with_the_actor(stage: Stage) -> None:
    """Nobody waits for it; an idle actor is looked at no more; a restarted one is looked at again."""
    begin = anyio.current_time()
    async with open_system(slow(stage, "a", after_s=1000)) as system:
        await system.lookup("a").ask(Echo(1))
        with pytest.raises(ActorCrashed):
            await system.lookup("a").ask(Crash())
        await system.lookup("a").ask(Echo(1))
    assert anyio.current_time() - begin < 100
    async with open_system(slow(stage, "a")) as system:
        await system.lookup("a").ask(Echo(1))
        await anyio.sleep(100)
        assert system.slow._known == set()
        with pytest.raises(ActorCrashed):
            await system.lookup("a").ask(Crash())
        await anyio.sleep(100)
        system.lookup("a").tell(Hang(5))
        assert [event.seconds for event in await reports(system, 10)] == [pytest.approx(2)]


async def test_a_busy_actor_is_looked_at_once_per_threshold(stage: Stage) -> None:
    """However many messages it handles meanwhile: they do not pile up in the watch."""
    async with open_system(slow(stage, "a", after_s=1000)) as system:
        for number in range(100):
            await system.lookup("a").ask(Echo(number))
        assert len(system.slow._due) == 1


class Blocker(Actor):
    """Blocks the whole event loop."""

    async def receive(self, message: object) -> object:
        time.sleep(0.05)  # noqa: ASYNC251 - that is the fault
        return None


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_one_that_blocks_the_loop_is_told_at_its_end(anyio_backend: str) -> None:
    """Nobody else could run before."""
    spec = SupervisorSpec((ChildSpec("a", Blocker, slow_after_s=0.02),))
    async with open_system(spec) as system, system.subscribe() as events:
        system.lookup("a").tell("block")
        async for event in events:
            if isinstance(event, SlowHandler):
                assert (event.path, event.message, event.running) == ("a", "str", False)
                assert event.seconds >= 0.05
                break


@pytest.mark.parametrize("anyio_backend", [virtual_backend("asyncio")])
async def test_the_watch_survives_a_foreign_cancel(stage: Stage, anyio_backend: object) -> None:
    """A native cancel ends its task; the next message starts it again."""
    async with open_system(slow(stage, "a")) as system:
        system.lookup("a").tell(Hang(1))
        await anyio.sleep(0.5)
        (watch,) = (task for task in asyncio.all_tasks() if task.get_name() == "slow handlers")
        watch.cancel()
        await anyio.sleep(1)
        system.lookup("a").tell(Hang(5))
        assert [event.seconds for event in await reports(system, 10)] == [pytest.approx(2)]


async def test_the_report_says_what_the_tree_says(stage: Stage) -> None:
    """The row of a busy actor names its message, and for how long it has been in hand."""

    async def look(puppet: Puppet) -> object:
        await anyio.sleep(3)
        row = puppet.ctx.system.tree().find("a")
        assert row is not None
        return row.current_message, row.current_message_s

    async with open_system(slow(stage, "a")) as system:
        assert await system.lookup("a").ask(Do(look)) == ("Do", pytest.approx(3))
        row = system.tree().find("a")
        assert row is not None
        assert (row.current_message, row.current_message_s) == (None, 0)
