"""Operations on a live actor: its state, holding it still, tracing its messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from supervision import (
    Actor,
    ActorCrashed,
    ActorStopped,
    AskTimeout,
    ChildSpec,
    MailboxFull,
    MailboxSpec,
    MessageStep as Step,
    MessageTraced,
    NotAnActor,
    Refusal,
    SupervisorSpec,
    System,
    Terminated,
    TraceStream,
    open_system,
)
from supervision._inspect import STATE_TEXT
from supervision._observer import MESSAGE_TEXT, brief
from supervision.testing import Crash, Do, Echo, Hang, Puppet, Quit, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

pytestmark = pytest.mark.anyio


def one(stage: Stage, capacity: int = 64) -> SupervisorSpec:
    return SupervisorSpec(
        (ChildSpec("a", stage, mailbox=MailboxSpec(capacity)), ChildSpec("f", SupervisorSpec(())))
    )


# state


class Mute:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


class Open(Actor):
    """Has something to show."""

    __slots__ = ("_private", "bot_token", "items", "mute", "text", "unset")

    async def on_start(self) -> None:
        self.items = list(range(1000))
        self.text = "x" * 10_000
        self.bot_token = "hidden"
        self.mute = Mute()
        self._private = 1

    async def receive(self, message: object) -> object:
        await anyio.sleep(1000)
        return None


class Own(Open):
    """Says itself what is of interest."""

    def state(self) -> Mapping[str, object]:
        return {"sum": sum(self.items)}


class Failing(Open):
    def state(self) -> Mapping[str, object]:
        raise ValueError("not now")


async def test_get_state_shows_public_attributes_bounded() -> None:
    """Sorted by name; secrets, private ones and what cannot speak are not shown; also of a hanging one."""
    async with open_system(SupervisorSpec((ChildSpec("a", Open),))) as system:
        system.lookup("a").tell("hang")
        await anyio.sleep(1)
        lines = system.get_state("a").splitlines()
    assert [line.partition(" = ")[0] for line in lines] == ["bot_token", "items", "mute", "text"]
    assert lines[0] == "bot_token = <not shown>"
    assert lines[1] == "items = [0, 1, 2, 3, 4, 5, 6, 7, ...]"
    assert "Mute instance" in lines[2]
    assert len(lines[3]) < 400


async def test_a_single_slot_is_an_attribute() -> None:
    """``__slots__`` may be one name; what is set beside slots is shown, too."""

    class Single(Actor):
        __slots__ = "level"

        async def on_start(self) -> None:
            self.level = 3

    class Plain(Single):
        async def on_start(self) -> None:
            await super().on_start()
            self.loud = True

    children = (ChildSpec("single", Single), ChildSpec("plain", Plain))
    async with open_system(SupervisorSpec(children)) as system:
        assert system.get_state("single") == "level = 3"
        assert system.get_state("plain") == "level = 3\nloud = True"


async def test_an_actor_may_say_itself_what_its_state_is() -> None:
    """A failure in that harms nobody; a thousand values are cut."""

    class Many(Actor):
        def state(self) -> Mapping[str, object]:
            return {"a number": 10**5_000} | {f"value {number:04}": "x" * 100 for number in range(1000)}

    children = (ChildSpec("own", Own), ChildSpec("failing", Failing), ChildSpec("many", Many))
    async with open_system(SupervisorSpec(children)) as system:
        assert system.get_state("own") == "sum = 499500"
        assert system.get_state("failing") == "<state() failed with ValueError>"
        assert len(system.get_state("many")) == STATE_TEXT
        assert system.get_state("many").startswith("a number = <repr failed with ValueError>\n")
        assert {row.incarnation for row in system.tree().children} == {1}


async def test_operations_need_a_live_actor(stage: Stage) -> None:
    """Nobody there, a supervisor, one that has ended or waits for its restart: typed errors."""
    operations: list[Callable[[System, str], object]] = [System.get_state, System.resume, System.trace]
    async with open_system(one(stage)) as system:
        for operation in operations:
            with pytest.raises(ActorStopped):
                operation(system, "nobody")
            with pytest.raises(NotAnActor):
                operation(system, "f")
        for path, error in (("nobody", ActorStopped), ("f", NotAnActor)):
            with pytest.raises(error):
                await system.suspend(path)
        stage.start_delays_s = {"a": 1000}
        with pytest.raises(ActorCrashed):
            await system.lookup("a").ask(Crash())
        await anyio.sleep(1)
        with pytest.raises(ActorStopped, match="no actor is up"):
            system.get_state("a")
        system.trace("a")  # waits for the next one
        await system.terminate_child("", "a")
        with pytest.raises(ActorStopped, match="nobody lives"):
            system.trace("a")


# suspend and resume


async def test_a_suspended_actor_takes_nothing_in_hand(stage: Stage) -> None:
    """The mailbox fills by its policy, timers and notices wait; resumed, it does all of it in order."""

    async def wait_for_things(puppet: Puppet) -> object:
        puppet.ctx.start_timer("tick", 1, Echo("tick"))
        puppet.ctx.watch(puppet.ctx.lookup("b"))
        return None

    class Noting(Puppet):
        async def receive(self, message: object) -> object:
            if isinstance(message, Terminated):
                self.stage.handled.append(("a", "terminated"))
                return None
            return await super().receive(message)

    children = (
        ChildSpec("a", lambda: Noting(stage), mailbox=MailboxSpec(2)),
        ChildSpec("b", stage),
    )
    async with open_system(SupervisorSpec(children)) as system:
        ref = system.lookup("a")
        await ref.ask(Do(wait_for_things))
        await system.suspend("a")
        await system.suspend("a")  # again changes nothing
        row = system.tree().find("a")
        assert row is not None
        assert row.state == "suspended"
        await system.terminate_child("", "b")
        ref.tell(Echo(1))
        ref.tell(Echo(2))
        with pytest.raises(MailboxFull):
            ref.tell(Echo(3))
        with pytest.raises(MailboxFull):
            await ref.ask(Echo(4))
        await anyio.sleep(10)
        assert stage.handled == []
        assert "stage = " in system.get_state("a")
        system.resume("a")
        system.resume("a")
        await anyio.sleep(1)
        row = system.tree().find("a")
        assert row is not None
        assert (row.state, row.handled) == ("running", 3)
    assert [value for _, value in stage.handled] == ["terminated", "tick", 1, 2]


async def test_suspend_waits_for_the_message_in_hand(stage: Stage) -> None:
    """Until its timeout; the suspension holds all the same."""
    async with open_system(one(stage)) as system:
        system.lookup("a").tell(Hang(10))
        system.lookup("a").tell(Echo(1))
        await anyio.sleep(1)
        with pytest.raises(AskTimeout, match="still busy"):
            await system.suspend("a", timeout=2)
        begin = anyio.current_time()
        await system.suspend("a", timeout=100)
        assert anyio.current_time() - begin == pytest.approx(7)
        assert stage.handled == []


@pytest.mark.parametrize("how", ["stop", "kill", "leave"])
async def test_a_suspended_actor_can_be_stopped_and_killed(stage: Stage, how: str) -> None:
    """on_stop runs; a successor is not suspended."""
    async with open_system(one(stage)) as system:
        await system.suspend("a")
        system.lookup("a").tell(Echo(1))
        if how == "stop":
            await system.terminate_child("", "a")
        elif how == "kill":
            await system.kill("a")
            await anyio.sleep(10)
            assert stage.handled == [("a", 1)]
    assert stage.of("stop") == ["a"] * (2 if how == "kill" else 1)


async def test_suspend_ends_with_the_actor(stage: Stage) -> None:
    """Who waits for the message in hand hears that there is nobody any more."""
    async with open_system(one(stage)) as system, anyio.create_task_group() as group:
        system.lookup("a").tell(Hang(100))
        await anyio.sleep(1)

        async def suspend() -> None:
            with pytest.raises(ActorStopped, match="ended meanwhile"):
                await system.suspend("a")

        group.start_soon(suspend)
        await anyio.sleep(1)
        await system.kill("a")


# traces


async def steps(stream: TraceStream, count: int) -> list[tuple[Step, str, float]]:
    got: list[MessageTraced] = [await anext(stream) for _ in range(count)]
    return [(event.step, event.message, event.seconds) for event in got]


async def test_a_trace_tells_what_becomes_of_each_message(stage: Stage) -> None:
    """With durations; over a restart; until the block is left, and then nothing is looked at any more."""

    async def refuse(puppet: Puppet) -> object:
        raise Refusal("no")

    async def put_aside(puppet: Puppet) -> object:
        puppet.ctx.stash()
        return None

    async with open_system(one(stage)) as system:
        ref = system.lookup("a")
        ref.tell(Echo("before"))
        await anyio.sleep(1)
        async with system.trace("a") as trace:
            ref.tell(Hang(2))
            await ref.ask(Echo("x"))
            assert await steps(trace, 4) == [
                (Step.RECEIVED, "Hang", 0),
                (Step.HANDLED, "Hang", pytest.approx(2)),
                (Step.RECEIVED, "Echo", 0),
                (Step.ANSWERED, "Echo", pytest.approx(0)),
            ]
            with pytest.raises(Refusal):
                await ref.ask(Do(refuse))
            ref.tell(Do(refuse))
            ref.tell(Do(put_aside))
            ref.tell(Crash())
            await anyio.sleep(5)
            kinds = [step for step, _, _ in await steps(trace, 8)]
            assert kinds[1::2] == [
                Step.REFUSED,
                Step.REFUSED,
                Step.ASIDE,
                Step.CRASHED,
            ]
            await anyio.sleep(5)
            assert [step for step, _, _ in await steps(trace, 2)] == [
                Step.RECEIVED,
                Step.ASIDE,
            ]  # given back
            with pytest.raises(AskTimeout):
                with anyio.fail_after(100):
                    await ref.ask(Hang(50), timeout=1)
            with pytest.raises(AskTimeout):
                await ref.ask(Echo(), timeout=1)
            await anyio.sleep(60)
            kinds = [step for step, _, _ in await steps(trace, 4)]
            assert kinds == [
                Step.RECEIVED,
                Step.ANSWERED,
                Step.RECEIVED,
                Step.SKIPPED,
            ]
        await ref.ask(Echo())
        cell = system.find("a")
        assert cell is not None
        assert cell.observer is not None
        assert cell.mailbox is not None
        assert not cell.observer.looks
        assert not cell.mailbox.urgent


async def test_a_trace_ends_with_the_actor(stage: Stage) -> None:
    """A message that its stop cuts short is told; then the stream ends."""
    async with open_system(one(stage)) as system, system.trace("a") as trace:
        system.lookup("a").tell(Hang(100))
        await anyio.sleep(1)
        await system.terminate_child("", "a")
        told = [event async for event in trace]
        assert [(event.path, event.step) for event in told] == [("a", Step.RECEIVED), ("a", Step.CUT)]
        assert [event.at for event in told] == pytest.approx([anyio.current_time() - 1, anyio.current_time()])


async def test_a_trace_entered_too_late_ends_at_once(stage: Stage) -> None:
    """The actor ended between the call and the block."""
    async with open_system(one(stage)) as system:
        trace = system.trace("a")
        await system.terminate_child("", "a")
        async with trace:
            assert [event async for event in trace] == []


async def test_a_slow_reader_of_a_trace_loses_the_oldest(stage: Stage) -> None:
    """And knows how many."""
    async with open_system(one(stage)) as system, system.trace("a", capacity=3) as trace:
        for number in range(5):
            await system.lookup("a").ask(Echo(number))
        assert trace.dropped == 7
        assert [event.text for event in [await anext(trace) for _ in range(3)]] == [
            "Echo(value=3)", "Echo(value=4)", "Echo(value=4)",
        ]  # fmt: skip


async def test_a_watched_end_and_a_timer_are_traced_too() -> None:
    """All that is handled, wherever it came from."""

    class Timed(Actor):
        async def receive(self, message: object) -> object:
            if message == b"go":
                self.ctx.start_timer("tick", 1, "tick")
                self.ctx.watch(self.ctx.lookup("nobody"))
            return None

    spec = SupervisorSpec((ChildSpec("a", Timed),))
    async with open_system(spec) as system, system.trace("a") as trace:
        system.lookup("a").tell(b"go")
        await anyio.sleep(2)
        assert [kind for _, kind, _ in await steps(trace, 6)][1::2] == ["bytes", "Terminated", "str"]


@pytest.mark.parametrize("value", [Mute(), 10**5_000, "x" * 10_000], ids=["mute", "number", "text"])
def test_a_message_in_a_trace_is_brief(value: object) -> None:
    """Whatever it says of itself."""
    assert len(brief(value)) <= MESSAGE_TEXT
    assert brief(10**5_000) == "<int: repr failed with ValueError>"


async def test_quitting_is_handled(stage: Stage) -> None:
    """The last message of an actor that ends itself is told as every other."""
    async with open_system(one(stage)) as system, system.trace("a") as trace:
        system.lookup("a").tell(Quit())
        assert [step for step, _, _ in await steps(trace, 2)] == [Step.RECEIVED, Step.HANDLED]
