"""When a shard may identify itself: Discord lets so many do it at once, and the same again 5 s later."""

from __future__ import annotations

from typing import Final

PAUSE_S: Final = 5.0
"""Between two identifies of a bucket (Discord, "Gateway", *Sharding*, max concurrency)."""


class IdentifyPace:
    """Remembers who has identified itself when. The caller reads the clock (s) and waits."""

    def __init__(self) -> None:
        self._at: dict[int, float] = {}  # shard -> when it identified itself, or will

    def delay_s(self, shard_id: int, concurrency: int, now: float) -> float:
        """How long the shard has to wait; it counts as identified then.

        A shard that comes back for another session waits the whole pause, whatever the others do: the one
        that it has lost may be the reason.

        :param concurrency: buckets, by `shard_id` modulo this; Discord states it with the address of the
            gateway
        """
        bucket = shard_id % concurrency
        latest = max((at for shard, at in self._at.items() if shard % concurrency == bucket), default=None)
        again = shard_id in self._at
        due = now + PAUSE_S if again else now if latest is None else max(now, latest + PAUSE_S)
        self._at[shard_id] = due
        return due - now
