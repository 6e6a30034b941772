"""What is wrong with the main gateway at the moment. Nothing, unless somebody has injected a fault."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

Shards = frozenset[int] | None
"""The shards that a condition is for; None = all, and connections that have not identified themselves."""


def _concerns(shards: Shards, shard_id: int | None) -> bool:
    return shards is None or shard_id in shards


@dataclass(slots=True, eq=False)
class Lateness:
    """What the gateway sends leaves `latency_ms` later, give or take up to `jitter_ms`, in order."""

    latency_ms: float
    jitter_ms: float = 0.0
    shards: Shards = None
    random: Random = field(default_factory=lambda: Random(0))  # noqa: S311 - repeatable, no secret

    def draw_s(self) -> float:
        """The lateness of the next message, s."""
        return max(0.0, self.latency_ms + self.random.uniform(-self.jitter_ms, self.jitter_ms)) / 1000


@dataclass(slots=True, eq=False)
class GatewayConditions:
    """All conditions of one gateway, each added and removed by the fault that it belongs to."""

    late: list[Lateness] = field(default_factory=list)
    unacknowledged: list[Shards] = field(default_factory=list)
    """For whom heartbeats get no answer."""

    def lateness_s(self, shard_id: int | None) -> float:
        """How much later than at once the next message to that shard leaves, s."""
        return sum(one.draw_s() for one in self.late if _concerns(one.shards, shard_id))

    def acknowledges(self, shard_id: int | None) -> bool:
        """Whether a heartbeat of that shard is answered."""
        return not any(_concerns(shards, shard_id) for shards in self.unacknowledged)
