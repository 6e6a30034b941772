"""Whether a figure grows: a line through means of ten minutes, and how sure its slope is.

Samples that follow each other closely resemble each other, and would make a line look surer than it is; means
of ten minutes hardly do. The bounds are those of ordinary least squares with Student's t distribution.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

BLOCK_H: Final = 1 / 6
FEWEST: Final = 6
"""Blocks without which no line is drawn."""

_T95: Final = (
    *(6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812),
    *(1.796, 1.782, 1.771, 1.761, 1.753, 1.746, 1.740, 1.734, 1.729, 1.725),
    *(1.721, 1.717, 1.714, 1.711, 1.708, 1.706, 1.703, 1.701, 1.699, 1.697),
)
"""Student's t: 95 % lie below, for 1 to 30 degrees of freedom (one-sided)."""


@dataclass(frozen=True, slots=True)
class Slope:
    """A line through the means: its `start` at hour 0, its growth `per_h`, and the 95 % bounds of that."""

    start: float
    per_h: float
    lower: float
    upper: float


def slope(hours: Sequence[float], values: Sequence[float]) -> Slope:
    """The line through a figure's samples; raises ValueError for less than FEWEST blocks of them."""
    points = means(hours, values)
    if len(points) < FEWEST:
        raise ValueError(f"{len(points)} blocks of ten minutes are too few for a line; {FEWEST} are needed")
    x_mean, y_mean = fmean(x for x, _ in points), fmean(y for _, y in points)
    spread = sum((x - x_mean) ** 2 for x, _ in points)
    per_h = sum((x - x_mean) * (y - y_mean) for x, y in points) / spread
    start = y_mean - per_h * x_mean
    rest = sum((y - start - per_h * x) ** 2 for x, y in points)
    freedom = len(points) - 2
    margin = _T95[min(freedom, len(_T95)) - 1] * (rest / freedom / spread) ** 0.5
    return Slope(start, per_h, per_h - margin, per_h + margin)


def means(hours: Sequence[float], values: Sequence[float]) -> list[tuple[float, float]]:
    """The mean hour and value of each block of ten minutes."""
    blocks: dict[int, list[tuple[float, float]]] = {}
    for hour, value in zip(hours, values, strict=True):
        blocks.setdefault(int((hour - hours[0]) / BLOCK_H), []).append((hour, value))
    return [(fmean(x for x, _ in block), fmean(y for _, y in block)) for block in blocks.values()]
