"""A few worker processes of one kind: warm, bounded in number, recycled after some work."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from .errors import ErrorKind, MediaError
from .turns import Line, Turn
from .worker import Conversation, Worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from anyio.abc import TaskGroup

_WARM_UP_S = 2.0  # after which a worker is started that nobody needs yet: the start of the bot comes first
_STEADY_S = 5.0  # a worker that died younger than this is not replaced before somebody needs one


class Pool:
    """At most `processes` workers take jobs: `capacity` at once and `recycle_after` in all, each.

    The first is started when it is needed, or soon.

    A worker that has taken its last job ends with that one, while another one already takes its place.
    """

    def __init__(
        self, arguments: list[str], *, processes: int, capacity: int, recycle_after: int, grace_s: float
    ) -> None:
        self._arguments = arguments
        self._processes = processes
        self._capacity = capacity
        self._recycle_after = recycle_after
        self._grace_s = grace_s
        self._tasks: TaskGroup | None = None
        self._changed = anyio.Event()
        self._line = Line()
        self.workers: list[Worker] = []

    async def run(self) -> None:
        """Keep one worker warm and own them all; every process has ended when this returns."""
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                tasks.start_soon(self._warm_up_soon)
                self._notify()
                await anyio.sleep_forever()
        finally:
            self._tasks = None
            self._notify()

    @asynccontextmanager
    async def job(
        self, request: dict[str, Any], *, fd: Callable[[], int] | None = None, turn: Turn | None = None
    ) -> AsyncIterator[Conversation]:
        """One job in whichever worker has room, waiting for its turn. Leaving early cancels it in its worker.

        `fd` gives a descriptor to hand over, at the moment when the job begins.
        """
        worker = await self._take_turn(turn or Turn())
        conversation = worker.open(request, None if fd is None else fd())
        try:
            yield conversation
        finally:
            self._give_back(worker, conversation)

    async def _take_turn(self, turn: Turn) -> Worker:
        self._line.enter(turn)
        try:
            worker = await self._acquire(turn)
            self._line.served(turn)
        finally:
            self._line.leave(turn)
            self._notify()  # there may be room for the next one too
        return worker

    async def _acquire(self, turn: Turn) -> Worker:
        while True:
            if self._tasks is not None and self._line.next() is turn:
                worker = self._pick()
                if worker is not None and (worker.busy == 0 or self._full()):
                    return worker
                if not self._full() and all(worker.pid for worker in self.workers):
                    await self._start()
                    continue
            await self._changed.wait()

    def _pick(self) -> Worker | None:
        """The worker with the fewest jobs, among those that take more."""
        free = [worker for worker in self._taking() if worker.pid and worker.busy < self._capacity]
        return min(free, key=lambda worker: worker.busy, default=None)

    def _taking(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.alive and worker.taken < self._recycle_after]

    def _full(self) -> bool:
        return len(self._taking()) >= self._processes

    async def _warm_up_soon(self) -> None:
        await anyio.sleep(_WARM_UP_S)
        await self._warm_up()

    async def _warm_up(self) -> None:
        try:
            if not self.workers:
                await self._start()
        except MediaError:
            pass  # the next job tries again, and tells

    async def _start(self) -> None:
        if self._tasks is None:
            return
        worker = Worker(self._arguments, on_change=self._on_change)
        self.workers.append(worker)
        try:
            with anyio.CancelScope(shield=True):  # whoever wanted it first may be gone: others will need it
                await self._tasks.start(worker.run)
        except OSError as error:  # no memory, or too many processes
            self.workers.remove(worker)
            text = "The program that reads media cannot be started."
            raise MediaError(ErrorKind.UNAVAILABLE, text, retryable=True) from error
        self._notify()
        await checkpoint_if_cancelled()

    def _give_back(self, worker: Worker, conversation: Conversation) -> None:
        conversation.close()
        if not conversation.ended and self._tasks is not None:
            self._tasks.start_soon(self._leave, worker, conversation)
        self._on_change()

    async def _leave(self, worker: Worker, conversation: Conversation) -> None:
        await worker.leave(conversation, grace_s=self._grace_s)

    def _on_change(self) -> None:
        gone = [worker for worker in self.workers if not worker.alive]
        for worker in self.workers:
            if worker.taken >= self._recycle_after and worker.busy == 0:
                worker.kill()
        self.workers = [worker for worker in self.workers if worker.alive]
        if self._tasks is not None and not self.workers and any(worker.age_s > _STEADY_S for worker in gone):
            self._tasks.start_soon(self._warm_up)
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
