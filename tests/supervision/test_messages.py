"""tell, send, ask, and how asks end."""

from __future__ import annotations

import math
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from tenacity import wait_fixed

from supervision import (
    Actor,
    ActorCrashed,
    ActorStopped,
    AskCycle,
    AskTimeout,
    Backoff,
    ChildSpec,
    DeadLetter,
    ExitReason,
    MailboxFull,
    MailboxSpec,
    MessageDropped,
    NotAnActor,
    Overflow,
    Refusal,
    Request,
    Restart,
    SupervisionError,
    SupervisorSpec,
    handles,
    open_system,
)
from supervision.testing import Crash, Do, Echo, Hang, Probe, Puppet, Quit, Stage

pytestmark = pytest.mark.anyio


def of(*specs: ChildSpec) -> SupervisorSpec:
    return SupervisorSpec(specs)


async def test_an_ask_is_answered(stage: Stage) -> None:
    """The handler's return value comes back."""
    async with open_system(of(ChildSpec("a", stage))) as system:
        assert await system.lookup("a").ask(Echo(7)) == 7


async def test_messages_of_one_sender_arrive_in_order(stage: Stage) -> None:
    """tell, send and ask share one queue."""
    async with open_system(of(ChildSpec("a", stage))) as system:
        ref = system.lookup("a")
        ref.tell(Echo(1))
        await ref.send(Echo(2))
        ref.tell(Echo(3))
        await ref.ask(Echo(4))

    assert [value for _, value in stage.handled] == [1, 2, 3, 4]


async def test_a_crash_ends_the_ask_and_spares_the_queue(stage: Stage) -> None:
    """Its asker hears ActorCrashed at once; what waited behind is handled by the next incarnation."""
    async with open_system(of(ChildSpec("a", stage))) as system:
        ref = system.lookup("a")
        async with anyio.create_task_group() as group:

            async def crash() -> None:
                with pytest.raises(ActorCrashed, match="PuppetError: as told"):
                    await ref.ask(Crash())

            group.start_soon(crash)
            await anyio.wait_all_tasks_blocked()
            ref.tell(Crash())
            ref.tell(Echo("kept"))
            assert await ref.ask(Echo("answered")) == "answered"

    assert [value for _, value in stage.handled] == ["kept", "answered"]
    assert stage.tries["a"] == 3


async def test_an_unknown_message_is_a_clear_crash(stage: Stage) -> None:
    """The error names the actor's class, the message's and what is handled."""
    async with open_system(of(ChildSpec("a", stage))) as system:
        with pytest.raises(ActorCrashed, match=r"Puppet has no handler for int; it handles Crash, Do, Echo"):
            await system.lookup("a").ask(1)  # type: ignore[arg-type]  # the mistake under test


async def test_a_refusal_answers_and_the_actor_lives_on(stage: Stage) -> None:
    """An expected "no" is no crash, asked or told."""

    class Closed(Refusal):
        pass

    async def refuse(puppet: Puppet) -> None:
        raise Closed("at night")

    async with open_system(of(ChildSpec("a", stage))) as system:
        ref = system.lookup("a")
        with pytest.raises(Closed, match="at night"):
            await ref.ask(Do(refuse))
        ref.tell(Do(refuse))
        assert await ref.ask(Echo(1)) == 1

    assert stage.tries["a"] == 1
    assert not issubclass(Refusal, SupervisionError)


async def test_an_ask_ends_at_its_timeout(stage: Stage) -> None:
    """Not earlier, not later, and the late answer vanishes."""
    async with open_system(of(ChildSpec("a", stage))) as system:
        begin = anyio.current_time()
        with pytest.raises(AskTimeout):
            await system.lookup("a").ask(Hang(5), timeout=2)
        assert anyio.current_time() - begin == pytest.approx(2)
        assert await system.lookup("a").ask(Echo("next")) == "next"


@pytest.mark.parametrize("how", ["timeout", "cancel"])
async def test_an_abandoned_ask_never_runs(stage: Stage, how: str) -> None:
    """Whoever gave up before the actor came to it gets no late effect."""
    async with open_system(of(ChildSpec("a", stage))) as system:
        ref = system.lookup("a")
        ref.tell(Hang(10))
        if how == "timeout":
            with pytest.raises(AskTimeout):
                await ref.ask(Echo("abandoned"), timeout=1)
        else:
            with anyio.move_on_after(1):
                await ref.ask(Echo("abandoned"))
        assert await ref.ask(Echo("wanted"), timeout=20) == "wanted"

    assert [value for _, value in stage.handled] == ["wanted"]


@pytest.mark.parametrize(
    ("order", "error"), [(Crash(), ActorCrashed), (Quit(), ActorStopped)], ids=["crash", "quit"]
)
async def test_asks_behind_the_end_are_answered_at_once(
    stage: Stage, order: Request[None], error: type[Exception]
) -> None:
    """An actor that does not come back fails all that wait for it, without their timeouts."""
    async with open_system(of(ChildSpec("a", stage, restart=Restart.TEMPORARY))) as system:
        ref, begin = system.lookup("a"), anyio.current_time()
        ref.tell(Hang(1))
        outcomes: list[type[Exception]] = []

        async def ask(request: Request[Any]) -> None:
            try:
                await ref.ask(request, timeout=100)
            except SupervisionError as failed:
                outcomes.append(type(failed))

        async with anyio.create_task_group() as group:
            for request in (order, Echo(1), Echo(2)):
                group.start_soon(ask, request)
                await anyio.wait_all_tasks_blocked()

        assert anyio.current_time() - begin == pytest.approx(1)
        expected = (
            [ActorStopped, ActorStopped] if error is ActorStopped else [error, ActorStopped, ActorStopped]
        )
        assert Counter(outcomes) == Counter(expected)  # all in one turn, in whatever order trio has then
        with pytest.raises(ActorStopped):
            ref.tell(Echo(3))
    assert stage.handled == []


async def test_a_full_mailbox_rejects_and_send_waits(stage: Stage) -> None:
    """The bound is the capacity; the message in hand does not count."""
    async with open_system(of(ChildSpec("a", stage, mailbox=MailboxSpec(2)))) as system:
        ref = system.lookup("a")
        ref.tell(Hang(5))
        await anyio.wait_all_tasks_blocked()
        ref.tell(Echo(1))
        ref.tell(Echo(2))
        with pytest.raises(MailboxFull):
            ref.tell(Echo(3))
        with pytest.raises(MailboxFull):
            await ref.ask(Echo(3))
        begin = anyio.current_time()
        await ref.send(Echo(4))
        assert anyio.current_time() - begin == pytest.approx(5)
        row = system.tree().find("a")
        assert row is not None
        assert (row.mailbox_peak, row.mailbox_dropped) == (2, 2)


async def test_a_dropped_request_ends(stage: Stage) -> None:
    """The overflow policy answers the asker it drops."""
    box = MailboxSpec(1, Overflow.DROP_OLDEST)
    async with open_system(of(ChildSpec("a", stage, mailbox=box))) as system:
        ref = system.lookup("a")
        ref.tell(Hang(5))
        await anyio.wait_all_tasks_blocked()
        async with anyio.create_task_group() as group:

            async def ask() -> None:
                with pytest.raises(MessageDropped, match=r"^the mailbox of a dropped the request$"):
                    await ref.ask(Echo("dropped"))

            group.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            ref.tell(Echo("newer"))


async def test_conflation_keeps_the_newest_of_a_key(stage: Stage) -> None:
    """Only the last of several updates is handled; others keep their place."""
    box = MailboxSpec(8, Overflow.CONFLATE, key=lambda message: type(message).__name__)
    async with open_system(of(ChildSpec("a", stage, mailbox=box))) as system:
        ref = system.lookup("a")
        ref.tell(Hang(5))
        await anyio.wait_all_tasks_blocked()
        for value in range(20):
            ref.tell(Echo(value))
        await ref.ask(Quit(), timeout=10)

    assert stage.handled == [("a", 19)]


async def test_only_a_new_key_waits_for_room(stage: Stage) -> None:
    """Where a mailbox conflates, an update of what waits in it needs no room, though it be full."""

    def first_letter(message: object) -> str | None:
        return str(message.value)[0] if isinstance(message, Echo) else None

    box = MailboxSpec(2, Overflow.CONFLATE, key=first_letter)
    async with open_system(of(ChildSpec("a", stage, mailbox=box))) as system:
        ref, begin = system.lookup("a"), anyio.current_time()
        ref.tell(Hang(5))
        await anyio.wait_all_tasks_blocked()
        async with anyio.create_task_group() as group:

            async def ask() -> None:
                with pytest.raises(MessageDropped):
                    await ref.ask(Echo("b: asked"))

            ref.tell(Echo("a: old"))
            group.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            await ref.send(Echo("a: new"))
            await ref.send(Echo("b: told"))
            assert anyio.current_time() == begin
            with pytest.raises(MailboxFull, match="the mailbox of a is full"):
                ref.tell(Echo("c"))
            await ref.send(Echo("c"))
            assert anyio.current_time() - begin == pytest.approx(5)

    assert [value for _, value in stage.handled] == ["a: new", "b: told", "c"]


async def test_an_ask_of_oneself_is_a_cycle(stage: Stage) -> None:
    """At once, and not by the timeout."""

    async def ask_self(puppet: Puppet) -> object:
        with pytest.raises(AskCycle, match="a -> a"):
            await puppet.ctx.ref.ask(Echo(1))
        return "told"

    async with open_system(of(ChildSpec("a", stage))) as system:
        assert await system.lookup("a").ask(Do(ask_self)) == "told"


async def test_an_ask_around_three_actors_is_a_cycle(stage: Stage) -> None:
    """The chain is followed over others, and named."""

    def asks(target: str, request: Request[Any]) -> Request[Any]:
        async def do(puppet: Puppet) -> object:
            return await puppet.ctx.sibling(target).ask(request)

        return Do(do)

    async def caught(puppet: Puppet) -> object:
        with pytest.raises(AskCycle, match="c -> a -> b -> c"):
            await puppet.ctx.sibling("a").ask(Echo(1))
        return "told"

    async with open_system(of(*(ChildSpec(each, stage) for each in "abc"))) as system:
        assert await system.lookup("a").ask(asks("b", asks("c", Do(caught)))) == "told"


async def test_who_has_its_answer_waits_for_nobody(stage: Stage) -> None:
    """Asks to and fro, one after the other, are no cycle; nor is one of an actor in its backoff."""

    def asks(target: str) -> Do:
        async def do(puppet: Puppet) -> object:
            return await puppet.ctx.sibling(target).ask(Echo(target), timeout=math.inf)

        return Do(do)

    backoff = Backoff(wait_fixed(60))
    async with open_system(of(*(ChildSpec(each, stage, backoff=backoff) for each in "ab"))) as system:
        a, b = system.lookup("a"), system.lookup("b")
        assert [await a.ask(asks("b")), await b.ask(asks("a"))] == ["b", "a"]
        for _ in range(2):  # the first restart is immediate
            with pytest.raises(ActorCrashed):
                await b.ask(Crash())
        assert await a.ask(asks("b"), timeout=math.inf) == "b"


async def test_two_actors_that_ask_each_other_meet_as_a_cycle(stage: Stage) -> None:
    """Also when each began on its own: whoever asks second hears it."""
    outcomes: list[object] = []

    def later(target: str) -> Do:
        async def do(puppet: Puppet) -> None:
            await anyio.sleep(1)
            try:
                outcomes.append(await puppet.ctx.sibling(target).ask(Echo(target)))
            except AskCycle:
                outcomes.append("cycle")

        return Do(do)

    async with open_system(of(ChildSpec("a", stage), ChildSpec("b", stage))) as system:
        begin = anyio.current_time()
        system.lookup("a").tell(later("b"))
        system.lookup("b").tell(later("a"))
        while len(outcomes) < 2:  # noqa: ASYNC110 - a poll in virtual time
            await anyio.sleep(0.5)
        assert anyio.current_time() - begin < 3

    assert outcomes[0] == "cycle"
    assert outcomes[1] in ("a", "b")


async def test_background_work_may_ask_back(stage: Stage) -> None:
    """A task that a handler started blocks no handler, so it closes no cycle."""
    answers: list[object] = []

    async def work(puppet: Puppet) -> None:
        answers.append(await puppet.ctx.ref.ask(Echo("mine")))

    async def begin(puppet: Puppet) -> None:
        puppet.ctx.start_soon(work, puppet)

    async with open_system(of(ChildSpec("a", stage))) as system:
        await system.lookup("a").ask(Do(begin))
        await anyio.sleep(1)

    assert answers == ["mine"]


async def test_a_task_that_a_handler_left_elsewhere_may_ask_back(stage: Stage) -> None:
    """It lives in somebody else's task group, so the handler does not wait for it."""
    answers: list[object] = []

    async def work(puppet: Puppet) -> None:
        answers.append(await puppet.ctx.ref.ask(Echo("mine")))

    async with open_system(of(ChildSpec("a", stage))) as system, anyio.create_task_group() as group:

        async def begin(puppet: Puppet) -> None:
            group.start_soon(work, puppet)

        await system.lookup("a").ask(Do(begin))
    assert answers == ["mine"]


async def test_a_thread_may_tell(stage: Stage) -> None:
    """tell_threadsafe does not wait, and cannot raise what the mailbox says: that becomes an event."""
    probe = Probe()
    async with open_system(of(ChildSpec("a", probe))) as system, system.subscribe() as events:
        refs = [system.lookup("a"), system.lookup("nobody"), system.lookup("")]

        def tell() -> None:
            for ref in refs:
                ref.tell_threadsafe("hello")

        thread = threading.Thread(target=tell)
        thread.start()
        thread.join()
        assert await probe.expect(str) == "hello"
        await anyio.wait_all_tasks_blocked()
        system.stop()
        letters = [event async for event in events if isinstance(event, DeadLetter)]
    assert [(each.path, each.message) for each in letters] == [("nobody", "hello"), ("", "hello")]


async def test_a_supervisor_takes_no_messages(stage: Stage) -> None:
    """Its ref is good for watching only."""
    async with open_system(of(ChildSpec("sub", of()))) as system:
        with pytest.raises(NotAnActor):
            system.lookup("sub").tell("hello")


async def test_what_is_left_behind_becomes_dead_letters(stage: Stage) -> None:
    """Messages that waited when the actor ended for good are told of."""
    async with open_system(of(ChildSpec("a", stage))) as system, system.subscribe() as events:
        ref = system.lookup("a")
        ref.tell(Hang())
        ref.tell("left")
        await anyio.wait_all_tasks_blocked()
        system.stop()
        letters = [event async for event in events if isinstance(event, DeadLetter)]
    assert letters == [DeadLetter("a", "left", "a has ended")]


@dataclass(frozen=True, slots=True)
class Add(Request[int]):
    number: int


class Base(Actor):
    """Handlers by type; ``object`` is everything else."""

    total = 0

    @handles(Add)
    async def add(self, message: Add) -> int:
        self.total += message.number
        return self.total

    @handles(bool)
    @handles(int)
    async def number(self, message: int) -> str:
        return f"number {message}"

    @handles(object)
    async def other(self, message: object) -> str:
        return f"other {message}"


class Derived(Base):
    """Overrides a handler without marking it again."""

    async def add(self, message: Add) -> int:
        return 10 * await super().add(message)


async def test_dispatch_is_by_type_and_subclasses_override() -> None:
    """The most specific mark wins; stacked marks hold; an override needs no mark."""
    async with open_system(of(ChildSpec("a", Derived))) as system:
        ref = system.lookup("a")
        assert await ref.ask(Add(2)) == 20
        questions: list[Any] = [5, True, "x"]
        answers = [await ref.ask(question) for question in questions]

    assert answers == ["number 5", "number True", "other x"]


async def test_marks_stack_on_a_method() -> None:
    """One method for several types, beside one for another."""

    class Several(Actor):
        @handles(bool)
        @handles(int)
        async def whole(self, message: int) -> object:
            return type(message)

        @handles(float)
        async def number(self, message: float) -> object:
            return "number"

    questions: list[Any] = [1, True, 1.0]
    async with open_system(of(ChildSpec("a", Several))) as system:
        assert [await system.lookup("a").ask(each) for each in questions] == [int, bool, "number"]


async def test_none_is_a_message_like_any_other() -> None:
    """It has a handler of its own, which gets nothing else."""
    heard: list[object] = []

    class Hears(Actor):
        @handles(type(None))
        async def nothing(self, message: None) -> None:
            heard.append(message)

        @handles(int)
        async def number(self, message: int) -> int:
            heard.append(-message)
            return message

    async with open_system(of(ChildSpec("a", Hears))) as system:
        ref = system.lookup("a")
        messages: list[Any] = [None, 1]
        for message in messages:
            ref.tell(message)
        last: Any = 2
        assert await ref.ask(last) == 2
    assert heard == [None, -1, -2]


async def test_an_own_receive_replaces_the_dispatch() -> None:
    """Actors that do without marks."""

    class Shout(Actor):
        async def receive(self, message: object) -> object:
            return str(message).upper()

    async with open_system(of(ChildSpec("a", Shout))) as system:
        assert await system.lookup("a").ask("hi") == "HI"  # type: ignore[arg-type]  # no request


async def test_a_backlog_lets_others_run(stage: Stage) -> None:
    """No more than 64 messages are handled in a row."""
    handled: list[int] = []

    class Count(Actor):
        async def receive(self, message: object) -> object:
            handled.append(1)
            return None

    async with open_system(of(ChildSpec("a", Count, mailbox=MailboxSpec(10_000)))) as system:
        for number in range(1000):
            system.lookup("a").tell(number)
        longest = before = 0
        while before < 1000:
            await checkpoint()
            longest, before = max(longest, len(handled) - before), len(handled)

    assert 0 < longest <= 2 * 64  # trio shuffles: two turns of the actor may lie between two of ours


async def test_on_stop_gets_the_reason(stage: Stage) -> None:
    """One of four, as data."""
    reasons: list[ExitReason] = []

    class Note(Actor):
        async def on_stop(self, reason: ExitReason) -> None:
            reasons.append(reason)

        async def receive(self, message: object) -> object:
            if message == "quit":
                self.ctx.stop()
            return 1 / int(message != "crash")

    async with open_system(of(ChildSpec("a", Note))) as system:
        ref = system.lookup("a")
        for message in ("crash", "quit"):
            ref.tell(message)
            await anyio.sleep(1)
        await system.kill("a")
        await anyio.sleep(1)

    assert [str(reason) for reason in reasons] == [
        "crashed: ZeroDivisionError: division by zero",
        "normal",
        "killed by system.kill",
        "shutdown",
    ]
