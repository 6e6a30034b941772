"""Whose turn it is to change its voice state (op 4): under the main gateway's send limit, listeners first.

Discord closes a gateway connection that sends more than 120 messages in 60 s (documentation, *Rate
Limiting*), and discord.py holds back what goes beyond 110 in a window of its own, whoever waits. When the
voice sessions of many guilds end at once, the order is decided here instead.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

#: In which sends are counted; a sliding one, so that no choice of window sees more.
WINDOW_S: Final = 60.0
#: Sends in the window; the rest is left to heartbeats, presence and to what people ask for.
LIMIT: Final = 104
#: Sends in the window of what people ask for: up to discord.py's own limit.
LIMIT_ASKED: Final = 110
#: Between two sends: a hundred at the same moment would be a hundred TLS handshakes at the same moment,
#: which other guilds would hear.
PACE_S: Final = 0.015
#: A guild that nobody hears lets those that failed at the same moment go first.
GATHER_S: Final = 0.2
#: Whoever has waited for so long is as good as a guild with listeners, and older: none is forgotten.
PATIENCE_S: Final = 90.0


class Rank(IntEnum):
    """Who goes first."""

    ASKED = 0  # a person waits for it: a join by a command, a leave
    LISTENED = 1  # people are in the channel
    UNHEARD = 2


_LIMITS: Final = {Rank.ASKED: LIMIT_ASKED, Rank.LISTENED: LIMIT, Rank.UNHEARD: LIMIT}


@dataclass(slots=True, eq=False)
class _Waiter:
    rank: Rank
    since: float
    sends: int
    granted: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def due(self) -> float:
        """Not before this."""
        return self.since + (GATHER_S if self.rank is Rank.UNHEARD else 0.0)

    def order(self, now: float) -> tuple[Rank, float]:
        patient = now - self.since < PATIENCE_S
        return (self.rank if patient else min(self.rank, Rank.LISTENED)), self.since


class SendQueue:
    """The sends of one shard: a timer that lives as long as somebody waits."""

    def __init__(self) -> None:
        self._sent: deque[float] = deque()  # times of the loop
        self._queues: dict[Rank, deque[_Waiter]] = {rank: deque() for rank in Rank}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return sum(map(len, self._queues.values()))

    async def turn(self, rank: Rank, sends: int = 1) -> None:
        """Wait until so many messages may be sent; they count as sent when this returns."""
        loop = asyncio.get_running_loop()
        waiter = _Waiter(rank, loop.time(), sends)
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
        while self._sent and self._sent[0] <= now - WINDOW_S:
            self._sent.popleft()
        while (first := self._first(now)) is not None and (due := self._due(first)) <= now:
            self._queues[first.rank].popleft()
            self._sent.extend([now] * first.sends)
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
        beyond = len(self._sent) + first.sends - _LIMITS[first.rank]
        room = self._sent[beyond - 1] + WINDOW_S if beyond > 0 else 0.0
        pace = self._sent[-1] + PACE_S if self._sent else 0.0
        return max(first.due, room, pace)


class Sends:
    """The queues of all shards."""

    def __init__(self) -> None:
        self._shards: dict[int, SendQueue] = {}

    def of(self, shard_id: int) -> SendQueue:
        """The queue of a shard."""
        return self._shards.setdefault(shard_id, SendQueue())

    @property
    def waiting(self) -> int:
        """How many wait for their turn, on all shards."""
        return sum(queue.waiting for queue in self._shards.values())
