"""How often sites may be asked in an hour: YouTube locks a guest out who asks about 300 times."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from .errors import ErrorKind, MediaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HOUR_S: Final = 3600.0
#: Of the budget: kept for tracks whose turn has come, so that new requests cannot silence what is queued.
RESERVED: Final = 0.2


class Budget:
    """At most `per_hour` extractions in any hour. `now`: seconds since the epoch."""

    def __init__(self, per_hour: int, now: Callable[[], float] = time.time) -> None:
        self.per_hour = per_hour
        self._now = now
        self._spent = deque[float]()

    @property
    def spent(self) -> list[float]:
        """When the extractions of the last hour were made."""
        self._forget()
        return list(self._spent)

    def remember(self, spent: Iterable[float]) -> None:
        """What a predecessor has spent."""
        now = self._now()
        self._spent.extendleft(sorted((at for at in spent if now - HOUR_S < at <= now), reverse=True))

    def take(self, *, due: bool) -> float:
        """Spend one extraction; `due`: for a track whose turn has come.

        :returns: what `give_back` takes
        :raises MediaError: (LIMITED) there is none left; it says for how long
        """
        self._forget()
        allowed = self.per_hour if due else math.ceil(self.per_hour * (1 - RESERVED))
        if len(self._spent) >= allowed:
            wait_s = self._spent[len(self._spent) - allowed] + HOUR_S - self._now()
            raise MediaError(ErrorKind.LIMITED, _refusal(self.per_hour, wait_s))
        self._spent.append(self._now())
        return self._spent[-1]

    def give_back(self, taken: float) -> None:
        """It was no question to a site: a plain file, or an answer that never came to be asked for."""
        if taken in self._spent:
            self._spent.remove(taken)

    def _forget(self) -> None:
        oldest = self._now() - HOUR_S
        while self._spent and self._spent[0] <= oldest:
            self._spent.popleft()


def _refusal(per_hour: int, wait_s: float) -> str:
    minutes = max(1, math.ceil(wait_s / 60))
    return (
        f"The bot may ask music sites {per_hour} times an hour, so that they do not lock it out; "
        f"there is room again in {minutes} minute{'s' if minutes > 1 else ''}."
    )
