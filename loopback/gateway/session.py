"""A gateway session: what one identified shard gets, and what it could get again by a RESUME."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from loopback.gateway.protocol import Op, message

if TYPE_CHECKING:
    import asyncio

    from loopback.gateway.connection import GatewayConnection
    from loopback.gateway.intents import Intent
    from loopback.world.events import Event
    from loopback.world.model import Payload


@dataclass(slots=True, eq=False)
class GatewaySession:
    """One IDENTIFY's outcome. It outlives its connection for a while; `expiry` is the timer of that while."""

    id: str
    intents: Intent
    shard_id: int
    shard_count: int
    replay_limit: int
    connection: GatewayConnection | None = None
    presence: Payload = field(default_factory=dict)
    sequence: int = 0
    resumes: int = 0
    expiry: asyncio.TimerHandle | None = None
    _replay: deque[Payload] = field(default_factory=deque)

    @property
    def live(self) -> bool:
        """Whether a connection serves the session now."""
        return self.connection is not None

    def covers(self, guild_id: int | None) -> bool:
        """Whether events of the guild go to this shard; direct messages (None) go to shard 0."""
        if guild_id is None:
            return self.shard_id == 0
        return (guild_id >> 22) % self.shard_count == self.shard_id

    def deliver(self, event: Event) -> None:
        """Send the event, if it is for this session and its intents; keep it for a RESUME."""
        if not self.covers(event.guild_id) or event.session_id not in (None, self.id):
            return
        data = event.seen_with(self.intents)
        if data is not None:
            self.dispatch(event.name, data)

    def dispatch(self, name: str, data: Any) -> None:
        """Number and send one event."""
        self.sequence += 1
        event = message(Op.DISPATCH, data, name=name, sequence=self.sequence)
        self._replay.append(event)
        while len(self._replay) > self.replay_limit:
            self._replay.popleft()
        if self.connection is not None:
            self.connection.send(event)

    def ask_to_reconnect(self) -> None:
        """Op 7: the client shall come back and resume."""
        if self.connection is not None:
            self.connection.send(message(Op.RECONNECT))

    def close(self, code: int, reason: str = "") -> None:
        """Close the connection with a code; the session stays resumable."""
        if self.connection is not None:
            self.connection.close(code, reason)

    def cut(self) -> None:
        """Reset the TCP connection; the session stays resumable."""
        if self.connection is not None:
            self.connection.abort()

    def can_replay(self, after: int) -> bool:
        """Whether every event after that sequence number is still kept."""
        oldest = self._replay[0]["s"] if self._replay else self.sequence + 1
        return oldest - 1 <= after <= self.sequence

    def replay(self, after: int) -> None:
        """Send again what came after that sequence number, then RESUMED."""
        if self.connection is not None:
            for event in self._replay:
                if event["s"] > after:
                    self.connection.send(event)
        self.resumes += 1
        self.dispatch("RESUMED", {"_trace": []})
