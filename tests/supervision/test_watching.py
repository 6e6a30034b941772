"""Watches, timers, events and the tree."""

from __future__ import annotations

import anyio
import pytest

from supervision import (
    Actor,
    ChildAdded,
    ChildExited,
    ChildSpec,
    ChildStarted,
    ChildStopped,
    Crashed,
    DynamicSupervisorSpec,
    Intensity,
    IntensityExceeded,
    MailboxSpec,
    Normal,
    Overflow,
    Overflowed,
    Restart,
    RestartScheduled,
    Shutdown,
    Strategy,
    SupervisorSpec,
    Terminated,
    open_system,
)
from supervision.testing import Crash, Do, Echo, Hang, Probe, Puppet, PuppetError, Quit, Stage

pytestmark = pytest.mark.anyio


class Watcher(Actor):
    """Hands on what it is told of those it watches."""

    def __init__(self, told: list[Terminated], paths: tuple[str, ...]) -> None:
        self.told = told
        self.paths = paths

    async def on_start(self) -> None:
        for path in self.paths:
            self.ctx.watch(self.ctx.lookup(path))
            self.ctx.watch(self.ctx.lookup(path))  # twice is once

    async def receive(self, message: object) -> object:
        match message:
            case Terminated():
                self.told.append(message)
            case ("watch", str() as path):
                self.ctx.watch(self.ctx.lookup(path))
            case ("unwatch", str() as path):
                self.ctx.unwatch(self.ctx.lookup(path))
            case "hang":
                await anyio.sleep_forever()
            case "crash":
                raise PuppetError
        return None


async def test_one_terminated_per_watch(stage: Stage) -> None:
    """For the end for good, not for a restart; at once for who is not there; none after unwatch."""
    told: list[Terminated] = []
    watcher = ChildSpec("w", lambda: Watcher(told, ("a", "b", "c", "nobody", "sub")))
    children = [ChildSpec(each, stage, restart=Restart.TRANSIENT) for each in "abc"]
    floor = ChildSpec("sub", SupervisorSpec(()))
    async with open_system(SupervisorSpec((*children, floor, watcher))) as system:
        await anyio.sleep(1)
        assert told == [Terminated("nobody", None)]
        system.lookup("a").tell(Crash())
        await anyio.sleep(1)
        assert len(told) == 1
        system.lookup("w").tell(("unwatch", "b"))
        await system.lookup("a").ask(Quit())
        await system.lookup("b").ask(Quit())
        await anyio.sleep(1)
        assert told[1:] == [Terminated("a", Normal())]
        await system.terminate_child("", "c")
        await system.terminate_child("", "sub")
        await anyio.sleep(1)
        assert told[2:] == [Terminated("c", Shutdown()), Terminated("sub", Shutdown())]


async def test_a_restart_clears_watches(stage: Stage) -> None:
    """The new incarnation watches what it wants; each hears once."""
    told: list[Terminated] = []
    watcher = ChildSpec("w", lambda: Watcher(told, ("a",)))
    spec = SupervisorSpec((ChildSpec("a", stage, restart=Restart.TEMPORARY), watcher))
    async with open_system(spec) as system:
        system.lookup("w").tell("crash")
        await anyio.sleep(1)
        system.lookup("a").tell(Crash())
        await anyio.sleep(1)
        assert [each.path for each in told] == ["a"]
        assert isinstance(told[0].reason, Crashed)


async def test_a_watch_may_be_renewed(stage: Stage) -> None:
    """After it has told of an end, and after it was taken back: who is there again is watched again."""
    told: list[Terminated] = []
    watcher = ChildSpec("w", lambda: Watcher(told, ("a",)))
    async with open_system(SupervisorSpec((ChildSpec("a", stage), watcher))) as system:
        for before in (None, "watch", "unwatch", "watch"):
            if before:
                await system.restart_child("", "a")
                system.lookup("w").tell((before, "a"))
                await anyio.sleep(1)
            await system.terminate_child("", "a")
            await anyio.sleep(1)
    assert told == [Terminated("a", Shutdown())] * 3


async def test_who_watches_no_longer_is_not_kept(stage: Stage) -> None:
    """Neither who took it back, nor an incarnation that has ended, be it with the notice unread."""
    watcher = ChildSpec("w", lambda: Watcher([], ("a", "b")))
    children = (ChildSpec("a", stage), ChildSpec("b", stage), watcher)
    async with open_system(SupervisorSpec(children)) as system:
        a, b = system.find("a"), system.find("b")
        assert a is not None
        assert b is not None
        system.lookup("w").tell("crash")
        await anyio.sleep(1)
        assert (len(a.watchers), len(b.watchers)) == (1, 1)
        system.lookup("w").tell(("unwatch", "a"))
        await anyio.sleep(1)
        assert (len(a.watchers), len(b.watchers)) == (0, 1)
        system.lookup("w").tell("hang")
        await anyio.sleep(1)
        await system.terminate_child("", "b")
        await system.kill("w")
        await anyio.sleep(1)
        row = system.tree().find("w")
        assert row is not None
        assert (row.state, row.restarts, len(a.watchers), len(b.watchers)) == ("running", 2, 1, 0)


async def test_unwatch_holds_even_when_the_notice_waits(stage: Stage) -> None:
    """A notice in the mailbox does not arrive after unwatch; a system message passes user messages."""
    seen: list[object] = []

    class Busy(Actor):
        async def receive(self, message: object) -> object:
            if message == "work":
                await anyio.sleep(5)
                self.ctx.unwatch(self.ctx.lookup("b"))
            else:
                seen.append(message)
            return None

        async def on_start(self) -> None:
            for path in "ab":
                self.ctx.watch(self.ctx.lookup(path))

    children = [ChildSpec(each, stage, restart=Restart.TEMPORARY) for each in "ab"]
    async with open_system(SupervisorSpec((*children, ChildSpec("w", Busy)))) as system:
        for message in ("work", "later"):
            system.lookup("w").tell(message)
        for path in "ab":
            await system.lookup(path).ask(Quit())
        await anyio.sleep(10)
    assert seen == [Terminated("a", Normal()), "later"]


async def test_timers_arrive_in_time_and_order() -> None:
    """The same key replaces; a cancelled one never arrives."""
    seen: list[tuple[float, object]] = []

    class Clock(Actor):
        async def on_start(self) -> None:
            self.begin = anyio.current_time()
            for key, delay_s in (("a", 3.0), ("b", 2.0), ("c", 0.25), ("d", 4.0)):
                self.ctx.start_timer(key, delay_s, key)
            self.ctx.start_timer("b", 5, "b again")
            self.ctx.cancel_timer("d")
            self.ctx.cancel_timer("never set")

        async def receive(self, message: object) -> object:
            seen.append((round(anyio.current_time() - self.begin, 6), message))
            return None

    async with open_system(SupervisorSpec((ChildSpec("a", Clock),))):
        await anyio.sleep(10)
    assert seen == [(0.25, "c"), (3, "a"), (5, "b again")]


async def test_a_timer_that_is_due_can_still_be_cancelled() -> None:
    """By the handler that was running when its time came."""
    seen: list[object] = []

    class Clock(Actor):
        async def receive(self, message: object) -> object:
            if message == "go":
                self.ctx.start_timer("t", 1, "timer")
                await anyio.sleep(5)
                self.ctx.cancel_timer("t")
            else:
                seen.append(message)
            return None

    async with open_system(SupervisorSpec((ChildSpec("a", Clock),))) as system:
        system.lookup("a").tell("go")
        await anyio.sleep(20)
    assert seen == []


async def test_a_timer_set_by_background_work_wakes_the_actor(stage: Stage) -> None:
    """Although the actor had parked without one."""
    probe = Probe()

    class Clock(Actor):
        async def work(self) -> None:
            await anyio.sleep(1)
            self.ctx.start_timer("t", 1, "timer")

        async def on_start(self) -> None:
            self.ctx.start_soon(self.work)

        async def receive(self, message: object) -> object:
            return probe.record(message)

    async with open_system(SupervisorSpec((ChildSpec("a", Clock),))):
        assert await probe.expect(str) == "timer"


async def test_a_timer_does_not_meet_a_full_mailbox(stage: Stage) -> None:
    """It arrives although messages fill the box."""
    probe = Probe()

    class Clock(Actor):
        async def on_start(self) -> None:
            self.ctx.start_timer("t", 1, "timer")

        async def receive(self, message: object) -> object:
            probe.record(message)
            await anyio.sleep(3 if message == "work" else 0)
            return None

    spec = ChildSpec("a", Clock, mailbox=MailboxSpec(1))
    async with open_system(SupervisorSpec((spec,))) as system:
        system.lookup("a").tell("work")
        await anyio.wait_all_tasks_blocked()
        system.lookup("a").tell("more")
        await anyio.sleep(5)
    assert probe.received == ["work", "timer", "more"]


async def test_events_replay_to_the_tree(stage: Stage) -> None:
    """Who is there and which incarnation runs follows from the events alone."""
    spec = SupervisorSpec((ChildSpec("d", DynamicSupervisorSpec()),))
    async with open_system(spec) as system:  # noqa: SIM117 - the observer leaves first
        async with system.subscribe() as events:
            for each in "abc":
                await system.start_child("d", ChildSpec(each, stage, restart=Restart.TRANSIENT))
            system.lookup("d/a").tell(Crash())
            await system.lookup("d/b").ask(Quit())
            await anyio.sleep(1)
            tree = {row.path: row.incarnation for row in system.tree().walk() if row.kind == "actor"}
            replayed: dict[str, int] = {}
            with anyio.move_on_after(1):
                async for event in events:
                    match event:
                        case ChildAdded():
                            replayed[event.path] = 0
                        case ChildStarted():
                            replayed[event.path] = event.incarnation
                        case ChildStopped(removed=True):
                            del replayed[event.path]
    assert replayed == tree == {"d/a": 2, "d/c": 1}


async def test_events_tell_what_and_why(stage: Stage) -> None:
    """Every field, from a start that fails to a supervisor that gives up."""
    floor = SupervisorSpec((ChildSpec("b", stage),), intensity=Intensity(1, 9.0))
    sub = ChildSpec("sub", floor, restart=Restart.TEMPORARY)
    house = SupervisorSpec((ChildSpec("d", DynamicSupervisorSpec()),))
    async with open_system(house) as system, system.subscribe() as events:
        await system.start_child("d", sub)
        stage.failing_starts["d/sub/b"] = 1
        system.lookup("d/sub/b").tell(Crash())
        await anyio.sleep(1)
        system.stop()
        told = [event async for event in events]
    failed, crash = Crashed("PuppetError: start of d/sub/b"), Crashed("PuppetError: as told")
    gave_up = Crashed(
        "RestartIntensityExceeded: more than 1 failures within 9.0 s; "
        "the last one was d/sub/b: PuppetError: start of d/sub/b"
    )
    assert told == [
        ChildAdded("d/sub", "supervisor"),
        ChildAdded("d/sub/b", "actor"),
        ChildStarted("d/sub/b", 1),
        ChildStarted("d/sub", 1),
        ChildExited("d/sub/b", 1, crash, started=True),
        RestartScheduled("d/sub/b", 0.0, 1),
        ChildExited("d/sub/b", 2, failed, started=False),
        IntensityExceeded("d/sub", 1, 9.0),
        ChildStopped("d/sub/b", Shutdown(), removed=True),
        ChildExited("d/sub", 1, gave_up, started=True),
        ChildStopped("d/sub", gave_up, removed=True),
        ChildExited("d", 1, Shutdown(), started=True),
        ChildStopped("d", Shutdown(), removed=True),
        ChildExited("", 1, Shutdown(), started=True),
        ChildStopped("", Shutdown(), removed=False),
    ]


async def test_who_goes_down_with_a_group_has_a_reason_of_its_own(stage: Stage) -> None:
    """Temporary siblings do not come back: stopped in order, failed on the way, or down before."""
    stage.failing_stops["failing"] = 1
    gone = [ChildSpec(each, stage, restart=Restart.TEMPORARY) for each in ("orderly", "failing")]
    spec = SupervisorSpec((ChildSpec("a", stage), *gone), Strategy.ONE_FOR_ALL)
    async with open_system(spec) as system, system.subscribe() as events:
        system.lookup("a").tell(Crash())
        await anyio.sleep(1)
        system.stop()
        reasons = {event.path: event.reason async for event in events if isinstance(event, ChildStopped)}
    assert reasons["orderly"] == Shutdown()
    assert reasons["failing"] == Crashed("PuppetError: stop of failing")


async def test_a_slow_observer_loses_the_oldest_and_knows(stage: Stage) -> None:
    """Bounded, and counted."""
    spec = SupervisorSpec((ChildSpec("d", DynamicSupervisorSpec()),))
    async with open_system(spec) as system:  # noqa: SIM117 - the observer leaves first
        async with system.subscribe(capacity=3) as events:
            for each in "abcd":
                await system.start_child("d", ChildSpec(each, stage))
            system.stop()
            await system.wait()
            kept = [event async for event in events]
    assert len(kept) == 3
    assert events.dropped > 8
    assert isinstance(kept[-1], ChildStopped)


async def test_leaving_the_subscription_ends_it(stage: Stage) -> None:
    """Nothing arrives after the block; iteration ends."""
    async with open_system(SupervisorSpec((ChildSpec("a", stage),))) as system:
        async with system.subscribe() as events:
            pass
        await system.kill("a")
        assert [event async for event in events] == []


async def test_an_overflow_is_an_event(stage: Stage) -> None:
    """With the policy that met it."""
    spec = ChildSpec("a", stage, mailbox=MailboxSpec(1, Overflow.DROP_NEWEST))
    async with open_system(SupervisorSpec((spec,))) as system, system.subscribe() as events:
        system.lookup("a").tell(Hang(1))
        await anyio.wait_all_tasks_blocked()
        for value in range(5):
            system.lookup("a").tell(Echo(value))
        await anyio.sleep(2)
        system.stop()
        overflows = [event async for event in events if isinstance(event, Overflowed)]
    assert overflows == [Overflowed("a", "drop_newest", 1)]
    assert stage.handled == [("a", 0)]


async def test_a_crash_carries_its_text_and_traceback(stage: Stage) -> None:
    """As text, innermost line included; single-leaf groups are unwrapped."""

    async def grouped(puppet: Puppet) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(fail)

    async def fail() -> None:
        raise PuppetError("deep")

    async with open_system(SupervisorSpec((ChildSpec("a", stage),))) as system, system.subscribe() as events:
        system.lookup("a").tell(Do(grouped))
        await anyio.sleep(1)
        system.stop()
        reason = next(
            event.reason for event in [each async for each in events] if isinstance(event, ChildExited)
        )
    assert isinstance(reason, Crashed)
    assert reason.error == "PuppetError: deep"
    assert "in fail" in reason.traceback


async def test_the_context_knows_its_place(stage: Stage) -> None:
    """Path, id, siblings, system; refs compare by what they address."""

    async def look(puppet: Puppet) -> object:
        ctx = puppet.ctx
        return (ctx.path, ctx.id, ctx.incarnation, ctx.sibling("c"), ctx.ref, ctx.system.name)

    floor = SupervisorSpec((ChildSpec("b", stage), ChildSpec("c", stage)))
    async with open_system(SupervisorSpec((ChildSpec("sub", floor),)), name="house") as system:
        b, c = system.lookup("sub/b"), system.lookup("sub/c")
        assert await b.ask(Do(look)) == ("sub/b", "b", 1, c, b, "house")
        assert len({b, c, system.lookup("sub/b")}) == 2
        assert repr(b) == "<Ref 'sub/b'>"
