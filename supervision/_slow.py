"""Reports handlers that take long, while they still do."""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING

from ._native import Waiter, new_waiter, wait, wake

if TYPE_CHECKING:
    from ._actor_process import ActorProcess
    from ._system import System


class SlowWatch:
    """One for the system. It looks at an actor when its message could be slow by then, and forgets it
    when it rests: so it costs one wake-up per threshold of a busy actor, and none of an idle one.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._due: list[tuple[float, int, ActorProcess]] = []
        self._known: set[ActorProcess] = set()
        self._serial = count()
        self._waiter: Waiter | None = None
        self._runs = False
        self._closed = False

    def look_at(self, process: ActorProcess, at: float) -> None:
        """It handles a message that is slow at that time (of the system's stopwatch)."""
        if process in self._known or self._closed:
            return
        self._known.add(process)
        self._push(process, at)
        if not self._runs:
            self._runs = True
            self._system.tasks.spawn(self._run, "slow handlers", self._lost)
        elif self._waiter is not None:
            wake(self._waiter)

    def close(self) -> None:
        """The system has ended."""
        self._closed = True
        self._due.clear()
        if self._waiter is not None:
            wake(self._waiter)

    def _push(self, process: ActorProcess, at: float) -> None:
        heapq.heappush(self._due, (at, next(self._serial), process))

    async def _run(self) -> None:
        while self._due:
            now = self._system.stopwatch()
            at, _, process = self._due[0]
            if at <= now:
                heapq.heappop(self._due)
                self._look(process, now)
            else:
                self._waiter = new_waiter()
                await wait(self._waiter, at - now)
        self._runs = False

    def _look(self, process: ActorProcess, now: float) -> None:
        observer, message = process.cell.observer, process.message_in_hand
        if observer is None or observer.slow_after_s is None or message is None:
            self._known.discard(process)
            return
        slow = observer.check(message, process.since, now, running=True)
        self._push(process, (now if slow else process.since) + observer.slow_after_s)

    def _lost(self, error: BaseException | None) -> None:
        self._runs = False
        self._known.clear()
        self._due.clear()
        if error is not None:
            self._system.abort(error)
