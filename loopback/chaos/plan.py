"""What is done when, and to whom: decided beforehand, by the seed alone."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

from loopback.chaos.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loopback.chaos.kinds import Kind

GUILD_APART_S: Final = (2.5, 8.0)
"""Between two faults of a guild,"""
ALL_APART_S: Final = (3.0, 7.0)
"""and between two that meet all of them."""
LAST_S: Final = 2.0
"""Before the end nothing new begins."""


@dataclass(frozen=True, slots=True)
class Step:
    """One fault. `guild` is the index of the guild that it is done to, also of one that meets all.

    :ivar seed: of what else is decided while it is done
    """

    at_s: float
    kind: Kind
    guild: int
    seed: str


def make_plan(seed: int, seconds: float, guilds: int, kinds: Sequence[Kind] = KINDS) -> list[Step]:
    """All steps, in the order of their times. The same for the same arguments."""
    own = [kind for kind in kinds if not kind.all]
    common = [kind for kind in kinds if kind.all]
    streams = [(_deck(Random(f"{seed}/own/{guild}"), own), GUILD_APART_S, guild) for guild in range(guilds)]  # noqa: S311 - to be done again, not to be secret
    streams.append((_deck(Random(f"{seed}/all"), common), ALL_APART_S, 0))  # noqa: S311 - the same
    steps = []
    for number, (deck, apart_s, guild) in enumerate(streams):
        dice = Random(f"{seed}/times/{number}")  # noqa: S311 - the same
        at_s = dice.uniform(0.3, apart_s[0])
        while at_s < seconds - LAST_S and (kind := next(deck, None)) is not None:
            steps.append(Step(at_s, kind, guild, f"{seed}/{number}/{at_s}"))
            at_s += dice.uniform(*apart_s)
    return sorted(steps, key=lambda step: step.at_s)


def _deck(dice: Random, kinds: Sequence[Kind]) -> Iterator[Kind]:
    """For ever all kinds, each as often as it weighs, in a new order each time."""
    cards = [kind for kind in kinds for _ in range(kind.weight)]
    while cards:
        yield from dice.sample(cards, len(cards))
