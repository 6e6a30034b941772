"""A report is the same after it was written and read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loopback.chaos.report import (
    Commands,
    Fault,
    Gap,
    KindFigures,
    Player,
    Report,
    Restarts,
    Run,
    Sample,
    Slip,
    Timeline,
    Violation,
    read_json,
    write_json,
)

if TYPE_CHECKING:
    from pathlib import Path

GAP = Gap(1.5, 70.0, (1,), 60.0, 12.0)
PLAYER = Player(
    "bot", 0.999, 70.0, 1, 2, 1,
    faults=(Fault(1, "4006", "voice", None, "", 1.0, 1.0),),
    timelines=(Timeline("g", 10, 11, 1, 2, 0, 1, (GAP,), (Slip(1.0, 2, 3, 4),)),),
    kinds=(KindFigures("4006", "voice", 1, 70.0, 70.0, 150.0, 0, 2, (70.0,)),),
)  # fmt: skip
REPORT = Report(
    Run(7, 2.0, 3, "2026-01-01T00:00:00+00:00", 120.0, True, {"python": "3"}, 2),
    PLAYER,
    Commands(3, 2, by_name={"play": 2}),
    (Restarts("player", 1, 1, 1),),
    (Sample(1.0, 1, 50.0, 20.0, 30, 7, 16, 3),),
    {"silence": "never"},
    (Violation("silence", 1.5, None, "words", 7),),
    other=PLAYER,
)


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    write_json(REPORT, file)
    assert read_json(file) == REPORT
    assert not read_json(file).ok


def test_a_report_of_another_form_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text('{"form": 0}')
    with pytest.raises(ValueError, match="no report of form"):
        read_json(file)


def test_a_gap_may_be_as_long_as_allowed_on_a_machine_that_was_late() -> None:
    assert GAP.ok
    assert not Gap(1.5, 73.0, (1,), 60.0, 12.0).ok
