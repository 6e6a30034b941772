"""Mailboxes against lists."""

from __future__ import annotations

from typing import Any, cast

import anyio
import pytest
from hypothesis import given, strategies as st

from supervision import ActorStopped, MailboxFull, MailboxSpec, Overflow
from supervision._mailbox import Mailbox, make_mailbox
from supervision._slot import Ask
from supervision._stash import NOTHING

pytestmark = pytest.mark.anyio


def key_of(message: object) -> int | None:
    """Small numbers conflate with their like modulo 3, others never."""
    return message % 3 if isinstance(message, int) and message < 6 else None


class Oracle:
    """What a mailbox is, as a plain list."""

    def __init__(self, capacity: int, overflow: Overflow) -> None:
        self.capacity = capacity
        self.overflow = overflow
        self.queue: list[int] = []
        self.accepted = self.dropped = self.refused = self.peak = 0

    def put(self, message: int) -> None:
        if self.overflow is Overflow.CONFLATE and key_of(message) is not None:
            before = len(self.queue)
            self.queue = [each for each in self.queue if key_of(each) != key_of(message)]
            self.dropped += before - len(self.queue)
        if len(self.queue) == self.capacity:
            if self.overflow in (Overflow.REJECT, Overflow.CONFLATE):
                self.refused += 1
                return
            self.dropped += 1
            if self.overflow is Overflow.DROP_NEWEST:
                self.accepted += 1
                return
            self.queue.pop(0)
        self.accepted += 1
        self.queue.append(message)
        self.peak = max(self.peak, len(self.queue))


def new_mailbox(capacity: int, overflow: Overflow) -> Mailbox:
    key = key_of if overflow is Overflow.CONFLATE else None
    return make_mailbox(MailboxSpec(capacity, overflow, key), "a", lambda: None)


@given(
    capacity=st.integers(1, 5),
    overflow=st.sampled_from(Overflow),
    steps=st.lists(st.one_of(st.integers(0, 9), st.none()), min_size=10, max_size=60),
)
def test_each_policy_equals_its_list(capacity: int, overflow: Overflow, steps: list[int | None]) -> None:
    """Puts (numbers) and pops (None) do to a mailbox what they do to the list; counters included."""
    box, oracle = new_mailbox(capacity, overflow), Oracle(capacity, overflow)
    handed = 0
    for step in steps:
        if step is None:
            expected = oracle.queue.pop(0) if oracle.queue else NOTHING
            handed += expected is not NOTHING
            assert box.pop() == expected
        else:
            oracle.put(step)
            try:
                box.put(step)
            except MailboxFull:
                assert overflow in (Overflow.REJECT, Overflow.CONFLATE)
        assert box.depth == len(oracle.queue) <= capacity
        assert (box.accepted, box.dropped, box.refused, box.peak) == (
            oracle.accepted,
            oracle.dropped,
            oracle.refused,
            oracle.peak,
        )
        assert box.handed == handed
    assert box.close() == oracle.queue


class Requests:
    """A mailbox of requests, some abandoned, as a plain list."""

    def __init__(self, capacity: int, overflow: Overflow) -> None:
        self.box = new_mailbox(capacity, overflow)
        self.taken: list[Ask] = []
        self.made: list[Ask] = []

    def step(self, action: str, index: int) -> None:
        if action == "put":
            ask = Ask(index)
            try:
                self.box.put(ask)
            except MailboxFull:
                return
            self.made.append(ask)
        elif action == "pop":
            item = self.box.pop()
            if isinstance(item, Ask) and self.box.take(item):
                assert not item.abandoned
                self.taken.append(item)
        elif self.made:
            ask = self.made[index % len(self.made)]
            if not ask.is_open and not ask.abandoned:
                self.box.abandon(ask)


@given(
    capacity=st.integers(1, 4),
    overflow=st.sampled_from(Overflow),
    steps=st.lists(
        st.tuples(st.sampled_from(["put", "put", "pop", "abandon"]), st.integers(0, 9)),
        min_size=10,
        max_size=60,
    ),
)
def test_nothing_is_lost_and_the_abandoned_never_run(
    capacity: int, overflow: Overflow, steps: list[tuple[str, int]]
) -> None:
    """What was put in was handed out, waits, was dropped, skipped or is dead, at every instant."""
    run = Requests(capacity, overflow)
    box = run.box
    for action, index in steps:
        run.step(action, index)
        assert box.depth <= capacity
        assert len(run.made) == box.handed + box.depth + box.dropped + box.skipped == box.accepted
        waiting = [ask for ask in box.queue if isinstance(ask, Ask)]
        assert sum(ask.abandoned for ask in waiting) == box._abandoned
    rest = box.close()
    assert len(run.made) == box.handed + box.dropped + box.skipped + box.dead
    wanted = [ask for ask in run.made if not ask.abandoned and not ask.is_open]
    assert set(wanted) <= set(run.taken) | {item for item in rest if isinstance(item, Ask)}


def test_a_full_mailbox_prefers_the_abandoned_to_give_way() -> None:
    """Requests that nobody waits for any longer do not keep others out."""
    box = new_mailbox(1, Overflow.REJECT)
    ask = Ask("old")
    box.put(ask)
    box.abandon(ask)

    box.put("new")

    assert box.pop() == "new"
    assert box.skipped == 1


@pytest.mark.parametrize(
    ("capacity", "overflow", "key"),
    [(0, Overflow.REJECT, None), (1, Overflow.CONFLATE, None), (1, Overflow.REJECT, key_of)],
)
def test_a_wrong_spec_is_refused(capacity: int, overflow: Overflow, key: Any) -> None:
    """No room at all, or a key without its policy and the reverse."""
    with pytest.raises(ValueError, match=r"capacity|key"):
        MailboxSpec(capacity, overflow, key)


def test_an_episode_of_overflow_is_told_once() -> None:
    """One call for a full mailbox, another after it was empty."""
    told: list[str] = []
    box = make_mailbox(MailboxSpec(1, Overflow.DROP_OLDEST), "a", lambda: told.append("full"))
    for message in range(5):
        box.put(message)
    assert told == ["full"]
    while box.pop() is not NOTHING:
        pass

    box.put(0)
    box.put(1)

    assert told == ["full", "full"]


async def test_send_waits_for_room_in_order() -> None:
    """Senders that wait are served first come, first served."""
    box = new_mailbox(1, Overflow.REJECT)
    box.put("first")
    got: list[object] = []
    async with anyio.create_task_group() as group:
        for name in "abc":
            group.start_soon(box.send, name)
            await anyio.wait_all_tasks_blocked()
        for _ in range(4):
            got.append(box.pop())
            await anyio.wait_all_tasks_blocked()

    assert got == ["first", "a", "b", "c"]


async def test_senders_of_new_keys_wait_in_order() -> None:
    """Where a mailbox conflates; its key is asked about messages only."""
    box = make_mailbox(
        MailboxSpec(1, Overflow.CONFLATE, lambda text: cast("str", text)[0]), "a", lambda: None
    )
    box.put("a: first")
    async with anyio.create_task_group() as group:
        for text in ("b: waits", "c: waits", "a: new"):
            group.start_soon(box.send, text)
            await anyio.wait_all_tasks_blocked()
        got: list[object] = []
        for _ in range(3):
            got.append(box.pop())
            await anyio.wait_all_tasks_blocked()
    assert got == ["a: new", "b: waits", "c: waits"]


async def test_a_sender_that_gives_up_hands_its_turn_on() -> None:
    """A cancelled sender, woken or not, blocks nobody and leaves no message."""
    box = new_mailbox(1, Overflow.REJECT)
    box.put("first")
    async with anyio.create_task_group() as group:
        scopes = [anyio.CancelScope() for _ in range(3)]

        async def send(scope: anyio.CancelScope, name: str) -> None:
            with scope:
                await box.send(name)

        for scope, name in zip(scopes, "abc", strict=True):
            group.start_soon(send, scope, name)
            await anyio.wait_all_tasks_blocked()
        scopes[1].cancel()
        await anyio.wait_all_tasks_blocked()
        assert box.pop() == "first"
        scopes[0].cancel()  # it was just woken
        await anyio.wait_all_tasks_blocked()
        got = [box.pop(), box.pop()]

    assert [each for each in got if each is not NOTHING] in (["c"], ["a"], ["a", "c"])
    assert box.depth == 0 or box.pop() == "c"


async def test_close_wakes_senders_with_an_error() -> None:
    """Nobody waits for room in a mailbox that has ended."""
    box = new_mailbox(1, Overflow.REJECT)
    box.put("first")
    async with anyio.create_task_group() as group:

        async def send() -> None:
            with pytest.raises(ActorStopped, match="a has ended"):
                await box.send("late")

        group.start_soon(send)
        await anyio.wait_all_tasks_blocked()
        box.close()


def test_the_first_answer_counts() -> None:
    """Later writers of a slot vanish."""
    ask = Ask("request")
    ask.succeed(1)
    ask.succeed(2)
    ask.fail(ValueError())

    assert ask.result() == 1
