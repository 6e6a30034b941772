"""Whose turn it is, when the voice sessions of many guilds end at the same moment: listeners first.

There is a queue for changes of the voice state (op 4), and one for opening voice websockets. Discord closes a
gateway connection that sends more than 120 messages in 60 s (documentation, *Rate Limiting*), and discord.py
holds back what goes beyond 110 in a window of its own, whoever waits. A handshake costs the processor some
milliseconds, and 200 of them at once cost every guild some frames.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: In which sends are counted; a sliding one, so that no choice of window sees more.
WINDOW_S: Final = 60.0
#: Sends in the window; the rest is left to heartbeats, presence and to what people ask for.
LIMIT: Final = 104
#: Sends in the window of what people ask for: up to discord.py's own limit.
LIMIT_ASKED: Final = 110
#: Between two sends; each makes a voice server known, whose websocket is then opened.
PACE_S: Final = 0.012
#: Between two websockets that are opened.
OPENING_PACE_S: Final = 0.008
#: A loop that was late makes up for this much of it: a queue must not be slower than the processor.
CATCH_UP_S: Final = 0.1
#: A guild that nobody hears lets those that failed at the same moment go first.
GATHER_S: Final = 0.2
#: Whoever has waited for so long is as good as a guild with listeners, and older: none is forgotten.
PATIENCE_S: Final = 90.0


class Rank(IntEnum):
    """Who goes first."""

    ASKED = 0  # a person waits for it: a join by a command, a leave
    LISTENED = 1  # people are in the channel
    UNHEARD = 2


@dataclass(frozen=True, slots=True)
class Pace:
    """What a queue allows.

    :ivar limits: turns in any `WINDOW_S`, by rank
    :ivar gap_s: between two turns
    :ivar gather_s: for how long a guild that nobody hears lets others come before it
    """

    limits: Mapping[Rank, float]
    gap_s: float
    gather_s: float


SENDS: Final = Pace({Rank.ASKED: LIMIT_ASKED, Rank.LISTENED: LIMIT, Rank.UNHEARD: LIMIT}, PACE_S, GATHER_S)
OPENINGS: Final = Pace(dict.fromkeys(Rank, math.inf), OPENING_PACE_S, 0.0)


@dataclass(slots=True, eq=False)
class _Waiter:
    rank: Rank
    since: float
    due: float  # not before this
    turns: int
    granted: asyncio.Event = field(default_factory=asyncio.Event)

    def order(self, now: float) -> tuple[Rank, float]:
        patient = now - self.since < PATIENCE_S
        return (self.rank if patient else min(self.rank, Rank.LISTENED)), self.since


class Turns:
    """One queue: a timer that lives as long as somebody waits."""

    def __init__(self, pace: Pace = SENDS) -> None:
        self._pace = pace
        self._taken: deque[float] = deque()  # times of the loop
        self._queues: dict[Rank, deque[_Waiter]] = {rank: deque() for rank in Rank}
        self._next_at = 0.0  # of the loop: no turn before
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return sum(map(len, self._queues.values()))

    async def take(self, rank: Rank, turns: int = 1) -> None:
        """Wait for so many turns at once; they count as taken when this returns."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        due = now + (self._pace.gather_s if rank is Rank.UNHEARD else 0.0)
        waiter = _Waiter(rank, now, due, turns)
        self._queues[rank].append(waiter)
        self._grant(loop)
        try:
            await waiter.granted.wait()
        except BaseException:
            if not waiter.granted.is_set():
                self._queues[rank].remove(waiter)
                self._grant(loop)
            raise

    def _grant(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give the turns whose time has come, and look again when that of the next one comes."""
        now = loop.time()
        while self._taken and self._taken[0] <= now - WINDOW_S:
            self._taken.popleft()
        while (first := self._first(now)) is not None and (due := self._due(first)) <= now:
            self._queues[first.rank].popleft()
            self._taken.extend([now] * first.turns)
            backlog = first.due < self._next_at  # then the gaps are kept on average, however late the loop is
            self._next_at = self._pace.gap_s + (max(self._next_at, now - CATCH_UP_S) if backlog else now)
            first.granted.set()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if first is None else loop.call_at(due, self._grant, loop)

    def _first(self, now: float) -> _Waiter | None:
        """Who is next: of those that are due, else of those that will be."""
        heads = [queue[0] for queue in self._queues.values() if queue]
        return min(heads, key=lambda one: (one.due > now, *one.order(now)), default=None)

    def _due(self, first: _Waiter) -> float:
        """When there is room for it."""
        beyond = len(self._taken) + first.turns - self._pace.limits[first.rank]
        room = self._taken[int(beyond) - 1] + WINDOW_S if beyond > 0 else 0.0
        return max(first.due, room, self._next_at)


class AllTurns:
    """The queues of a process.

    :ivar openings: of websockets, on all shards together: they share the processor
    """

    def __init__(self) -> None:
        self._sends: dict[int, Turns] = {}
        self.openings = Turns(OPENINGS)

    def sends(self, shard_id: int) -> Turns:
        """The queue of a shard's op 4."""
        return self._sends.setdefault(shard_id, Turns())
