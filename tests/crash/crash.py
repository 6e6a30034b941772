"""The crash loop as a whole, and its figures."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from random import Random
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from tests.crash.house import open_house
from tests.crash.life import Lives, Speaker, Witness

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.crash.life import Outcome

SPEAKERS: Final = 3
"""Guilds in which commands are given side by side."""

NEAREST_S, FARTHEST_S = 0.2, 1.0
"""After a kill the music goes on so far after, and so far before, the place where it was cut off, at most."""


@dataclass(frozen=True, slots=True)
class Figures:
    """All lives.

    :ivar wrong: promises that were broken, in words
    :ivar unsound: files that SQLite does not like
    :ivar off_s: see `Outcome.off_s`, of all lives in which that could be heard
    :ivar again_s: see `Outcome.again_s`
    :ivar parts_s: as the bot tells them
    """

    kills: int
    acknowledged: dict[str, int]
    refused: list[str]
    wrong: list[str]
    unsound: int
    off_s: list[float]
    again_s: list[float]
    parts_s: dict[str, list[float]]

    @property
    def misplaced(self) -> list[float]:
        """Positions outside of what is promised."""
        return [off for off in self.off_s if not -FARTHEST_S <= off <= NEAREST_S]

    @property
    def ok(self) -> bool:
        """Nothing was lost, doubled or misplaced."""
        return not self.wrong and not self.unsound and not self.misplaced

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "kills": self.kills,
            "ok": self.ok,
            "acknowledged": sum(self.acknowledged.values()),
            "acknowledged_by_command": self.acknowledged,
            "refused": dict(Counter(each.partition(":")[0] for each in self.refused)),
            "broken_promises": self.wrong,
            "unsound_files": self.unsound,
            "position_off_s": _spread(self.off_s),
            "positions_out_of_bounds": self.misplaced,
            "start_to_music_s": _spread(self.again_s),
            "parts_s": {name: _spread(values) for name, values in self.parts_s.items()},
        }


async def crash(
    folder: Path, *, kills: int, seed: int, seconds: float, tell: Callable[[int, Outcome], None] | None = None
) -> Figures:
    """Kill the bot that many times.

    :param seconds: of music in the witness's track
    """
    random = Random(seed)
    async with open_house(folder, seconds) as house:
        witness = Witness(house, await house.add_place("witness"))
        numbers = itertools.count(1)
        speakers = [
            Speaker(house, await house.add_place(f"guild {number}"), random, numbers)
            for number in range(SPEAKERS)
        ]
        lives = Lives(house, random, speakers, witness)
        await lives.begin()
        for number in range(kills):
            outcome = await lives.live()
            if tell is not None:
                tell(number + 1, outcome)
        acknowledged: Counter[str] = Counter()
        for speaker in speakers:
            acknowledged.update(speaker.acknowledged)
        return Figures(
            kills=kills,
            acknowledged=dict(acknowledged),
            refused=[each for speaker in speakers for each in speaker.refused],
            wrong=[each for outcome in lives.outcomes for each in outcome.wrong],
            unsound=sum(not outcome.sound for outcome in lives.outcomes),
            off_s=[outcome.off_s for outcome in lives.outcomes if outcome.off_s is not None],
            again_s=[outcome.again_s for outcome in lives.outcomes[1:] if outcome.again_s is not None],
            parts_s=lives.parts_s(),
        )


def _spread(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    ordered = sorted(values)
    return {
        "n": len(ordered),
        "min": round(ordered[0], 3),
        "median": round(median(ordered), 3),
        "p95": round(ordered[int(len(ordered) * 0.95)], 3),
        "max": round(ordered[-1], 3),
    }
