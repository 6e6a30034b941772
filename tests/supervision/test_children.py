"""Children on demand: start_child and terminate_child."""

from __future__ import annotations

from contextvars import ContextVar

import anyio
import pytest

from supervision import (
    ActorStopped,
    ChildExists,
    ChildNotFound,
    ChildSpec,
    DynamicSupervisorSpec,
    NotAnActor,
    Restart,
    SupervisorSpec,
    TooManyChildren,
    open_system,
)
from supervision.testing import Crash, Echo, Hang, Puppet, PuppetError, Quit, Stage

pytestmark = pytest.mark.anyio

DYNAMIC = SupervisorSpec((ChildSpec("d", DynamicSupervisorSpec(max_children=2)),))


async def test_start_child_returns_when_it_is_up(stage: Stage) -> None:
    """With its ref."""
    stage.start_delays_s = {"d/x": 2}
    async with open_system(DYNAMIC) as system:
        ref = await system.start_child("d", ChildSpec("x", stage))
        assert ref.path == "d/x"
        assert stage.of("start") == ["d/x"]
        assert await ref.ask(Echo(1)) == 1


async def test_a_taken_id_is_refused(stage: Stage) -> None:
    """The one that is there lives on."""
    async with open_system(DYNAMIC) as system:
        await system.start_child("d", ChildSpec("x", stage))
        with pytest.raises(ChildExists):
            await system.start_child("d", ChildSpec("x", stage))
        assert stage.tries["d/x"] == 1


async def test_max_children_holds(stage: Stage) -> None:
    """And a child that has gone makes room."""
    async with open_system(DYNAMIC) as system:
        for each in "ab":
            await system.start_child("d", ChildSpec(each, stage, restart=Restart.TEMPORARY))
        with pytest.raises(TooManyChildren):
            await system.start_child("d", ChildSpec("c", stage))
        await system.lookup("d/a").ask(Quit())
        await anyio.sleep(1)
        await system.start_child("d", ChildSpec("c", stage))


async def test_a_failed_start_is_forgotten(stage: Stage) -> None:
    """The caller gets the child's own error; a second try may succeed."""
    stage.failing_starts["d/x"] = 1
    async with open_system(DYNAMIC) as system:
        with pytest.raises(PuppetError, match="start of d/x"):
            await system.start_child("d", ChildSpec("x", stage))
        assert system.tree().children[0].children == ()
        await system.start_child("d", ChildSpec("x", stage))


@pytest.mark.parametrize("floor", [True, False])
async def test_terminate_child_ends_it_for_good(stage: Stage, floor: bool) -> None:
    """Actor or a whole floor; on_stop has run when it returns."""
    spec = SupervisorSpec((ChildSpec("y", stage), ChildSpec("z", stage)))
    async with open_system(DYNAMIC) as system:
        await system.start_child("d", ChildSpec("x", spec if floor else stage))
        await system.terminate_child("d", "x")
        assert stage.of("stop") == (["d/x/z", "d/x/y"] if floor else ["d/x"])
        assert system.tree().children[0].children == ()
        with pytest.raises(ActorStopped):
            system.lookup("d/x").tell(Echo(1))
        with pytest.raises(ChildNotFound):
            await system.terminate_child("d", "x")


async def test_terminate_child_is_bounded(stage: Stage) -> None:
    """A child that cannot be stopped is left behind after its timeout; others are served meanwhile."""
    async with open_system(DYNAMIC) as system:
        ref = await system.start_child("d", ChildSpec("x", stage, shutdown_timeout_s=2))
        ref.tell(Hang(50, shielded=True))
        await anyio.sleep(1)
        begin = anyio.current_time()
        async with anyio.create_task_group() as group:
            group.start_soon(system.terminate_child, "d", "x")
            group.start_soon(system.terminate_child, "d", "x")
            await anyio.sleep(1)
            await system.start_child("d", ChildSpec("y", stage))
            assert anyio.current_time() - begin == pytest.approx(1)
        assert anyio.current_time() - begin == pytest.approx(2)


async def test_static_supervisors_take_children_too(stage: Stage) -> None:
    """Last in order; a terminated static child stays in the tree as stopped."""
    async with open_system(SupervisorSpec((ChildSpec("a", stage),))) as system:
        await system.start_child("", ChildSpec("b", stage))
        await system.terminate_child("", "a")
        assert [(row.id, row.state) for row in system.tree().children] == [("a", "stopped"), ("b", "running")]


async def test_commands_need_a_supervisor(stage: Stage) -> None:
    """Not an actor, and not nobody."""
    async with open_system(SupervisorSpec((ChildSpec("a", stage),))) as system:
        with pytest.raises(NotAnActor):
            await system.start_child("a", ChildSpec("b", stage))
        with pytest.raises(ActorStopped):
            await system.start_child("nobody", ChildSpec("b", stage))


async def test_commands_end_with_their_supervisor(stage: Stage) -> None:
    """Whoever waits when it is killed hears so at once."""
    stage.start_delays_s = {"d/x": 3}
    outcomes: list[str] = []
    async with open_system(DYNAMIC) as system, anyio.create_task_group() as group:

        async def start() -> None:
            with pytest.raises(ActorStopped):
                await system.start_child("d", ChildSpec("x", stage))
            outcomes.append("told")

        group.start_soon(start)
        await anyio.sleep(1)
        await system.kill("d")
        await anyio.sleep(0.1)
        assert outcomes == ["told"]
        assert system.tree().children[0].children == ()


async def test_a_killed_dynamic_supervisor_starts_empty(stage: Stage) -> None:
    """As OTP's: what it was given is gone."""
    async with open_system(DYNAMIC) as system:
        await system.start_child("d", ChildSpec("x", stage))
        await system.kill("d")
        await anyio.sleep(1)
        row = system.tree().children[0]
        assert (row.state, row.restarts, row.children) == ("running", 1, ())


async def test_a_dynamic_child_comes_back_by_its_restart_type(stage: Stage) -> None:
    """And one that does not is forgotten."""
    async with open_system(DYNAMIC) as system:
        await system.start_child("d", ChildSpec("x", stage, restart=Restart.TRANSIENT))
        system.lookup("d/x").tell(Crash())
        assert await system.lookup("d/x").ask(Echo(1)) == 1
        await system.lookup("d/x").ask(Quit())
        await anyio.sleep(1)
        assert system.tree().children[0].children == ()


def test_ids_are_checked() -> None:
    """Parts of a path, unique among siblings."""
    for wrong in ("", "a/b"):
        with pytest.raises(ValueError, match="id"):
            ChildSpec(wrong, SupervisorSpec(()))
    twice = ChildSpec("a", SupervisorSpec(()))
    with pytest.raises(ValueError, match="must differ"):
        SupervisorSpec((twice, twice))


REQUEST: ContextVar[str] = ContextVar("request", default="none")


async def test_children_do_not_inherit_the_callers_context() -> None:
    """A child started, or restarted, on behalf of a request does not carry that request's context."""
    seen: list[str] = []

    class Look(Puppet):
        async def on_start(self) -> None:
            seen.append(REQUEST.get())

    async with open_system(DYNAMIC) as system:
        REQUEST.set("42")
        await system.start_child("d", ChildSpec("x", lambda: Look(Stage())))
        await system.kill("d/x")
        await anyio.sleep(1)
    assert seen == ["none", "none"]
