"""Bounded mailboxes: a deque, a wake-up, and one function per overflow policy."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from anyio import Event
from anyio.lowlevel import checkpoint

from ._conflation import KeyedQueue
from ._errors import ActorStopped, MailboxFull, MessageDropped
from ._slot import Ask
from ._spec import MailboxSpec, Overflow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ._terminated import Terminated

#: What :meth:`Mailbox.pop` returns when nothing waits.
NOTHING: Final = object()


class Mailbox:
    """Messages that wait for one actor; kept over its restarts.

    Events only wake, a message stays here until :meth:`pop` takes it synchronously, so no
    cancellation of any kind can lose one. At every instant
    ``accepted == handed + depth + dropped + skipped + dead``.

    :ivar accepted: user messages taken in
    :ivar handed: given to the actor
    :ivar dropped: lost to the overflow policy
    :ivar skipped: requests whose asker had gone before the actor came to them
    :ivar dead: left over when the mailbox closed
    :ivar system: messages of the kernel, None until the first
    :ivar refused: met a full mailbox that rejects (never accepted)
    """

    __slots__ = (
        "_abandoned", "_on_overflow", "_queue", "_senders", "_spec", "_waker",
        "accepted", "capacity", "closed", "dead", "dropped", "full_episode", "handed", "path", "peak",
        "refused", "skipped", "system",
    )  # fmt: skip

    def __init__(self, spec: MailboxSpec, path: str, on_overflow: Callable[[], None]) -> None:
        self.path = path
        self.capacity = spec.capacity
        self.closed = False
        self.accepted = self.handed = self.dropped = self.skipped = self.dead = self.refused = self.peak = 0
        self.full_episode = False
        self._spec = spec
        self._on_overflow = on_overflow
        self._queue: deque[object] | KeyedQueue = deque()
        self.system: deque[tuple[object, Terminated]] | None = None
        self._senders: deque[Event] | None = None
        self._waker: Event | None = None
        self._abandoned = 0

    @property
    def depth(self) -> int:
        """User messages waiting."""
        return len(self._queue)

    def put(self, item: object) -> None:
        """Take a message in, by the policy; never waits.

        :raises ActorStopped: if closed
        :raises MailboxFull: if full and the policy rejects
        """
        if self.closed:
            raise ActorStopped(f"{self.path} has ended")
        queue = self._queue
        if len(queue) >= self.capacity and not self._make_room(item):
            return
        queue.append(item)
        self.accepted += 1
        if len(queue) > self.peak:
            self.peak = len(queue)
        if self._waker is not None:
            self.wake()

    async def send(self, item: object) -> None:
        """Take a message in as soon as there is room. Waiting senders are served in their order.

        :raises ActorStopped: if closed, also while waiting
        """
        await checkpoint()
        turn = self._queue_up if self._senders else self._wait_again
        while not self.closed and not self._has_room(item):
            await self._stand(turn)
            turn = self._wait_again
        self.put(item)

    def put_system(self, receiver: object, notice: Terminated) -> None:
        """A message of the kernel for one incarnation: ahead of all user messages, outside the bound."""
        if self.closed:
            return
        if self.system is None:  # an empty deque is 760 bytes, and most actors never need it
            self.system = deque()
        self.system.append((receiver, notice))
        self.wake()

    def pop(self) -> object:
        """The next user message, or :data:`NOTHING`. Requests that nobody waits for are skipped."""
        while self._queue:
            item = self._queue.popleft()
            if self._senders:
                self._wake_sender()
            if type(item) is Ask and not self._hand_out(item):
                continue
            self.handed += 1
            return item
        self.full_episode = False
        return NOTHING

    def _hand_out(self, ask: Ask) -> bool:
        """Whether somebody still waits for it."""
        if ask.abandoned:
            self.skipped += 1
            self._abandoned -= 1
            return False
        ask.taken = True
        return True

    def pop_system(self) -> tuple[object, Terminated] | None:
        """The next message of the kernel with the incarnation it is for."""
        return self.system.popleft() if self.system else None

    async def park(self) -> None:
        """Wait until something may have arrived."""
        self._waker = Event()
        try:
            await self._waker.wait()
        finally:
            self._waker = None

    def wake(self) -> None:
        waker, self._waker = self._waker, None
        if waker is not None:
            waker.set()

    def abandon(self, ask: Ask) -> None:
        """Its asker has gone: unless it is in hand it never runs, and gives way when room is short."""
        ask.abandoned = True
        if not ask.taken:
            self._abandoned += 1

    def close(self) -> list[object]:
        """End: nothing is taken in any more. Returns what was left, in order; waiting senders fail."""
        self.closed = True
        rest = list(self._queue)
        self._queue.clear()
        self.dead += len(rest)
        while self._senders:
            self._senders.popleft().set()
        return rest

    # rules

    def _has_room(self, item: object) -> bool:
        return len(self._queue) < self.capacity or self._purge()

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
        wanted = [item for item in self._queue if _wanted(item)]
        self._queue.clear()
        self._queue.extend(wanted)
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
        self._drop(self._queue.popleft())
        return True

    def _drop_newest(self, item: object) -> bool:
        self.accepted += 1
        self._drop(item)
        return False

    # senders that wait for room

    def _queue_up(self, event: Event) -> None:
        if self._senders is not None:
            self._senders.append(event)

    def _wait_again(self, event: Event) -> None:
        # woken, but a tell was faster: the turn is not lost
        if self._senders is None:
            self._senders = deque()
        self._senders.appendleft(event)

    async def _stand(self, place: Callable[[Event], None]) -> None:
        event = Event()
        place(event)
        try:
            await event.wait()
        except BaseException:
            if event.is_set():
                self._wake_sender()  # our turn goes to the next
            elif self._senders is not None:
                self._senders.remove(event)
            raise

    def _wake_sender(self) -> None:
        if self._senders:
            self._senders.popleft().set()


class ConflatingMailbox(Mailbox):
    """A message takes the place of a waiting one with its key, and stands at the end of the queue:
    so the order of each sender's messages holds.
    """

    __slots__ = ("_keyed",)

    def __init__(self, spec: MailboxSpec, path: str, on_overflow: Callable[[], None]) -> None:
        super().__init__(spec, path, on_overflow)
        self._keyed = KeyedQueue(spec.key or (lambda _: None))
        self._queue = self._keyed

    def put(self, item: object) -> None:
        """Take a message in; see :meth:`Mailbox.put`."""
        replaced = NOTHING if self.closed else self._keyed.take_like(item, NOTHING)
        if replaced is not NOTHING:
            self._drop(replaced)
        super().put(item)

    def _has_room(self, item: object) -> bool:
        return self._keyed.has_like(item) or super()._has_room(item)


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
