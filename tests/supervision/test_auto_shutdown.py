"""Significant children and the supervisor that ends with them (OTP's auto_shutdown)."""

from __future__ import annotations

from itertools import product

import anyio
import pytest
from tenacity import wait_fixed

from supervision import (
    ActorStopped,
    AutoShutdown,
    Backoff,
    ChildExited,
    ChildSpec,
    DynamicSupervisorSpec,
    Restart,
    Shutdown,
    Strategy,
    SupervisorSpec,
    System,
    open_system,
)
from supervision.testing import Crash, Echo, PuppetError, Quit, Stage

pytestmark = pytest.mark.anyio

ANY, ALL = AutoShutdown.ANY_SIGNIFICANT, AutoShutdown.ALL_SIGNIFICANT


def house(
    stage: Stage,
    mode: AutoShutdown,
    significant: Restart = Restart.TRANSIENT,
    *,
    strategy: Strategy = Strategy.ONE_FOR_ONE,
    floor: Restart = Restart.TRANSIENT,
) -> SupervisorSpec:
    """A floor with two significant children and a third one, and a neighbour of the floor."""
    children = tuple(
        ChildSpec(each, stage, restart=significant, significant=True, backoff=Backoff(wait_fixed(1)))
        for each in "ab"
    )
    below = SupervisorSpec((*children, ChildSpec("c", stage)), strategy, auto_shutdown=mode)
    return SupervisorSpec((ChildSpec("sub", below, restart=floor), ChildSpec("d", stage)))


def state_of(system: System, path: str) -> str:
    row = system.tree().find(path)
    return row.state if row is not None else "gone"


async def end(system: System, path: str, how: str) -> None:
    """Let it crash, quit or be killed, and give the tree a moment."""
    if how == "kill":
        await system.kill(path)
    else:
        system.lookup(path).tell(Crash() if how == "crash" else Quit())
    await anyio.sleep(0.1)


@pytest.mark.parametrize(
    ("restart", "how"), list(product([Restart.TRANSIENT, Restart.TEMPORARY], ["crash", "quit", "kill"]))
)
async def test_any_significant_ends_with_the_first(stage: Stage, restart: Restart, how: str) -> None:
    """A transient one that ends normally, a temporary one that ends in any way; a restart is no end."""
    async with open_system(house(stage, ANY, restart)) as system:
        await end(system, "sub/b", how)
        over = restart is Restart.TEMPORARY or how == "quit"
        assert state_of(system, "sub") == ("stopped" if over else "running")
        assert stage.of("stop") == (["sub/b", "sub/c", "sub/a"] if over else ["sub/b"])
        assert await system.lookup("d").ask(Echo(1)) == 1


async def test_the_end_of_any_other_child_is_not_significant(stage: Stage) -> None:
    """It ends by itself, and that is all."""
    async with open_system(house(stage, ANY)) as system:
        await system.start_child("sub", ChildSpec("t", stage, restart=Restart.TEMPORARY))
        await end(system, "sub/t", "crash")
        assert state_of(system, "sub") == "running"


async def test_all_significant_ends_with_the_last(stage: Stage) -> None:
    """The first that ends is not the end; a third child that is not significant does not count."""
    async with open_system(house(stage, ALL)) as system:
        await end(system, "sub/a", "quit")
        assert state_of(system, "sub") == "running"
        await end(system, "sub/b", "quit")
        assert state_of(system, "sub") == "stopped"
        assert stage.of("stop") == ["sub/a", "sub/b", "sub/c"]


async def test_one_that_waits_for_its_restart_is_not_the_end(stage: Stage) -> None:
    """It will be back, so it counts as one that is left."""
    async with open_system(house(stage, ALL)) as system:
        for _ in range(2):
            await end(system, "sub/a", "crash")
        assert state_of(system, "sub/a") == "backoff"
        await end(system, "sub/b", "quit")
        assert state_of(system, "sub") == "running"
        await anyio.sleep(2)
        await end(system, "sub/a", "quit")
        assert state_of(system, "sub") == "stopped"


@pytest.mark.parametrize("mode", [ANY, ALL])
async def test_an_end_by_the_supervisor_is_not_significant(stage: Stage, mode: AutoShutdown) -> None:
    """Neither terminate_child nor the death of a sibling in a group (as OTP)."""
    async with open_system(house(stage, mode, strategy=Strategy.ONE_FOR_ALL)) as system:
        await end(system, "sub/c", "crash")
        for each in "ab":
            await system.terminate_child("sub", each)
        assert state_of(system, "sub") == "running"
        assert await system.lookup("sub/c").ask(Echo(1)) == 1


async def test_temporary_ones_that_a_group_takes_down_are_no_end(stage: Stage) -> None:
    """They are removed, and the floor stays up without them."""
    async with open_system(house(stage, ANY, Restart.TEMPORARY, strategy=Strategy.ONE_FOR_ALL)) as system:
        await end(system, "sub/c", "crash")
        assert [row.id for row in system.which_children("sub")] == ["c"]


@pytest.mark.parametrize("floor", Restart)
async def test_the_end_is_a_shutdown_and_the_parent_decides(stage: Stage, floor: Restart) -> None:
    """Permanent: started anew; transient: stays stopped; temporary: forgotten."""
    async with open_system(house(stage, ANY, floor=floor)) as system:
        await end(system, "sub/a", "quit")
        expected = {"permanent": "running", "transient": "stopped", "temporary": "gone"}
        assert state_of(system, "sub") == expected[floor.value]
        assert stage.tries["sub/a"] == (2 if floor is Restart.PERMANENT else 1)


async def test_floors_end_one_after_the_other(stage: Stage) -> None:
    """A supervisor may be significant itself: its orderly end is a normal one."""
    inner = house(stage, ANY).children[0]
    spec = SupervisorSpec(
        (ChildSpec("sub", inner.start, restart=Restart.TRANSIENT, significant=True), ChildSpec("d", stage)),
        auto_shutdown=ANY,
    )
    upper = ChildSpec("upper", spec, restart=Restart.TEMPORARY)
    async with open_system(SupervisorSpec((upper,))) as system:
        await end(system, "upper/sub/a", "quit")
        assert state_of(system, "upper") == "gone"
        assert stage.of("stop") == [f"upper/{each}" for each in ("sub/a", "sub/c", "sub/b", "d")]


async def test_the_root_may_end_itself(stage: Stage) -> None:
    """That is an end on purpose and no escalation: wait() returns."""
    spec = SupervisorSpec(
        (ChildSpec("a", stage, restart=Restart.TEMPORARY, significant=True), ChildSpec("b", stage)),
        auto_shutdown=ANY,
    )
    async with open_system(spec) as system:
        system.lookup("a").tell(Crash())
        await system.wait()
        assert stage.of("stop") == ["a", "b"]
        with pytest.raises(ActorStopped):
            system.lookup("b").tell(Echo(1))


async def test_a_dynamic_supervisor_ends_with_its_significant_children(stage: Stage) -> None:
    """A failed start is no end: that child was never there."""
    below = DynamicSupervisorSpec(auto_shutdown=ALL)
    async with open_system(SupervisorSpec((ChildSpec("d", below, restart=Restart.TRANSIENT),))) as system:
        stage.failing_starts["d/x"] = 1
        with pytest.raises(PuppetError, match="start of d/x"):
            await system.start_child("d", significant("x", stage))
        for each in "xy":
            await system.start_child("d", significant(each, stage))
        await end(system, "d/x", "crash")
        assert state_of(system, "d") == "running"
        await end(system, "d/y", "quit")
        assert state_of(system, "d") == "stopped"


def significant(child_id: str, stage: Stage) -> ChildSpec:
    return ChildSpec(child_id, stage, restart=Restart.TEMPORARY, significant=True)


async def test_its_reason_is_shutdown(stage: Stage) -> None:
    """As for every orderly end."""
    async with open_system(house(stage, ANY)) as system, system.subscribe() as events:
        await end(system, "sub/a", "quit")
        system.stop()
        exits = [each async for each in events if isinstance(each, ChildExited) and each.path == "sub"]
    assert [each.reason for each in exits] == [Shutdown()]


async def test_who_may_be_significant(stage: Stage) -> None:
    """Not a permanent child, and nobody where auto_shutdown is never (as OTP)."""
    with pytest.raises(ValueError, match="a permanent child never ends by itself"):
        ChildSpec("a", stage, significant=True)
    with pytest.raises(ValueError, match="auto_shutdown of its supervisor is never"):
        SupervisorSpec((significant("a", stage),))
    spec = SupervisorSpec((ChildSpec("d", DynamicSupervisorSpec()),))
    async with open_system(spec) as system:
        for parent in ("", "d"):
            with pytest.raises(ValueError, match="auto_shutdown of its supervisor is never"):
                await system.start_child(parent, significant("x", stage))
        assert stage.tries["d/x"] == 0
