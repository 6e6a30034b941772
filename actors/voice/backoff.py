"""How long to wait before the next attempt at a voice connection."""

from __future__ import annotations

import random
from collections.abc import Callable  # noqa: TC003  (dataclass fields)
from dataclasses import dataclass


def _as_it_is() -> float:
    return 1.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """One series of attempts: the first at once, then `first_s` doubling up to `longest_s`, each spread by
    +-`jitter`.

    The spread is applied after the clamp: without it, guilds that failed together would retry together for
    ever.

    :ivar attempts: so many failed ones in a row end the series, and with it the link
    :ivar flaps: so many sessions that die soon are replaced at once; each further one counts as a failure
    :ivar flap_s: a session makes up for one that died soon by living for so long
    :ivar stretch: factor on the pauses, at least 1: more than that while Discord as a whole has trouble
    """

    attempts: int = 5
    first_s: float = 2.0
    longest_s: float = 300.0
    jitter: float = 0.3
    flaps: int = 6
    flap_s: float = 10.0
    spread: Callable[[float, float], float] = random.uniform
    stretch: Callable[[], float] = _as_it_is

    def delay_s(self, failures: int) -> float:
        """Seconds to wait after that many failed attempts in a row."""
        if failures <= 0:
            return 0.0
        step: float = min(self.first_s * 2.0 ** min(failures - 1, 64) * self.stretch(), self.longest_s)
        return step * self.spread(1.0 - self.jitter, 1.0 + self.jitter)

    def flaps_after(self, flaps: float, lived_s: float) -> float:
        """The count of sessions that died soon (a leaky one), after one that lived for `lived_s`."""
        return max(flaps - lived_s / self.flap_s, 0.0) + 1.0

    def failures_of(self, flaps: float) -> int:
        """As how many failed attempts that count is to be taken."""
        return max(int(flaps) - self.flaps, 0)
