"""The way between the bot and the UDP ports: black holes, loss, delay and jitter, in either direction.

Everything is drawn from seeded generators, so a run can be repeated. Without a rule the network is calm, and
a datagram costs one look at an empty list.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from enum import Flag, auto
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

NS_PER_MS = 1_000_000


class Direction(Flag):
    """Seen from the bot."""

    OUTBOUND = auto()
    """What the bot sends: frames, keep-alives, IP discovery."""
    INBOUND = auto()
    """What the servers send: keep-alive echoes, answers of IP discovery, RTCP."""
    BOTH = OUTBOUND | INBOUND


@dataclass(slots=True, eq=False)
class Weather:
    """One rule for the datagrams of some guilds (None: all) at one voice server (None: any).

    ``loss`` is the share that is lost, 0 to 1: 1 is a black hole. Others arrive ``delay_ms`` later, give or
    take up to ``jitter_ms``; with jitter they may overtake each other.
    """

    direction: Direction
    guilds: frozenset[int] | None = None
    server: int | None = None
    loss: float = 0.0
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    random: Random = field(default_factory=lambda: Random(0))  # noqa: S311 - repeatable, no secret
    lost: int = 0
    """Datagrams that this rule has swallowed."""

    def concerns(self, direction: Direction, guild_id: int | None, server: int) -> bool:
        """Whether the rule is about such a datagram; ``guild_id`` None = of nobody known."""
        of_guild = self.guilds is None or guild_id in self.guilds
        return direction in self.direction and of_guild and self.server in (None, server)

    def loses(self) -> bool:
        """Draw whether the next datagram is lost, and count it."""
        lost = self.loss >= 1 or (self.loss > 0 and self.random.random() < self.loss)
        self.lost += lost
        return lost

    def lateness_ns(self) -> int:
        """Draw how much later than otherwise the next datagram arrives, ns."""
        late_ms = self.delay_ms + self.random.uniform(-self.jitter_ms, self.jitter_ms)
        return max(0, round(late_ms * NS_PER_MS))


class Network:
    """The rules in force. All that concern a datagram act on it, one after the other."""

    def __init__(self) -> None:
        self.rules: list[Weather] = []

    @property
    def calm(self) -> bool:
        """Whether every datagram passes untouched."""
        return not self.rules

    def carry(
        self,
        direction: Direction,
        guild_id: int | None,
        server: int,
        at_ns: int,
        deliver: Callable[[int], None],
    ) -> None:
        """Hand ``deliver`` the datagram of ``at_ns`` with the time at which it comes now, or lose it.

        Times are CLOCK_REALTIME, ns.
        """
        rules = [rule for rule in self.rules if rule.concerns(direction, guild_id, server)]
        lost = [rule.loses() for rule in rules]  # each rule draws for each datagram
        if any(lost):
            return
        late_ns = sum(rule.lateness_ns() for rule in rules)
        if not late_ns:
            deliver(at_ns)
            return
        due_ns = at_ns + late_ns
        wait_s = max(0, due_ns - time.time_ns()) / 1e9
        asyncio.get_running_loop().call_later(wait_s, deliver, due_ns)
