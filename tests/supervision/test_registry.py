"""Names: one holder each, kept over its restarts, free when it has ended."""

from __future__ import annotations

import anyio
import pytest
from tenacity import wait_fixed

from supervision import (
    Actor,
    ActorStopped,
    Backoff,
    ChildSpec,
    DeadLetter,
    DynamicSupervisorSpec,
    NamedRef,
    NameNotFound,
    NameTaken,
    NotAnActor,
    Restart,
    Strategy,
    SupervisorSpec,
    Terminated,
    open_system,
)
from supervision.testing import Crash, Echo, Probe, PuppetError, Quit, Stage

pytestmark = pytest.mark.anyio


def house(stage: Stage) -> SupervisorSpec:
    """A floor with a named actor, and a room for more."""
    named = ChildSpec("b", stage, name="clock", restart=Restart.TRANSIENT, backoff=Backoff(wait_fixed(5)))
    floor = SupervisorSpec((ChildSpec("a", stage), named), Strategy.REST_FOR_ONE)
    return SupervisorSpec((ChildSpec("sub", floor, name="floor"), ChildSpec("d", DynamicSupervisorSpec())))


async def test_a_name_is_a_ref(stage: Stage) -> None:
    """It tells, asks and sends as a path does, and says where its holder lives."""
    async with open_system(house(stage)) as system:
        clock = system.named("clock")
        assert await clock.ask(Echo(1)) == 1
        clock.tell(Echo(2))
        await clock.send(Echo(3))
        assert await clock.ask(Echo(4)) == 4
        assert stage.handled == [("sub/b", each) for each in (1, 2, 3, 4)]
        assert clock.path == "sub/b"
        assert system.whereis("clock") == system.lookup("sub/b")
        assert system.names() == {"clock": "sub/b", "floor": "sub"}
        with pytest.raises(NotAnActor):
            system.named("floor").tell(Echo(1))


async def test_a_name_is_kept_over_restarts(stage: Stage) -> None:
    """Of its holder, during the backoff too, and of a supervisor above."""
    async with open_system(house(stage)) as system:
        clock = system.named("clock")
        for _ in range(2):
            clock.tell(Crash())
            await anyio.sleep(0.1)
        assert system.tree().find("sub/b").state == "backoff"  # type: ignore[union-attr]  # it is there
        assert await clock.ask(Echo("after"), timeout=10) == "after"
        await system.kill("sub")
        await anyio.sleep(0.1)
        assert await clock.ask(Echo("new floor")) == "new floor"


async def test_a_name_is_free_when_its_holder_has_ended(stage: Stage) -> None:
    """Another may take it then, and the ref of the name follows."""
    async with open_system(house(stage)) as system:
        clock = system.named("clock")
        await clock.ask(Quit())
        await anyio.sleep(0.1)
        assert system.whereis("clock") is None
        with pytest.raises(ActorStopped, match="nobody has the name 'clock'"):
            clock.tell(Echo(1))
        await system.start_child("d", ChildSpec("x", stage, name="clock"))
        assert await clock.ask(Echo(2)) == 2
        with pytest.raises(NameTaken, match="'clock' is held by 'd/x', 'sub/b' cannot have it"):
            await system.restart_child("sub", "b")
        await system.terminate_child("d", "x")
        await system.restart_child("sub", "b")
        assert await clock.ask(Echo(3)) == 3
        assert stage.handled == [("d/x", 2), ("sub/b", 3)]


async def test_a_taken_name_is_refused(stage: Stage) -> None:
    """The one that holds it lives on, and the other was never there."""
    async with open_system(house(stage)) as system:
        with pytest.raises(NameTaken, match="'clock' is held by 'sub/b', 'd/x' cannot have it"):
            await system.start_child("d", ChildSpec("x", stage, name="clock"))
        with pytest.raises(NameTaken):
            system.register("clock", system.lookup("sub/a"))
        assert system.which_children("d") == ()
        assert stage.tries["d/x"] == 0
        assert await system.named("clock").ask(Echo(1)) == 1


async def test_two_of_one_name_in_a_spec_do_not_come_up(stage: Stage) -> None:
    """The start fails as any failed start does."""
    spec = SupervisorSpec((ChildSpec("a", stage, name="n"), ChildSpec("b", stage, name="n")))
    with pytest.raises(NameTaken, match="'n' is held by 'a'"):
        async with open_system(spec):
            pytest.fail("it must not come up")
    assert stage.of("stop") == ["a"]


async def test_a_failed_start_frees_the_name(stage: Stage) -> None:
    """The next may have it."""
    async with open_system(house(stage)) as system:
        stage.failing_starts["d/x"] = 1
        with pytest.raises(PuppetError):
            await system.start_child("d", ChildSpec("x", stage, name="n"))
        await system.start_child("d", ChildSpec("y", stage, name="n"))
        assert system.named("n").path == "d/y"


async def test_names_are_given_and_taken_at_run_time(stage: Stage) -> None:
    """Several for one holder; again for its own holder is nothing; a taken one passes to the next."""
    async with open_system(house(stage)) as system:
        a, b = system.lookup("sub/a"), system.lookup("sub/b")
        first = system.named("first")
        for _ in range(2):
            system.register("first", a)
        system.register("second", a)
        assert await first.ask(Echo("a")) == "a"
        system.unregister("first")
        system.register("first", b)
        assert await first.ask(Echo("b")) == "b"
        assert stage.handled == [("sub/a", "a"), ("sub/b", "b")]
        await system.terminate_child("sub", "a")
        assert system.names() == {"floor": "sub", "clock": "sub/b", "first": "sub/b"}
        with pytest.raises(NameNotFound):
            system.unregister("third")
        with pytest.raises(ActorStopped):
            system.register("third", system.lookup("nobody"))
        await system.kill("sub")
        await anyio.sleep(0.1)
        assert system.names() == {"floor": "sub", "clock": "sub/b"}


async def test_a_message_to_an_unknown_name_is_a_dead_letter(stage: Stage) -> None:
    """However it was sent."""
    async with open_system(house(stage)) as system, system.subscribe() as events:
        nobody = system.named("nobody")
        with pytest.raises(ActorStopped):
            nobody.tell("told")
        with pytest.raises(ActorStopped):
            await nobody.send("sent")
        with pytest.raises(ActorStopped):
            await nobody.ask(Echo("asked"))
        nobody.tell_threadsafe("from a thread")
        await anyio.sleep(1)
        system.stop()
        letters = [event async for event in events if isinstance(event, DeadLetter)]
    assert [(each.path, each.why) for each in letters] == [("@nobody", "nobody has that name")] * 4


async def test_the_holder_of_a_name_can_be_watched(stage: Stage) -> None:
    """The notice tells its path; of an unknown name it comes at once."""
    probe = Probe()

    class Watcher(Actor):
        async def on_start(self) -> None:
            for name in ("clock", "nobody"):
                self.ctx.watch(self.ctx.system.named(name))

        async def receive(self, message: object) -> object:
            return probe.record(message)

    async with open_system(house(stage)) as system:
        await system.start_child("d", ChildSpec("w", Watcher))
        assert await probe.expect(Terminated) == Terminated("@nobody", None)
        await system.named("clock").ask(Quit())
        assert (await probe.expect(Terminated)).path == "sub/b"


async def test_refs_by_name_are_equal_by_name(stage: Stage) -> None:
    """And never equal to a ref by path, since the name may pass on."""
    async with open_system(house(stage)) as system:
        clock = system.named("clock")
        assert isinstance(clock, NamedRef)
        refs = [clock, system.named("floor"), system.lookup("sub/b"), system.lookup("sub")]
        assert (
            len({*refs, system.named("clock"), system.lookup("sub")}) == len({hash(ref) for ref in refs}) == 4
        )
        assert system.lookup("sub") != system.lookup("sub/b")
        assert system.lookup("sub") == system.lookup("sub")
        assert system.lookup("sub/b") != clock
        assert repr(clock) == "<NamedRef 'clock'>"
