"""Variants that take turns: every round runs each of them once, in an order of its own.

So whatever slows the machine for a while slows all of them, and a ratio within a round is fair. A figure
is the median over the rounds, of the values and of the ratios each. Samples are short, a millisecond at most
where that can be: a longer one than others' would be interrupted by the rest of the machine more often.
"""

from __future__ import annotations

import gc
import random
from dataclasses import dataclass
from statistics import median, quantiles
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    #: Variant -> seconds per operation, round by round.
    Samples = Mapping[str, Sequence[float]]

#: This part of a sample runs before it, untimed: the processor's caches hold what ran last.
WARM_UP = 8


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of doing the thing that is measured.

    :ivar run: does that many operations and returns the seconds they took
    :ivar count: operations of one sample
    """

    name: str
    run: Callable[[int], Awaitable[float]]
    count: int


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times the baseline: the median of the rounds, and their quartiles."""

    median: float
    low: float
    high: float


async def take_turns(variants: Sequence[Variant], rounds: int, tick: Callable[[], None]) -> Samples:
    """Seconds per operation of every variant, round by round.

    :param tick: called after each round
    """
    dice = random.Random(1)  # noqa: S311 - an order, no secret
    for variant in variants:
        await variant.run(variant.count)  # warm: caches filled, code specialised
    samples: dict[str, list[float]] = {variant.name: [] for variant in variants}
    gc.collect()
    gc.freeze()  # what stands is not searched again in each sample
    for _ in range(rounds):
        for variant in dice.sample(variants, len(variants)):
            gc.collect()  # no variant pays for the garbage of another
            await variant.run(max(1, variant.count // WARM_UP))
            samples[variant.name].append(await variant.run(variant.count) / variant.count)
        tick()
    gc.unfreeze()
    return samples


def ratio(values: Sequence[float], baseline: Sequence[float]) -> Ratio:
    """The ratios of the rounds to a baseline's, in short."""
    each = [value / base for value, base in zip(values, baseline, strict=True)]
    low, _, high = quantiles(each, n=4, method="inclusive") if len(each) > 1 else each * 3
    return Ratio(median(each), low, high)
