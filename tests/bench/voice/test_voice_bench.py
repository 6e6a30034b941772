"""The bench of voice: what it plans, what it makes of records and rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.bench.voice.__main__ import MOST, _options, plan
from tests.bench.voice.markdown import report
from tests.bench.voice.measure import Arrivals, arrivals
from tests.bench.voice.rows import Absent, Row, latest, read, write
from tests.bench.voice.targets import TARGETS, reach

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bench.voice.targets import Target

HEARD = Arrivals(100, 75_000, 50.0, 49.99, 0.02, 0.5, 2.5, 22.5, 0, 0)
ROW = Row("2026-01-01", 0.1, "ostinato", 100, False, 0.1, 16.7, 6, 0.2, 90.0, 4.0, HEARD)


def target(name: str) -> Target:
    return next(each for each in TARGETS if each.name == name and each.streams == 100)


def test_streams_are_judged_each_on_its_own() -> None:
    times = np.array([0, 20_000_000, 41_000_000, 0, 20_000_000], np.int64)
    record = {
        "ssrcs": np.array([1, 1, 1, 2, 2], np.uint32),
        "sequences": np.array([0xFFFF, 0, 2, 7, 8], np.uint16),
        "arrivals_ns": times,
        "drops": np.array(0),
    }
    found = arrivals(record, window_s=1.0)
    assert (found.streams, found.packets, found.fps_worst, found.lost) == (2, 5, 2.0, 1)
    assert found.error_max_ms == pytest.approx(1.0)
    assert found.longest_gap_ms == pytest.approx(21.0)


def test_rows_are_kept_from_call_to_call(tmp_path: Path) -> None:
    idle, absent = replace(ROW, streams=500, arrivals=None), Absent("2026-01-01", "stock", 300, False, 298)
    write(tmp_path / "voice.json", [ROW, idle], [absent], [])
    assert read(tmp_path / "voice.json") == ([ROW, idle], [absent])
    assert read(tmp_path / "none.json") == ([], [])


def test_ratios_are_taken_within_one_call_and_the_latest_counts() -> None:
    stock = replace(ROW, player="stock", cpu_s=0.2)
    later = replace(ROW, run="2026-01-02", cpu_s=0.08)
    rows = [ROW, stock, later]
    assert reach(target("CPU, ratio to stock discord.py"), rows) == pytest.approx(0.5)
    assert reach(target("CPU, ratio to songbird"), rows) is None
    assert later in latest(rows)
    assert ROW not in latest(rows)


def test_rounds_are_shown_as_medians_and_of_what_must_not_be_as_the_worst() -> None:
    shown = [(0.3, 22.5, 49.99, 0), (0.1, 61.0, 49.99, 2), (0.2, 21.0, 49.5, 1)]
    rounds = [
        replace(ROW, cpu_s=cpu, arrivals=replace(HEARD, longest_gap_ms=gap, fps_worst=fps, lost=lost))
        for cpu, gap, fps, lost in shown
    ]
    [row] = latest(rounds)
    heard = row.arrivals
    assert heard is not None
    assert (row.cpu_s, heard.longest_gap_ms, heard.fps_worst, heard.lost) == (0.2, 61.0, 49.5, 3)
    floor = replace(ROW, player="floor", streams=1000, cpu_s=0.05)
    ratio = next(each for each in TARGETS if each.against == "floor")
    assert reach(ratio, [*(replace(row, streams=1000) for row in rounds), floor]) == pytest.approx(4.0)


def test_the_readme_has_a_line_for_each_row_and_for_what_did_not_come_up() -> None:
    absent = Absent("2026-01-01", "stock", 300, False, 298)
    text = report(
        [ROW, replace(ROW, streams=500, arrivals=None)], [absent, replace(absent, player="ostinato")]
    )
    assert (
        "| 100 | **Ostinato (the whole bot)** | off | 0.1000 | 49.99 | 0.50 ms | 22.5 ms | 6 | 0.20 |" in text
    )
    assert "500, nothing plays: 16.7 % of a core" in text
    assert "298 came up" in text


def test_what_dave_adds_is_a_difference() -> None:
    rows = [ROW, replace(ROW, dave=True, cpu_s=0.111)]
    assert reach(target("DAVE adds CPU-s a stream-minute"), rows) == pytest.approx(0.011)


def test_the_plan_leaves_out_what_cannot_be() -> None:
    runs = list(plan(_options(["--sizes", "100,1000"])))
    assert not any(run.dave and run.player.name in ("floor", "songbird") for run in runs)
    assert not any(run.streams > MOST.get(run.player.name, run.streams) for run in runs if run.plays)
    assert {run.player.name for run in runs if not run.plays} == {"ostinato", "stock", "songbird"}
    twice = list(plan(_options(["--sizes", "100", "--rounds", "2", "--dave", "off", "--idle", "0"])))
    assert twice == twice[: len(twice) // 2] * 2, "the players in turn"
