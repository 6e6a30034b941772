"""Children on demand: start_child and terminate_child."""

from __future__ import annotations

from contextvars import ContextVar

import anyio
import pytest
from anyio.lowlevel import checkpoint
from tenacity import wait_fixed

from supervision import (
    ActorStopped,
    AutoShutdown,
    Backoff,
    ChildAdded,
    ChildCount,
    ChildDeleted,
    ChildExists,
    ChildExited,
    ChildInfo,
    ChildNotFound,
    ChildRestarting,
    ChildRunning,
    ChildSpec,
    ChildStopped,
    Crashed,
    DynamicSupervisorSpec,
    Intensity,
    NotASupervisor,
    Restart,
    StartFailed,
    Strategy,
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


async def test_nothing_of_a_floor_that_has_gone_is_kept(stage: Stage) -> None:
    """Not even of a child that had stopped before."""
    floor = SupervisorSpec((ChildSpec("y", stage, restart=Restart.TRANSIENT),))
    async with open_system(DYNAMIC) as system:
        await system.start_child("d", ChildSpec("x", floor))
        await system.lookup("d/x/y").ask(Quit())
        await anyio.sleep(1)
        await system.terminate_child("d", "x")
        assert system.find("d/x/y") is None


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
        with pytest.raises(NotASupervisor):
            await system.start_child("a", ChildSpec("b", stage))
        with pytest.raises(ActorStopped):
            await system.start_child("nobody", ChildSpec("b", stage))


async def test_commands_end_with_their_supervisor(stage: Stage) -> None:
    """Whoever waits when it is killed hears so at once."""
    stage.start_delays_s = {"d/x": 3}
    outcomes: list[str] = []
    async with open_system(DYNAMIC) as system, anyio.create_task_group() as group:

        async def start() -> None:
            with pytest.raises(ActorStopped, match="d/x was stopped while it started"):
                await system.start_child("d", ChildSpec("x", stage))
            outcomes.append("told")

        group.start_soon(start)
        await anyio.sleep(1)
        await system.kill("d")
        await anyio.sleep(0.1)
        assert outcomes == ["told"]
        assert system.tree().children[0].children == ()


async def test_a_command_that_waits_ends_with_its_supervisor(stage: Stage) -> None:
    """It had not come to it when it was killed."""
    stage.stop_delays_s = {"sub/b": 5}
    floor = SupervisorSpec((ChildSpec("a", stage), ChildSpec("b", stage)), Strategy.ONE_FOR_ALL)
    async with open_system(SupervisorSpec((ChildSpec("sub", floor),))) as system:
        system.lookup("sub/a").tell(Crash())
        await anyio.sleep(1)
        async with anyio.create_task_group() as group:

            async def start() -> None:
                with pytest.raises(ActorStopped, match="the supervisor 'sub' has ended"):
                    await system.start_child("sub", ChildSpec("c", stage))

            group.start_soon(start)
            await anyio.sleep(1)
            await system.kill("sub")
        assert stage.tries["sub/c"] == 0


async def test_a_supervisor_that_stops_takes_no_commands(stage: Stage) -> None:
    """It says so at once."""
    stage.stop_delays_s = {"sub/a": 3}
    floor = SupervisorSpec((ChildSpec("a", stage),))
    async with open_system(SupervisorSpec((ChildSpec("sub", floor),))) as system:
        system.stop()
        await anyio.sleep(1)
        with pytest.raises(ActorStopped, match="the supervisor 'sub' is stopping"):
            await system.start_child("sub", ChildSpec("b", stage))
        with pytest.raises(ActorStopped, match="the supervisor '' is stopping"):
            await system.terminate_child("", "sub")
    assert stage.tries == {"sub/a": 1}


@pytest.mark.parametrize("steps", range(8))
async def test_a_child_that_ends_may_be_terminated_at_any_moment(stage: Stage, steps: int) -> None:
    """Also when its end has not been heard of yet."""
    async with open_system(SupervisorSpec((ChildSpec("a", stage),))) as system:
        system.lookup("a").tell(Quit())
        for _ in range(steps):
            await checkpoint()
        await system.terminate_child("", "a")
        assert system.which_children("")[0].state == "stopped"
        await anyio.sleep(100)
        assert system.which_children("")[0].state == "stopped"


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


async def test_which_children_are_rows_in_start_order(stage: Stage) -> None:
    """With what their specs say and what they do; counted without rows."""
    floor = SupervisorSpec((ChildSpec("y", stage),))
    slow = Backoff(wait_fixed(100), immediate=False)
    children = (
        ChildSpec("a", stage),
        ChildSpec("b", stage, backoff=slow),
        ChildSpec("sub", floor),
        ChildSpec("t", stage, restart=Restart.TEMPORARY, significant=True),
    )
    spec = SupervisorSpec(children, auto_shutdown=AutoShutdown.ALL_SIGNIFICANT)
    async with open_system(SupervisorSpec((ChildSpec("f", spec),))) as system:
        await system.terminate_child("f", "a")
        system.lookup("f/b").tell(Crash())
        await anyio.sleep(1)
        assert system.which_children("f") == (
            ChildInfo("a", "f/a", "actor", "stopped", Restart.PERMANENT, False),
            ChildInfo("b", "f/b", "actor", "backoff", Restart.PERMANENT, False),
            ChildInfo("sub", "f/sub", "supervisor", "running", Restart.PERMANENT, False),
            ChildInfo("t", "f/t", "actor", "running", Restart.TEMPORARY, True),
        )
        assert system.count_children("f") == ChildCount(specs=4, active=2, supervisors=1, actors=3)
        assert system.count_children("f/sub") == ChildCount(1, 1, 0, 1)
        for wrong, error in (("f/t", NotASupervisor), ("nobody", ActorStopped)):
            with pytest.raises(error):
                system.which_children(wrong)
            with pytest.raises(error):
                system.count_children(wrong)


async def test_restart_child_brings_a_terminated_child_back(stage: Stage) -> None:
    """Into its old place, with a new mailbox; old refs reach it; it counts on as an incarnation."""
    async with open_system(SupervisorSpec(tuple(ChildSpec(each, stage) for each in "abc"))) as system:
        old = system.lookup("b")
        await system.terminate_child("", "b")
        ref = await system.restart_child("", "b")
        assert ref == old
        assert await old.ask(Echo(1)) == 1
        assert [row.id for row in system.which_children("")] == ["a", "b", "c"]
        row = system.tree().children[1]
        assert (row.incarnation, row.handled, row.state) == (2, 1, "running")
        stage.journal.clear()
    assert stage.of("stop") == ["c", "b", "a"]


async def test_restart_child_brings_back_what_had_ended_normally(stage: Stage) -> None:
    """It is supervised as before, a floor with all that is on it."""
    floor = ChildSpec("sub", SupervisorSpec((ChildSpec("y", stage),)))
    async with open_system(
        SupervisorSpec((ChildSpec("a", stage, restart=Restart.TRANSIENT), floor))
    ) as system:
        system.lookup("a").tell(Crash("early"))
        await system.lookup("a").ask(Quit())
        await anyio.sleep(1)
        await system.restart_child("", "a")
        row = system.tree().children[0]
        assert (row.last_error, row.last_error_at is None) == ("PuppetError: early", False)
        system.lookup("a").tell(Crash())
        assert await system.lookup("a").ask(Echo(1)) == 1
        await system.terminate_child("", "sub")
        await system.restart_child("", "sub")
        assert await system.lookup("sub/y").ask(Echo(1)) == 1


@pytest.mark.parametrize("command", ["restart_child", "delete_child"])
async def test_only_a_stopped_child_is_restarted_or_deleted(stage: Stage, command: str) -> None:
    """Each other state has its own error (as OTP's running, restarting, not_found)."""
    slow = Backoff(wait_fixed(100), immediate=False)
    stage.start_delays_s["slow"] = 3
    stage.stop_delays_s["c"] = 3
    children = (ChildSpec("a", stage), ChildSpec("b", stage, backoff=slow), ChildSpec("c", stage))
    temporary = ChildSpec("t", stage, restart=Restart.TEMPORARY)
    async with open_system(SupervisorSpec((*children, temporary))) as system:
        system.lookup("b").tell(Crash())
        await system.terminate_child("", "t")
        async with anyio.create_task_group() as group:
            group.start_soon(system.start_child, "", ChildSpec("slow", stage))
            group.start_soon(system.terminate_child, "", "c")
            await anyio.sleep(1)
            for child, error, text in (
                ("a", ChildRunning, "a is running"),
                ("b", ChildRestarting, "b waits for its restart"),
                ("c", ChildRunning, "c is stopping"),
                ("slow", ChildRunning, "slow is starting"),
                ("t", ChildNotFound, "'' has no child 't'"),
                ("nobody", ChildNotFound, "'' has no child 'nobody'"),
            ):
                with pytest.raises(error, match=text):
                    await getattr(system, command)("", child)
        with pytest.raises(NotASupervisor):
            await getattr(system, command)("a", "b")


async def test_a_failed_restart_child_leaves_it_stopped(stage: Stage) -> None:
    """The caller gets the error, it counts as nothing, and a second try may succeed."""
    spec = SupervisorSpec((ChildSpec("a", stage), ChildSpec("b", stage)), intensity=Intensity(0))
    async with open_system(spec) as system:
        await system.terminate_child("", "a")
        stage.failing_starts["a"] = 1
        async with system.subscribe() as events:
            with pytest.raises(PuppetError, match="start of a"):
                await system.restart_child("", "a")
            failed = Crashed("PuppetError: start of a")
            assert [await anext(events) for _ in range(3)] == [
                ChildAdded("a", "actor"),
                ChildExited("a", 2, failed, started=False),
                ChildStopped("a", failed, removed=False),
            ]
        assert system.which_children("")[0].state == "stopped"
        await system.restart_child("", "a")
        assert await system.lookup("a").ask(Echo(1)) == 1


async def test_delete_child_frees_the_id(stage: Stage) -> None:
    """A stopped child keeps it until then; the deletion is an event."""
    async with open_system(SupervisorSpec((ChildSpec("a", stage), ChildSpec("b", stage)))) as system:
        await system.terminate_child("", "a")
        with pytest.raises(ChildExists):
            await system.start_child("", ChildSpec("a", stage))
        async with system.subscribe() as events:
            await system.delete_child("", "a")
            assert await anext(events) == ChildDeleted("a")
        assert system.find("a") is None
        assert system.lookup("a") == await system.start_child("", ChildSpec("a", stage))
        assert [row.id for row in system.which_children("")] == ["b", "a"]


async def test_nothing_of_that_id_starts_while_an_old_one_lingers(stage: Stage) -> None:
    """Neither a new dynamic child nor a restarted static one; afterwards both may."""
    stuck = ChildSpec("x", stage, shutdown_timeout_s=1)
    spec = SupervisorSpec((stuck, ChildSpec("d", DynamicSupervisorSpec())))
    async with open_system(spec) as system:
        await system.start_child("d", stuck)
        for path in ("x", "d/x"):
            system.lookup(path).tell(Hang(20, shielded=True))
        await anyio.sleep(1)
        for parent in ("", "d"):
            await system.terminate_child(parent, "x")
        with pytest.raises(StartFailed, match="x: an incarnation that could not be stopped is still there"):
            await system.restart_child("", "x")
        with pytest.raises(StartFailed, match="d/x: an incarnation that could not be stopped is still there"):
            await system.start_child("d", stuck)
        await anyio.sleep(30)
        await system.restart_child("", "x")
        await system.start_child("d", stuck)
    assert stage.tries == {"x": 2, "d/x": 2}


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


async def test_one_that_ends_before_its_end_is_asked_for(stage: Stage) -> None:
    """The supervisor was busy, and finds the child gone when it comes to the command."""
    stage.stop_delays_s = {"c": 3}
    spec = SupervisorSpec(tuple(ChildSpec(each, stage) for each in "abc"), Strategy.REST_FOR_ONE)
    async with open_system(spec) as system, anyio.create_task_group() as group:
        system.lookup("b").tell(Crash())
        await anyio.sleep(1)
        group.start_soon(system.terminate_child, "", "a")
        await anyio.sleep(1)
        system.lookup("a").tell(Quit())
        await anyio.sleep(2)
        assert [child.state for child in system.which_children("")] == ["stopped", "running", "running"]
    assert stage.tries == {"a": 1, "b": 2, "c": 2}
