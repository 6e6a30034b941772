"""Messages put aside for later."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given, strategies as st

from supervision import (
    Actor,
    ActorCrashed,
    ActorStopped,
    AskTimeout,
    ChildSpec,
    DeadLetter,
    MailboxSpec,
    Overflow,
    Refusal,
    Request,
    Restart,
    StashFull,
    SupervisorSpec,
    handles,
    open_system,
)
from supervision._mailbox import Mailbox
from supervision._stash import NOTHING

if TYPE_CHECKING:
    from supervision import System

pytestmark = pytest.mark.anyio


class Open(Request[None]):
    """From now on the door is open."""


class Pass(Request[int]):
    """Go through the door, or wait until it is open."""

    def __init__(self, number: int, after: str = "") -> None:
        self.number = number
        self.after = after


class Door(Actor):
    """Puts those aside who come too early."""

    passed: list[int]

    def __init__(self, passed: list[int]) -> None:
        self.passed = passed
        self.is_open = False

    @handles(Open)
    async def open(self, message: Open) -> None:
        self.is_open = True
        self.ctx.unstash_all()

    @handles(Pass)
    async def go(self, message: Pass) -> int:
        if self.is_open:
            self.passed.append(message.number)
            return message.number
        self.ctx.stash()
        if message.after == "crash":
            raise ValueError("put aside, then failed")
        if message.after == "refuse":
            raise Refusal("no")
        if message.after == "return it":
            self.ctx.unstash_all()
            raise ValueError("given back, then failed")
        if message.after == "twice":
            self.ctx.stash()
        return -1


def door(passed: list[int], stash: int = 64, **more: object) -> SupervisorSpec:
    spec = ChildSpec("door", lambda: Door(passed), mailbox=MailboxSpec(stash=stash), **more)  # type: ignore[arg-type]  # by name
    return SupervisorSpec((spec,))


def box_of(system: System) -> Mailbox:
    cell = system.find("door")
    assert cell is not None
    assert cell.mailbox is not None
    return cell.mailbox


async def test_what_is_aside_comes_before_what_waits() -> None:
    """In its order, the asker of each gets the real answer and not what stashing returned."""
    passed: list[int] = []
    answers: list[int] = []
    async with open_system(door(passed)) as system, anyio.create_task_group() as group:
        ref = system.lookup("door")

        async def ask(number: int) -> None:
            answers.append(await ref.ask(Pass(number)))

        for number in (1, 2):
            group.start_soon(ask, number)
            await anyio.wait_all_tasks_blocked()
        ref.tell(Pass(3))
        ref.tell(Open())
        ref.tell(Pass(4))
    assert passed == [1, 2, 3, 4]
    assert sorted(answers) == [1, 2]  # trio wakes them in any order


async def test_a_full_stash_is_an_error() -> None:
    """Memory is finite: the actor hears of it, and may let it crash."""
    async with open_system(door([], stash=1)) as system:
        ref = system.lookup("door")
        ref.tell(Pass(1))
        with pytest.raises(ActorCrashed, match="StashFull: the stash of door is full"):
            await ref.ask(Pass(2))
    assert issubclass(StashFull, Exception)


async def test_a_restart_gives_the_stash_back() -> None:
    """The successor handles it first; what failed is gone, be it that it was put aside before."""
    passed: list[int] = []
    async with open_system(door(passed)) as system:
        ref = system.lookup("door")
        ref.tell(Pass(1))
        with pytest.raises(ActorCrashed):
            await ref.ask(Pass(2, "crash"))
        with pytest.raises(ActorCrashed):
            await ref.ask(Pass(3, "return it"))
        ref.tell(Pass(4))
        await ref.ask(Open())
        await anyio.sleep(1)
        box = box_of(system)
        assert box.accepted == box.handed + box.depth + box.aside
        assert (box.handed, box.aside) == (5, 0)
    assert passed == [1, 4]


async def test_a_successor_need_not_ask_for_the_stash() -> None:
    """A restart has given it back: it comes before the mailbox without a call."""
    seen: list[tuple[int, object]] = []

    class Second(Actor):
        async def receive(self, message: object) -> object:
            seen.append((self.ctx.incarnation, message))
            if message == "crash":
                raise ValueError("as told")
            if self.ctx.incarnation == 1:
                self.ctx.stash()
            return None

    async with open_system(SupervisorSpec((ChildSpec("a", Second),))) as system:
        for message in (1, 2, "crash", 3):
            system.lookup("a").tell(message)
        await anyio.sleep(1)
    assert seen == [(1, 1), (1, 2), (1, "crash"), (2, 1), (2, 2), (2, 3)]


def test_what_is_put_aside_again_keeps_its_place() -> None:
    """Before those that were given back with it and not handled since."""
    box = Mailbox(MailboxSpec(), "a", lambda: None)
    for number in (1, 2, 3):
        box.put(number)
    box.stash(box.pop())
    box.stash(box.pop())
    box.unstash_all()
    box.stash(box.pop())
    box.unstash_all()
    assert [box.pop() for _ in range(4)] == [1, 2, 3, NOTHING]


async def test_the_end_makes_dead_letters_of_the_stash() -> None:
    """Who waits for an answer hears of it at once."""
    letters: list[object] = []
    async with open_system(door([], restart=Restart.TEMPORARY)) as system, system.subscribe() as events:

        async def ask() -> None:
            with pytest.raises(ActorStopped):
                await system.lookup("door").ask(Pass(1), timeout=math.inf)

        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            await system.terminate_child("", "door")
        system.stop()
        letters = [event.message async for event in events if isinstance(event, DeadLetter)]
    assert [letter.number for letter in letters if isinstance(letter, Pass)] == [1]


async def test_who_asked_and_left_is_skipped_in_the_stash() -> None:
    """A timeout counts while the request is aside; a refusal after all is an answer."""
    passed: list[int] = []
    async with open_system(door(passed)) as system:
        ref = system.lookup("door")
        with pytest.raises(AskTimeout):
            await ref.ask(Pass(1), timeout=1)
        with pytest.raises(Refusal):
            await ref.ask(Pass(2, "refuse"))
        await ref.ask(Open())
        await anyio.sleep(1)
        box = box_of(system)
        assert (box.skipped, box.aside, box.handed, box._abandoned) == (2, 0, 1, 0)
    assert passed == []


async def test_only_a_message_of_the_mailbox_can_be_put_aside() -> None:
    """None in hand, the same twice, and timers: a mistake, told at once."""
    told: list[str] = []

    class Clumsy(Actor):
        async def on_start(self) -> None:
            self.note()
            self.ctx.start_timer("tick", 1, "tick")
            self.ctx.start_soon(self.later)

        async def later(self) -> None:
            self.note()

        async def receive(self, message: object) -> object:
            self.note()
            if message != "tick":
                self.note()
            return None

        def note(self) -> None:
            try:
                self.ctx.stash()
            except RuntimeError as error:
                told.append(str(error))

    async with open_system(SupervisorSpec((ChildSpec("a", Clumsy),))) as system:
        await anyio.sleep(2)
        system.lookup("a").tell("user")
        await anyio.sleep(1)
    nothing = "a has no message in hand that it could put aside"
    timer = "timers and notices are of this incarnation and cannot be put aside"
    assert told == [nothing, nothing, timer, nothing]


async def test_only_the_actors_own_task_puts_aside() -> None:
    """Another one does not know what is in hand; the handler that awaits it goes on."""
    told: list[str] = []

    class Delegating(Actor):
        async def other(self) -> None:
            with pytest.raises(RuntimeError, match="a has no message in hand that it could put aside"):
                self.ctx.stash()

        async def receive(self, message: object) -> object:
            async with anyio.create_task_group() as group:
                group.start_soon(self.other)
            told.append("handled")
            return None

    async with open_system(SupervisorSpec((ChildSpec("a", Delegating),))) as system:
        system.lookup("a").tell("work")
        await anyio.sleep(1)
    assert told == ["handled"]


@given(
    capacity=st.integers(1, 4),
    room=st.integers(1, 4),
    steps=st.lists(st.sampled_from(["put", "pop", "pop and stash", "give back"]), max_size=60),
)
def test_the_stash_equals_its_lists(capacity: int, room: int, steps: list[str]) -> None:
    """Against plain lists: what comes next, what is refused, and no message lost."""
    box = Mailbox(MailboxSpec(capacity, Overflow.DROP_NEWEST, stash=room), "a", lambda: None)
    queue: deque[int] = deque()
    aside: list[int] = []
    returned: list[int] = []
    for number, step in enumerate(steps):
        if step == "put":
            box.put(number)
            if len(queue) < capacity:
                queue.append(number)
        elif step == "give back":
            box.unstash_all()
            returned, aside = aside + returned, []
        else:
            source: list[int] | deque[int] = returned or queue
            expected = source[0] if source else NOTHING
            assert box.pop() == expected
            if source:
                del source[0]
                if step == "pop and stash" and len(aside) + len(returned) < room:
                    box.stash(expected)
                    aside.append(int(str(expected)))
        assert box.aside == len(aside) + len(returned) <= room
        assert box.needs_care == bool(returned)
        assert box.accepted == box.handed + box.depth + box.aside + box.dropped
    assert box.close() == [*aside, *returned, *queue]
