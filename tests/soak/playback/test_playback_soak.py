"""What the soak of the whole bot (`make soak`) is made of: the hastened clock, and the verdict."""

from __future__ import annotations

import selectors
from random import Random

import pytest

from tests.soak.playback.haste import faster, hastened
from tests.soak.playback.samples import COUNTED, Sample, look
from tests.soak.playback.slope import FEWEST, slope
from tests.soak.playback.soak import judge

HOURS = [minute / 60 for minute in range(180)]


def growing(per_h: float, seed: int) -> list[float]:
    """Three hours of a process that has 60 MiB, give or take one for some minutes at a time."""
    random, drift, values = Random(seed), 0.0, []  # noqa: S311 - no secret
    for hour in HOURS:
        drift = 0.8 * drift + random.gauss(0.0, 0.6)
        values.append(60.0 + drift + per_h * hour)
    return values


def samples(memory: list[float], tasks: list[float]) -> list[Sample]:
    return [
        Sample(hour, one, descriptors=40, threads=5, tasks=count, processes=5, workers=100)
        for hour, one, count in zip(HOURS, memory, tasks, strict=True)
    ]


@pytest.mark.parametrize("seed", range(10))
def test_a_leak_of_two_mib_an_hour_is_found_and_noise_is_none(seed: int) -> None:
    """The planted leak lies above the bound for sure, what only wavers lies below."""
    still = [30.0] * len(HOURS)
    assert judge(samples(growing(0.0, seed), still), 0.0)["memory"][1]
    assert not judge(samples(growing(2.0, seed), still), 0.0)["memory"][1]


def test_the_bounds_are_as_sure_as_they_say() -> None:
    """Of a hundred processes that leak two MiB an hour, each bound is on its side for about 95."""
    found = [slope(HOURS, growing(2.0, seed)) for seed in range(100)]
    assert 88 <= sum(one.lower < 2.0 for one in found) < 100
    assert 88 <= sum(one.upper > 2.0 for one in found) < 100


def test_a_count_that_wavers_is_well_and_one_that_grows_is_not() -> None:
    """Tasks come and go; a task that is left each half hour is noticed, by name."""
    random = Random(0)  # noqa: S311 - no secret
    wavering = [30.0 + random.choice((0, 0, 1, 3)) for _ in HOURS]
    memory = growing(0.0, 1)
    assert all(well for _, well in judge(samples(memory, wavering), 0.0).values())
    left = [count + int(hour * 2) for count, hour in zip(wavering, HOURS, strict=True)]
    verdicts = judge(samples(memory, left), 0.0)
    assert [name for name, (_, well) in verdicts.items() if not well] == ["tasks"]


def test_a_line_is_exact_and_needs_an_hour() -> None:
    """The line through a line is that line; less than six blocks of ten minutes are refused."""
    found = slope(HOURS, [5.0 + 3.0 * hour for hour in HOURS])
    assert (found.start, found.per_h, found.lower, found.upper) == pytest.approx((5.0, 3.0, 3.0, 3.0))
    with pytest.raises(ValueError, match=f"{FEWEST} are needed"):
        slope(HOURS[:50], [1.0] * 50)


def test_a_hastened_clock_runs_from_where_it_stands() -> None:
    """Ten seconds of the one are a hundred of the other; the selector waits a tenth."""
    now = [1000.0]
    clock = faster(lambda: now[0], 10)
    assert clock() == 1000.0
    now[0] += 10.0
    assert clock() == 1100.0


def test_a_selector_waits_a_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked of select(2) is divided; to wait for ever stays for ever."""
    asked: list[float | None] = []
    monkeypatch.setattr(selectors.SelectSelector, "select", lambda _self, timeout: asked.append(timeout))
    with hastened(20)() as selector:
        selector.select(3.0)
        selector.select(None)
    assert asked == [0.15, None]


def test_a_look_counts_this_process() -> None:
    """It has memory, descriptors, a thread and itself."""
    sample = look(0.5, tasks=7)
    assert (sample.at_h, sample.tasks) == (0.5, 7)
    assert all(getattr(sample, name) >= 1 for name in ("memory", *COUNTED))
