"""What errors and dead letters say: which actor, which name, which number, so that a log line is enough."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from supervision import (
    Actor,
    ActorStopped,
    AutoShutdown,
    ChildSpec,
    DeadLetter,
    DynamicSupervisorSpec,
    Killed,
    MailboxSpec,
    Restart,
    SupervisionError,
    SupervisorSpec,
    System,
    open_system,
)
from supervision.testing import Crash, Do, Echo, Hang, Puppet, Stage

if TYPE_CHECKING:
    from supervision import Event

pytestmark = pytest.mark.anyio

#: A specification that cannot be meant -> what it says.
SPECS: list[tuple[Callable[[], object], str]] = [
    (lambda: MailboxSpec(0), "capacity must be at least 1, not 0"),
    (lambda: MailboxSpec(key=str), "key belongs to Overflow.CONFLATE, and that needs it"),
    (lambda: ChildSpec("a/b", Actor), "an id must not be empty nor contain '/': 'a/b'"),
    (lambda: ChildSpec("a", Actor, slow_after_s=0), "slow_after_s must be more than 0, not 0"),
    (
        lambda: ChildSpec("a", Actor, significant=True),
        "'a' cannot be significant: a permanent child never ends by itself",
    ),
    (
        lambda: SupervisorSpec((ChildSpec("a", Actor), ChildSpec("a", Actor))),
        "ids of siblings must differ: ['a', 'a']",
    ),
    (
        lambda: SupervisorSpec((ChildSpec("a", Actor, significant=True, restart=Restart.TRANSIENT),)),
        "'a' is significant, but auto_shutdown of its supervisor is never",
    ),
]


@pytest.mark.parametrize(("make", "text"), SPECS, ids=[text for _, text in SPECS])
async def test_specifications_say_what_is_wrong(make: Callable[[], object], text: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its text is what is asked for
        make()
    assert str(caught.value) == text


def test_the_least_specifications_are_fine() -> None:
    """What stands just inside the limits."""
    assert MailboxSpec(1).capacity == 1
    assert ChildSpec("a", Actor, slow_after_s=0.5).slow_after_s == 0.5
    significant = ChildSpec("a", Actor, significant=True, restart=Restart.TEMPORARY)
    assert SupervisorSpec((significant,), auto_shutdown=AutoShutdown.ANY_SIGNIFICANT).children == (
        significant,
    )


async def test_numbers_that_need_not_be_given(stage: Stage) -> None:
    """How much a stream keeps for one who is slow to read."""
    async with open_system(house(stage)) as system, system.subscribe() as events, system.trace("a") as trace:
        for number in range(1024 + 1):
            system.events.publish(DeadLetter("a", number, "as a test wants it"))
        for number in range(256 // 2 + 1):
            await system.lookup("a").ask(Echo(number))
        assert (events.dropped, trace.dropped) == (1, 2)


def house(stage: Stage) -> SupervisorSpec:
    return SupervisorSpec(
        (
            ChildSpec("a", stage, mailbox=MailboxSpec(1), restart=Restart.TEMPORARY, name="clock"),
            ChildSpec("full", stage, mailbox=MailboxSpec(1, stash=1)),
            ChildSpec("dumb", Actor),
            ChildSpec("sub", SupervisorSpec(())),
            ChildSpec("crowd", DynamicSupervisorSpec(max_children=0)),
        )
    )


async def stash_twice(system: System) -> None:
    """The second one is too many."""

    async def put_aside(puppet: Puppet) -> None:
        puppet.ctx.stash()

    full = system.lookup("full")
    full.tell(Do(put_aside))
    await anyio.wait_all_tasks_blocked()
    await full.ask(Do(put_aside))


async def fill(system: System) -> None:
    """One in hand, one in the mailbox, one too many."""
    full = system.lookup("full")
    full.tell(Hang(5))
    await anyio.wait_all_tasks_blocked()
    full.tell(Echo())
    full.tell(Echo())


async def suspend_busy(system: System) -> None:
    """It cannot be suspended within a message."""
    system.lookup("full").tell(Hang(9))
    await anyio.wait_all_tasks_blocked()
    await system.suspend("full")


def told(path: str) -> Callable[[System], Awaitable[object]]:
    async def tell(system: System) -> None:
        system.lookup(path).tell(1)

    return tell


def name_taken(system: System) -> None:
    system.register("clock", system.lookup("full"))


#: What is asked of the system -> the error, and what it says.
REFUSALS: list[tuple[Callable[[System], Any], str]] = [
    (told("nobody"), "ActorStopped: nobody lives at 'nobody'"),
    (told("sub"), "NotAnActor: sub is a supervisor"),
    (fill, "MailboxFull: the mailbox of full is full (1 messages)"),
    (stash_twice, "ActorCrashed: full crashed: StashFull: the stash of full is full (1 messages)"),
    (lambda s: s.named("x").ask(Echo()), "ActorStopped: nobody has the name 'x'"),
    (lambda s: s.unregister("x"), "NameNotFound: nobody has the name 'x'"),
    (name_taken, "NameTaken: the name 'clock' is held by 'a', 'full' cannot have it"),
    (lambda s: s.register("x", s.lookup("nobody")), "ActorStopped: nobody lives at 'nobody'"),
    (lambda s: s.lookup("full").ask(Hang(9), timeout=2), "AskTimeout: full did not answer within 2 s"),
    (lambda s: s.lookup("full").ask(Hang(9)), "AskTimeout: full did not answer within 5.0 s"),
    (suspend_busy, "AskTimeout: full is still busy with a message after 5.0 s"),
    (
        lambda s: s.lookup("dumb").ask(Echo()),
        "ActorCrashed: dumb crashed: TypeError: Actor has no handler for Echo; it handles nothing",
    ),
    (lambda s: s.start_child("sub/x", ChildSpec("b", Actor)), "ActorStopped: no supervisor runs at 'sub/x'"),
    (lambda s: s.start_child("a", ChildSpec("b", Actor)), "NotASupervisor: a is an actor, not a supervisor"),
    (lambda s: s.start_child("", ChildSpec("a", Actor)), "ChildExists: a exists"),
    (lambda s: s.start_child("crowd", ChildSpec("b", Actor)), "TooManyChildren: 'crowd' has its 0 children"),
    (lambda s: s.terminate_child("sub", "x"), "ChildNotFound: 'sub' has no child 'x'"),
    (lambda s: s.restart_child("", "a"), "ChildRunning: a is running"),
    (lambda s: s.kill("nobody"), "ActorStopped: nobody is up at 'nobody'"),
    (lambda s: s.get_state("nobody"), "ActorStopped: nobody lives at 'nobody'"),
    (lambda s: s.get_state("sub"), "NotAnActor: 'sub' is a supervisor"),
    (lambda s: s.lookup("a").ask(Crash("oh")), "ActorCrashed: a crashed: PuppetError: oh"),
]


@pytest.mark.parametrize(("act", "text"), REFUSALS, ids=[text for _, text in REFUSALS])
async def test_refusals_say_who_and_what(stage: Stage, act: Callable[[System], Any], text: str) -> None:
    async with open_system(house(stage)) as system:
        with pytest.raises(SupervisionError) as caught:
            await _awaited(act(system))
        assert f"{type(caught.value).__name__}: {caught.value}" == text


async def _awaited(result: Any) -> object:
    return await result if isinstance(result, Awaitable) else result


async def test_who_ended_while_it_was_asked(stage: Stage) -> None:
    """It ends before the turn of the question comes."""
    async with open_system(house(stage)) as system, anyio.create_task_group() as group:
        a = system.lookup("a")
        a.tell(Hang(5))
        await anyio.wait_all_tasks_blocked()
        group.start_soon(system.terminate_child, "", "a")
        with pytest.raises(ActorStopped) as caught:
            await a.ask(Echo())
        assert str(caught.value) == "a has ended (shutdown)"


async def test_dead_letters_say_why(stage: Stage) -> None:
    """To whom, what, and why it was not delivered."""
    async with open_system(house(stage)) as system, system.subscribe() as events:
        nobody, nameless = system.lookup("nobody"), system.named("x")
        with pytest.raises(ActorStopped):
            nobody.tell("told")
        with pytest.raises(ActorStopped):
            await nobody.send("sent")
        with pytest.raises(ActorStopped):
            await nobody.ask(Echo("asked"))
        with pytest.raises(ActorStopped):
            nameless.tell("told")
        system.lookup("sub").tell_threadsafe("late")
        await anyio.wait_all_tasks_blocked()
        assert [letter for letter in await _so_far(events) if isinstance(letter, DeadLetter)] == [
            DeadLetter("nobody", "told", "nobody lives there"),
            DeadLetter("nobody", "sent", "nobody lives there"),
            DeadLetter("nobody", Echo("asked"), "nobody lives there"),
            DeadLetter("@x", "told", "nobody has that name"),
            DeadLetter("sub", "late", "sub is a supervisor"),
        ]


async def _so_far(events: Any) -> list[Event]:
    seen: list[Event] = []
    with anyio.move_on_after(0.1):
        while True:
            seen.append(await anext(events))
    return seen


def test_exit_reasons_are_words() -> None:
    assert [str(Killed("foreign code")), str(Killed())] == ["killed by foreign code", "killed"]
