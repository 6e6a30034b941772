"""When a long piece of work is to let others run."""

from __future__ import annotations

from typing import Final

#: Steps in a row. The dearest one, the start or the stop of an actor with all that its own task does
#: then, takes about 100 us: a millisecond or two go by before others get their turn.
STEPS: Final = 16


class Turns:
    """Counts steps; every so often the turn is over."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = STEPS

    @property
    def are_over(self) -> bool:
        """Count one step; whether others should run now."""
        self._left -= 1
        if self._left:
            return False
        self._left = STEPS
        return True
