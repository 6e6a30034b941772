"""Floors: the least that a mailbox of this kind can be, written by hand and good for nothing else.

A deque and one parked future (trio: one parked task); no bound, no errors, no supervision.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

import anyio
import trio

from tests.bench.kernel.loops import WITH_FUTURES
from tests.bench.kernel.peers import Peer, Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.kernel.loops import Seat

PARKED = "floor: deque, one parked future"
ASYNC_HANDLER = "floor: deque, anyio.Event, async handler"
ASK = "floor: a future both ways"
ASK_TIMEOUT = "floor with anyio.fail_after"


class EventMailbox:
    """A deque and an ``anyio.Event``; the handler is asynchronous, as an actor's is."""

    __slots__ = ("_queue", "_waker", "tally")

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self._queue: deque[object] = deque()
        self._waker: anyio.Event | None = None

    def put(self, message: object) -> None:
        self._queue.append(message)
        if self._waker is not None:
            self._waker.set()

    async def handle(self, message: object) -> None:
        self.tally.count += 1

    async def serve(self) -> None:
        queue, handle = self._queue, self.handle
        while True:
            while queue:
                await handle(queue.popleft())
            self._waker = anyio.Event()
            await self._waker.wait()
            self._waker = None


class FutureMailbox:
    """A deque and a future; the handler is a plain call."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._loop = asyncio.get_running_loop()
        self._queue: deque[object] = deque()
        self._parked: asyncio.Future[None] | None = None

    def put(self, message: object) -> None:
        self._queue.append(message)
        if self._parked is not None and not self._parked.done():
            self._parked.set_result(None)

    def handle(self, message: object) -> None:
        self._tally.count += 1

    async def serve(self) -> None:
        queue, handle = self._queue, self.handle
        while True:
            while queue:
                handle(queue.popleft())
            self._parked = self._loop.create_future()
            await self._parked
            self._parked = None


class TaskMailbox:
    """The same on trio: a deque and a parked task."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._queue: deque[object] = deque()
        self._parked: trio.lowlevel.Task | None = None

    def put(self, message: object) -> None:
        self._queue.append(message)
        if self._parked is not None:
            trio.lowlevel.reschedule(self._parked)
            self._parked = None

    def handle(self, message: object) -> None:
        self._tally.count += 1

    async def serve(self) -> None:
        queue, handle = self._queue, self.handle
        while True:
            while queue:
                handle(queue.popleft())
            self._parked = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(_unpark)


class FutureDesk:
    """Requests and answers by futures: one that the consumer waits for, one for each answer."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[object, asyncio.Future[object]]] = deque()
        self._parked: asyncio.Future[None] | None = None

    async def ask(self, request: object) -> object:
        answer: asyncio.Future[object] = self._loop.create_future()
        self._queue.append((request, answer))
        if self._parked is not None and not self._parked.done():
            self._parked.set_result(None)
        return await answer

    async def serve(self) -> None:
        queue = self._queue
        while True:
            while queue:
                request, answer = queue.popleft()
                answer.set_result(request)
            self._parked = self._loop.create_future()
            await self._parked


class Ticket:
    """A request with the task that asks, and the answer once it is there."""

    __slots__ = ("answer", "asker", "request")

    def __init__(self, request: object, asker: trio.lowlevel.Task) -> None:
        self.request = request
        self.asker = asker
        self.answer: object = None


class TaskDesk:
    """The same on trio: asker and consumer park and reschedule each other."""

    def __init__(self) -> None:
        self._queue: deque[Ticket] = deque()
        self._parked: trio.lowlevel.Task | None = None

    async def ask(self, request: object) -> object:
        ticket = Ticket(request, trio.lowlevel.current_task())
        self._queue.append(ticket)
        parked, self._parked = self._parked, None
        if parked is not None:
            trio.lowlevel.reschedule(parked)
        await trio.lowlevel.wait_task_rescheduled(_unpark)
        return ticket.answer

    async def serve(self) -> None:
        queue = self._queue
        while True:
            while queue:
                ticket = queue.popleft()
                ticket.answer = ticket.request
                trio.lowlevel.reschedule(ticket.asker)
            self._parked = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(_unpark)


async def open_floors(seat: Seat) -> list[Peer]:
    """The floors for messages."""
    parked: Any = FutureMailbox if seat.loop in WITH_FUTURES else TaskMailbox
    peers = []
    for name, make in ((PARKED, parked), (ASYNC_HANDLER, EventMailbox)):
        tally = Tally()
        mailbox = make(tally)
        seat.tasks.start_soon(mailbox.serve)
        peers.append(Peer(name, tally, tell=mailbox.put))
    return peers


async def open_desks(seat: Seat) -> list[Peer]:
    """The floors for requests."""
    desk = FutureDesk() if seat.loop in WITH_FUTURES else TaskDesk()
    seat.tasks.start_soon(desk.serve)

    async def ask_in_time(request: object) -> object:
        with anyio.fail_after(5.0):
            return await desk.ask(request)

    return [Peer(ASK, Tally(), ask=desk.ask), Peer(ASK_TIMEOUT, Tally(), ask=ask_in_time)]


def _unpark(_raise_cancel: Callable[[], Any]) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.SUCCEEDED
