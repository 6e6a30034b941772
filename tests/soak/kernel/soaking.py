"""An endless supply of random plays, and the count of what they covered."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import TYPE_CHECKING

from tests.supervision.reference.loops import EAGER, fit_for
from tests.supervision.reference.plays import ENDINGS, Branch, Play, case, cases, random_play, walk
from tests.supervision.reference.rules import foretell
from tests.supervision.reference.timeline import Ambiguous

from .findings import Finding, examine

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The loops, in turn; eager tasks exist from Python 3.12 on.
TURNS = ("asyncio", "trio", "asyncio", "eager" if EAGER else "asyncio")
#: Steps of a random play, at most.
STEPS = 40
#: Every strategy, restart type and reason, by their names.
CASES = [
    ("dynamic" if strategy is None else strategy.value, restart.value, reason)
    for strategy, restart, reason in cases()
]


@dataclass
class Coverage:
    """What has been performed so far.

    :ivar met: how often each (strategy, restart type, reason) was decided on
    :ivar ambiguous: plays left out, as the rules leave something open in them
    """

    plays: Counter[str] = field(default_factory=Counter)
    met: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    orders: Counter[str] = field(default_factory=Counter)
    children: int = 0
    floors: int = 0
    lines: int = 0
    ambiguous: int = 0

    def add(self, play: Play, loop: str) -> None:
        """Count a play. :raises Ambiguous: if the rules leave something open in it"""
        foretold = foretell(play)
        self.plays[loop] += 1
        self.met.update(foretold.met)
        self.orders.update(step.order for step in play.steps)
        below = [child for _, child in walk(play.root)]
        self.children += len(below)
        self.floors += 1 + sum(isinstance(child, Branch) for child in below)
        self.lines += len(foretold.lines)

    def status(self) -> str:
        return (
            f"{self.plays.total():>8,} trees  {self.floors:>8,} supervisors  {self.children:>9,} children  "
            f"{self.orders.total():>9,} steps  {self.lines:>11,} lines compared"
        )

    def missing(self) -> list[tuple[str, str, str]]:
        """Cases of the tables that no play has met."""
        return [each for each in CASES if not self.met[each]]

    def table(self) -> str:
        """How often each case was met."""
        head = f"{'strategy':<14}{'restart':<12}" + "".join(f"{reason:>10}" for reason in ENDINGS)
        rows = [
            f"{strategy:<14}{restart:<12}"
            + "".join(f"{self.met[strategy, restart, reason]:>10,}" for reason in ENDINGS)
            for strategy, restart in dict.fromkeys(each[:2] for each in CASES)
        ]
        return "\n".join((head, *rows))


def supply(seed: str) -> Iterator[tuple[str, Play, str]]:
    """First every case of the tables, then random plays for ever: (name, play, loop).

    The name replays that play alone: ``SEED=<name>``.
    """
    for number, each in enumerate(cases()):
        for loop in dict.fromkeys(TURNS):
            yield f"{seed}:case-{number}:{loop}", case(*each), loop
    for number in count():
        loop = TURNS[number % len(TURNS)]
        yield f"{seed}:{number}:{loop}", play_of(seed, number, loop), loop


def play_of(seed: str, number: int, loop: str) -> Play:
    return fit_for(loop, random_play(Random(f"{seed}/{number}"), steps=STEPS))  # noqa: S311 - to be repeated


def named(name: str) -> tuple[Play, str]:
    """The play and the loop of a name that :func:`supply` gave."""
    seed, number, loop = name.rsplit(":", 2)
    if number.startswith("case-"):
        return case(*list(cases())[int(number.removeprefix("case-"))]), loop
    return play_of(seed, int(number), loop), loop


def soak(seed: str, coverage: Coverage) -> Iterator[tuple[str, Finding | None]]:
    """Perform one play after the other."""
    for name, play, loop in supply(seed):
        try:
            coverage.add(play, loop)
        except Ambiguous:
            coverage.ambiguous += 1
            continue
        yield name, examine(play, loop)
