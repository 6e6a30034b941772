"""Whose turn it is when more is to be made than can be made at once.

What is about to be heard goes before what follows later, whoever wants it. Among equals guilds take turns, so
that one with a long queue does not hold up the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FIRST: Final = 0
LAST: Final = 1 << 30
_REMEMBERED: Final = 4096
"""Askers of whom it is known when they had their turn."""


@dataclass(slots=True, eq=False)
class Turn:
    """For whom a piece of work is: `asker` is a guild, `rank` 0 for what is heard now, 1 for what follows.

    Both may change while it waits.
    """

    asker: int = 0
    rank: int = FIRST


class Line:
    """Those who wait."""

    def __init__(self) -> None:
        self._waiting: list[Turn] = []
        self._served: dict[int, int] = {}  # asker -> the number of the turn that it had last, oldest first
        self._turns = 0

    def enter(self, turn: Turn) -> None:
        """Wait from now on."""
        self._waiting.append(turn)

    def leave(self, turn: Turn) -> None:
        """Wait no more."""
        self._waiting.remove(turn)

    def next(self) -> Turn | None:
        """By rank, then who had no turn for longest, then who came first; None if nobody waits."""
        return min(self._waiting, key=self._order, default=None)

    def served(self, turn: Turn) -> None:
        """That one has had its turn."""
        self._turns += 1
        self._served.pop(turn.asker, None)
        self._served[turn.asker] = self._turns
        if len(self._served) > _REMEMBERED:
            del self._served[next(iter(self._served))]

    def _order(self, turn: Turn) -> tuple[int, int]:
        return turn.rank, self._served.get(turn.asker, 0)
