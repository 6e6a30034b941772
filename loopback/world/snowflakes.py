"""Discord's ids: milliseconds since 2015 in the upper 42 bits (documentation, "Snowflakes")."""

from __future__ import annotations

import time
from datetime import UTC, datetime

DISCORD_EPOCH_MS = 1_420_070_400_000


class Snowflakes:
    """A source of ids, each of its own millisecond: shards are told by `id >> 22`, so guilds spread
    evenly.
    """

    def __init__(self) -> None:
        self._last_ms = 0

    def next(self) -> int:
        """An id that is larger than every earlier one."""
        now_ms = int(time.time() * 1000) - DISCORD_EPOCH_MS
        self._last_ms = max(now_ms, self._last_ms + 1)
        return self._last_ms << 22


def now_iso() -> str:
    """The present in the form of every timestamp of the API."""
    return datetime.now(UTC).isoformat()
