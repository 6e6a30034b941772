"""The time of what is remembered, which nobody can set back or forward under way."""

from __future__ import annotations

import time
from typing import Final

_ZERO: Final = time.time() - time.monotonic()


def now() -> float:
    """Seconds since the epoch, by the wall clock as it was when the process began and a clock that is not set
    since: differences are right though somebody puts the wall clock forward by a month.
    """
    return _ZERO + time.monotonic()
