"""When regular work is done: never in step with that of other guilds, nor with the frames."""

from __future__ import annotations

from random import Random

SPREAD = 0.2

_random = Random()  # noqa: S311 - nobody gains by guessing it, and it needs no system call


def about(period_s: float) -> float:
    """`period_s` give or take 20 %, drawn anew each time.

    A period of whole frames would disturb the same slot of the clock each time it comes round. Guilds that
    started together would do their work together.
    """
    return period_s * _random.uniform(1 - SPREAD, 1 + SPREAD)
