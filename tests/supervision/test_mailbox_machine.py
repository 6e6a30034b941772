"""Mailboxes against lists, step by step: policies, senders that wait, abandoned requests, ways of giving up.

The machine drives one mailbox on asyncio, the only loop with all three ways of being cancelled: an anyio
scope, ``Task.cancel()`` by foreign code, and ``asyncio.timeout``, each also in the very moment between being
woken and running again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import anyio
import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from supervision import ActorStopped, MailboxFull, MailboxSpec, Overflow
from supervision._mailbox import make_mailbox
from supervision._slot import Ask
from supervision._stash import NOTHING
from supervision.testing import virtual_backend
from tests.supervision.reference.depth import examples

if TYPE_CHECKING:
    from collections.abc import Callable

How = Literal["scope", "native", "timeout"]
HOWS = st.sampled_from(["scope", "native", "timeout"])
VALUES = st.integers(0, 9)
#: Turns of the loop in which everything that can happen has happened.
TURNS = 12


def key_of(message: object) -> int | None:
    """Small numbers conflate with their like modulo 3, others never."""
    return message % 3 if isinstance(message, int) and message < 6 else None


def content(item: object) -> object:
    return item.message if isinstance(item, Ask) else item


@dataclass(eq=False)
class Sender:
    """Somebody who waits for room.

    :ivar outcome: None while it waits, then ``sent``, ``closed`` or ``gave up``
    """

    item: object
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    timeout: asyncio.Timeout | None = None
    task: asyncio.Task[None] | None = None
    outcome: str | None = None

    def give_up(self, how: How) -> None:
        if how == "scope":
            self.scope.cancel()
        elif how == "native" and self.task is not None:
            self.task.cancel()
        elif self.timeout is not None:
            self.timeout.reschedule(0)


class MailboxMachine(RuleBasedStateMachine):
    """A mailbox and the list that it has to equal.

    Abandoned requests are left out of the list: they give way when room is short.

    :cvar policy: the overflow policy under test
    """

    policy = Overflow.REJECT

    @initialize(capacity=st.integers(1, 4))
    def begin(self, capacity: int) -> None:
        _, options = virtual_backend("asyncio")
        self.runner = asyncio.Runner(loop_factory=options["loop_factory"])
        self.capacity = capacity
        key = key_of if self.policy is Overflow.CONFLATE else None
        self.box = make_mailbox(MailboxSpec(capacity, self.policy, key), "a", lambda: None)
        self.queue: list[object] = []
        self.senders: list[Sender] = []
        self.abandoned: list[Ask] = []
        self.accepted = self.handed = self.dropped = self.refused = self.skipped = 0
        self.closed = False

    # what the list does

    def expect_put(self, item: object) -> None:
        if self.policy is Overflow.CONFLATE and (key := key_of(content(item))) is not None:
            like = [each for each in self.queue if key_of(content(each)) == key]
            self.dropped += len(like)
            self.queue = [each for each in self.queue if each not in like]
        if len(self.queue) == self.capacity:
            if self.policy in (Overflow.REJECT, Overflow.CONFLATE):
                self.refused += 1
                return
            self.dropped += 1
            if self.policy is Overflow.DROP_NEWEST:
                self.accepted += 1
                return
            self.queue.pop(0)
        self.accepted += 1
        self.queue.append(item)

    # what is done to the mailbox

    def put(self, item: object) -> None:
        refused = self.refused
        if not self.closed:
            self.expect_put(item)
        try:
            self.box.put(item)
        except MailboxFull:
            assert self.refused == refused + 1
        except ActorStopped:
            assert self.closed
        else:
            assert self.refused == refused

    def pop(self) -> None:
        """As an actor does: requests that nobody waits for are skipped."""
        item = self.box.pop()
        while isinstance(item, Ask) and not self.box.take(item):
            assert item in self.abandoned
            self.skipped += 1
            item = self.box.pop()
        expected = self.queue.pop(0) if self.queue else NOTHING
        assert item is expected
        self.handed += item is not NOTHING

    def settle(self, *acts: Callable[[], object]) -> None:
        """Do that within one turn of the loop, then let everybody run."""

        async def turns() -> None:
            for act in acts:
                act()
            for _ in range(TURNS):
                await asyncio.sleep(0)

        self.runner.run(turns())
        self._note_senders()

    def _note_senders(self) -> None:
        """Those who are done, in the order of their waiting."""
        waits = False
        for sender in self.senders:
            if sender.outcome == "sent":
                assert not waits or self.needs_no_room(sender.item), "somebody behind was served first"
                self.expect_put(sender.item)
            waits = waits or sender.outcome is None
        self.senders = [sender for sender in self.senders if sender.outcome is None]

    def needs_no_room(self, item: object) -> bool:
        """It takes the place of its like."""
        key = key_of(content(item)) if self.policy is Overflow.CONFLATE else None
        return key is not None and key in map(key_of, map(content, [*self.queue, *self.abandoned]))

    async def _send(self, sender: Sender) -> None:
        sender.outcome = None
        try:
            with sender.scope:
                async with asyncio.timeout(None) as sender.timeout:
                    await self.box.send(sender.item)
                    sender.outcome = "sent"
        except ActorStopped:
            assert self.closed
            sender.outcome = "closed"
        except TimeoutError:
            pass
        finally:
            sender.outcome = sender.outcome or "gave up"

    # rules

    @rule(value=VALUES)
    def tell(self, value: int) -> None:
        self.settle(lambda: self.put(value))

    @rule(value=VALUES)
    def ask(self, value: int) -> None:
        self.settle(lambda: self.put(Ask(value)))

    @rule(value=VALUES)
    def send(self, value: int) -> None:
        def start() -> None:
            sender = Sender(Ask(value) if value % 2 else value)
            sender.task = asyncio.get_running_loop().create_task(self._send(sender))
            self.senders.append(sender)

        self.settle(start)

    @rule()
    def take(self) -> None:
        self.settle(self.pop)

    @rule(value=VALUES)
    def take_and_tell(self, value: int) -> None:
        """The room that a sender was woken for is gone before it runs; its turn is not."""
        self.settle(self.pop, lambda: self.put(value))

    @precondition(lambda self: self.senders)
    @rule(place=st.integers(0, 3), how=HOWS, woken=st.booleans())
    def give_up(self, place: int, how: How, woken: bool) -> None:
        """A sender leaves, perhaps just after it was woken; then it sent, or the next has its turn."""
        sender = self.senders[place % len(self.senders)]
        self.settle(*([self.pop] if woken else []), lambda: sender.give_up(how))

    @rule(place=st.integers(0, 3))
    def abandon(self, place: int) -> None:
        asks = [item for item in self.queue if isinstance(item, Ask)]
        if asks:
            ask = asks[place % len(asks)]
            self.abandoned.append(ask)
            self.queue.remove(ask)
            self.settle(lambda: self.box.abandon(ask))

    @rule(sure=st.integers(0, 9))
    def close(self, sure: int) -> None:
        if sure or self.closed:
            return
        self.settle(self._close)
        assert self.senders == [], "somebody waits for room in a mailbox that has ended"

    def _close(self) -> None:
        self.closed = True
        rest = self.box.close()
        assert [item for item in rest if item not in self.abandoned] == self.queue
        self.queue.clear()

    # what holds at every instant

    @invariant()
    def the_list_is_equalled(self) -> None:
        waiting = [item for item in self.box.queue if item not in self.abandoned]
        assert waiting == self.queue
        unwanted = sum(ask.is_open for ask in self.abandoned)  # conflated before they gave way
        assert self.box.dropped - unwanted == self.dropped
        assert (self.box.handed, self.box.refused) == (self.handed, self.refused)

    @invariant()
    def nothing_is_lost(self) -> None:
        box = self.box
        assert self.accepted == box.handed + box.depth + box.dropped + box.skipped + box.dead
        assert box.accepted == self.accepted

    @invariant()
    def the_bound_holds(self) -> None:
        assert self.box.depth <= self.box.peak <= self.capacity

    @invariant()
    def who_was_dropped_knows(self) -> None:
        assert all(not item.is_open for item in self.queue if isinstance(item, Ask))

    def teardown(self) -> None:
        """Whoever still waits is served, one for each message that is taken."""
        if not hasattr(self, "runner"):
            return
        for _ in range(len(self.senders) + self.capacity):
            self.settle(self.pop)
        assert self.senders == [], "somebody waits although there is room"
        self.runner.close()


@pytest.mark.parametrize("policy", Overflow)
def test_mailboxes_equal_their_lists(policy: Overflow) -> None:
    """Every policy, with senders who wait and give up in every way at every moment."""
    machine = type(f"{policy.name.title()}Machine", (MailboxMachine,), {"policy": policy})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples(25),
            stateful_step_count=30,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
