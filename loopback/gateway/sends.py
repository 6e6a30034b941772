"""What clients have sent to the main gateway, shard by shard: the judge of the send limit.

Discord closes a connection with 4008 that sends more than 120 messages in 60 s (documentation, "Gateway",
*Rate Limiting*). Every connection counts for itself (see connection.py); this log is for whoever asks later.
"""

from __future__ import annotations

import time
from collections import deque
from typing import NamedTuple

KEPT = 200_000
NS_PER_S = 1_000_000_000


class Sent(NamedTuple):
    """One message of a client: its arrival (CLOCK_REALTIME, ns), its shard (None before it has identified
    itself), and its opcode."""

    at_ns: int
    shard_id: int | None
    op: int


class SendLog:
    """The newest messages of all connections, at most KEPT. `exceeded` counts closures with 4008."""

    def __init__(self) -> None:
        self._sent: deque[Sent] = deque(maxlen=KEPT)
        self.exceeded = 0

    def record(self, shard_id: int | None, op: int) -> None:
        """Note one message that has just arrived."""
        self._sent.append(Sent(time.time_ns(), shard_id, op))

    def of(self, *, shard_id: int | None = None, op: int | None = None, since_ns: int = 0) -> list[Sent]:
        """The messages of a shard (None: of all), of an opcode (None: any), oldest first."""
        return [
            one
            for one in self._sent
            if one.at_ns >= since_ns and shard_id in (None, one.shard_id) and op in (None, one.op)
        ]

    def busiest(self, *, shard_id: int, window_s: float = 60.0) -> int:
        """The most messages of the shard in any such window; Discord allows 120 in 60 s."""
        arrivals = [one.at_ns for one in self.of(shard_id=shard_id)]
        most = start = 0
        for end, at_ns in enumerate(arrivals):
            while at_ns - arrivals[start] >= window_s * NS_PER_S:
                start += 1
            most = max(most, end - start + 1)
        return most
