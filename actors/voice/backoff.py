"""How long to wait before the next attempt at a voice connection."""

from __future__ import annotations

import random
from collections.abc import Callable  # noqa: TC003  (dataclass fields)
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The first attempt at once, then `first_s` doubling up to `longest_s`, each spread by +-`jitter`.

    The spread is applied after the clamp: without it, guilds that failed together would retry together for
    ever.

    :ivar attempts: so many failed ones in a row end the link
    :ivar stable_s: a session that lived so long is a good one, and resets all counts
    :ivar flaps: so many shorter ones in a row are replaced at once, a further one counts as a failure
    """

    attempts: int = 5
    first_s: float = 2.0
    longest_s: float = 300.0
    jitter: float = 0.3
    stable_s: float = 2.0
    flaps: int = 3
    spread: Callable[[float, float], float] = random.uniform

    def delay_s(self, failures: int) -> float:
        """Seconds to wait after that many failed attempts in a row."""
        if failures <= 0:
            return 0.0
        step: float = min(self.first_s * 2.0 ** min(failures - 1, 64), self.longest_s)
        return step * self.spread(1.0 - self.jitter, 1.0 + self.jitter)
