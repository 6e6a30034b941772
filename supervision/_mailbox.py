"""Bounded mailboxes: a deque, a wake-up, and one function per overflow policy."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any

from anyio.lowlevel import checkpoint

from ._conflation import KeyedQueue
from ._errors import ActorStopped, MailboxFull, MessageDropped
from ._native import Waiter, new_waiter, wait, wake
from ._slot import Ask
from ._spec import MailboxSpec, Overflow
from ._stash import NOTHING, Stash

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ._terminated import Terminated


class Mailbox:
    """Messages that wait for one actor; kept over its restarts.

    Events only wake, a message stays here until :meth:`pop` takes it synchronously, so no
    cancellation of any kind can lose one. At every instant
    ``accepted == handed + depth + aside + dropped + skipped + dead``.

    :ivar handed: given to the actor
    :ivar dropped: lost to the overflow policy
    :ivar skipped: requests whose asker had gone before the actor came to them
    :ivar dead: left over when the mailbox closed
    :ivar queue: the user messages that wait; only :meth:`put` adds
    :ivar mark: while fewer messages wait than this, taking one in is appending it, and waking
    :ivar urgent: something comes before the next user message, or must be done when it is taken: the
        slow way of :meth:`ActorProcess._next`
    :ivar system: messages of the kernel, None until the first
    :ivar refused: met a full mailbox that rejects (never accepted)
    """

    __slots__ = (
        "_abandoned", "_on_overflow", "_peak", "_senders", "_spec", "_stash",
        "capacity", "closed", "dead", "dropped", "full_episode", "handed", "mark", "path", "queue",
        "refused", "skipped", "system", "urgent", "waker",
    )  # fmt: skip

    def __init__(self, spec: MailboxSpec, path: str, on_overflow: Callable[[], None]) -> None:
        self.path = path
        self.capacity = spec.capacity
        self.closed = False
        self.handed = self.dropped = self.skipped = self.dead = self.refused = self._abandoned = 0
        self.full_episode = self.urgent = False
        self._spec = spec
        self._on_overflow = on_overflow
        self.queue: deque[object] | KeyedQueue = deque()
        self.system: deque[tuple[object, Terminated]] | None = None
        self._senders: deque[Waiter] | None = None
        self.waker: Waiter | None = None
        self._stash: Stash | None = None
        self._peak = 0
        self.mark = 0

    @property
    def depth(self) -> int:
        """User messages waiting."""
        return len(self.queue)

    @property
    def peak(self) -> int:
        """The most user messages that ever waited."""
        return self._peak

    @property
    def accepted(self) -> int:
        """User messages taken in."""
        gone = self.handed + self.dropped + self.skipped + self.dead
        return gone + len(self.queue) + self.aside

    @property
    def aside(self) -> int:
        """User messages in the stash, given back ones included."""
        return 0 if self._stash is None else len(self._stash)

    def put(self, item: object) -> None:
        """Take a message in, by the policy; never waits.

        :raises ActorStopped: if closed
        :raises MailboxFull: if full and the policy rejects
        """
        queue = self.queue
        if len(queue) >= self.mark and not self._admit(item):
            return
        queue.append(item)
        if self.waker is not None:
            self.wake()

    def _admit(self, item: object) -> bool:
        """At the mark: closed, full, or deeper than ever. Whether to append it."""
        if self.closed:
            raise ActorStopped(f"{self.path} has ended")
        depth = len(self.queue)
        if depth >= self.capacity:
            return self._make_room(item)
        self.mark = self._peak = max(self._peak, depth + 1)
        return True

    async def send(self, item: object) -> None:
        """Take a message in as soon as there is room. Waiting senders are served in their order.

        :raises ActorStopped: if closed, also while waiting
        """
        await checkpoint()
        if self._senders and not self._like_waits(item):
            if self._has_room(item):
                self._wake_sender()  # the room of abandoned requests belongs to who came before
            await self._stand(self._queue_up)
        while not self.closed and not self._has_room(item):
            await self._stand(self._wait_again)
        self.put(item)
        if self._senders and len(self.queue) < self.capacity:
            self._wake_sender()

    def put_system(self, receiver: object, notice: Terminated) -> None:
        """A message of the kernel for one incarnation: ahead of all user messages, outside the bound."""
        if self.closed:
            return
        if self.system is None:  # an empty deque is 760 bytes, and most actors never need it
            self.system = deque()
        self.system.append((receiver, notice))
        self.urge()

    def pop(self) -> object:
        """The next user message, or :data:`NOTHING`: first what the stash gave back."""
        item = NOTHING if self._stash is None else self._stash.pop()
        if item is NOTHING:
            item = self._pop_queue()
        if item is not NOTHING:
            self.handed += 1
        return item

    def _pop_queue(self) -> object:
        if not self.queue:
            self.full_episode = False
            return NOTHING
        item = self.queue.popleft()
        if self._senders:
            self._wake_sender()  # there is room
        return item

    def stash(self, item: object) -> None:
        """The actor puts aside what was handed to it.

        :raises StashFull: as many are there as may be
        """
        if self._stash is None:
            self._stash = Stash(self._spec.stash, self.path)
        self._stash.put(item)
        self.handed -= 1

    def unstash_all(self) -> None:
        """What is aside comes next, in its order, before all that waits here."""
        if self._stash is not None:
            self._stash.give_back()
            self.urge()

    def drop_stashed(self, item: object) -> None:
        """Its own handler failed after it had put it aside: it counts as handed out."""
        if self._stash is not None:  # pragma: no branch - it has been put there
            self._stash.discard(item)
            self.handed += 1

    @property
    def needs_care(self) -> bool:
        """Whether taking a message is more than taking the first of the queue, or something comes before."""
        returned = self._stash is not None and self._stash.has_returned
        return bool(self._senders or self.system) or returned

    def take(self, ask: Ask) -> bool:
        """A request is about to run: whether somebody still waits for it. If not it is skipped."""
        wanted = not (ask.abandoned or ask.is_open)
        if not wanted:
            self.handed -= 1
            self.skipped += 1
            self._abandoned -= ask.abandoned and not ask.taken  # in the stash it is not counted
        ask.taken = ask.taken or wanted
        return wanted

    def pop_system(self) -> tuple[object, Terminated] | None:
        """The next message of the kernel with the incarnation it is for."""
        return self.system.popleft() if self.system else None

    async def park(self, timeout_s: float = math.inf) -> None:
        """Wait until something may have arrived, at most so long."""
        self.waker = waiter = new_waiter()
        try:
            await (waiter if timeout_s == math.inf else wait(waiter, timeout_s))
        finally:
            self.waker = None

    def wake(self) -> None:
        waker, self.waker = self.waker, None
        if waker is not None:
            wake(waker)

    def urge(self) -> None:
        """Something has come up that is no user message."""
        self.urgent = True
        self.wake()

    def abandon(self, ask: Ask) -> None:
        """Its asker has gone: unless it is in hand it never runs, and gives way when room is short."""
        ask.abandoned = True
        if not ask.taken:
            self._abandoned += 1

    def close(self) -> list[object]:
        """End: nothing is taken in any more. Returns what was left, in order; waiting senders fail."""
        self.closed = True
        rest = [] if self._stash is None else self._stash.drain()
        rest += self.queue
        self.queue.clear()
        self.dead += len(rest)
        self.mark = 0
        while self._senders:
            wake(self._senders.popleft())
        return rest

    # rules

    def _has_room(self, item: object) -> bool:
        return len(self.queue) < self.capacity or self._like_waits(item) or self._purge()

    def _like_waits(self, item: object) -> bool:
        """Whether it would take the place of another, and needs no room."""
        return False

    def _make_room(self, item: object) -> bool:
        """Whether there is room now; False if the item itself was dropped."""
        if self._purge():
            return True
        if not self.full_episode:
            self.full_episode = True
            self._on_overflow()
        return _POLICIES[self._spec.overflow](self, item)

    def _purge(self) -> bool:
        if not self._abandoned:
            return False
        before, self._abandoned = self.depth, 0
        wanted = [item for item in self.queue if _wanted(item)]
        self.queue.clear()
        self.queue.extend(wanted)
        self.skipped += before - self.depth
        return self.depth < self.capacity

    def _drop(self, item: object) -> None:
        self.dropped += 1
        if type(item) is Ask:
            if item.abandoned:
                self._abandoned -= 1
            item.fail(MessageDropped(f"the mailbox of {self.path} dropped the request"))

    def _reject(self, item: object) -> bool:
        self.refused += 1
        raise MailboxFull(f"the mailbox of {self.path} is full ({self.capacity} messages)")

    def _drop_oldest(self, item: object) -> bool:
        self._drop(self.queue.popleft())
        return True

    def _drop_newest(self, item: object) -> bool:
        self._drop(item)
        return False

    # senders that wait for room

    def _queue_up(self, waiter: Waiter) -> None:
        self.urgent = True  # to be served when a message is taken
        if self._senders is not None:  # pragma: no branch - one waits already
            self._senders.append(waiter)

    def _wait_again(self, waiter: Waiter) -> None:
        self.urgent = True
        # woken, but a tell was faster: the turn is not lost
        if self._senders is None:
            self._senders = deque()
        self._senders.appendleft(waiter)

    async def _stand(self, place: Callable[[Waiter], None]) -> None:
        waiter = new_waiter()
        place(waiter)
        try:
            await waiter
        except BaseException:
            if self._senders is not None and waiter in self._senders:
                self._senders.remove(waiter)
            else:
                self._wake_sender()  # our turn goes to the next
            raise

    def _wake_sender(self) -> None:
        if self._senders:
            wake(self._senders.popleft())


class ConflatingMailbox(Mailbox):
    """A message takes the place of a waiting one with its key, and stands at the end of the queue:
    so the order of each sender's messages holds.
    """

    __slots__ = ("_keyed",)

    def __init__(self, spec: MailboxSpec, path: str, on_overflow: Callable[[], None]) -> None:
        super().__init__(spec, path, on_overflow)
        self._keyed = KeyedQueue(spec.key or (lambda _: None))
        self.queue = self._keyed

    def _admit(self, item: object) -> bool:
        replaced = NOTHING if self.closed else self._keyed.take_like(item, NOTHING)
        if replaced is not NOTHING:
            self._drop(replaced)
        admitted = super()._admit(item)
        self.mark = 0  # every message is looked at
        return admitted

    def _like_waits(self, item: object) -> bool:
        return self._keyed.has_like(item)


def _wanted(item: object) -> bool:
    return not (type(item) is Ask and item.abandoned)


_POLICIES: Mapping[Overflow, Callable[[Any, object], bool]] = {
    Overflow.REJECT: Mailbox._reject,
    Overflow.CONFLATE: Mailbox._reject,
    Overflow.DROP_OLDEST: Mailbox._drop_oldest,
    Overflow.DROP_NEWEST: Mailbox._drop_newest,
}


def make_mailbox(spec: MailboxSpec, path: str, on_overflow: Callable[[], None]) -> Mailbox:
    """The mailbox for that spec."""
    kind = ConflatingMailbox if spec.overflow is Overflow.CONFLATE else Mailbox
    return kind(spec, path, on_overflow)
