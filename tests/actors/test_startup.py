"""The parts of a start."""

from __future__ import annotations

import sys
import time

import pytest
import structlog.testing

from actors.startup import PARTS, Startup


def test_all_parts_are_told_once_with_the_first_frame() -> None:
    startup = Startup(began=time.time() - 2.0)
    startup.expect_music()
    with structlog.testing.capture_logs() as lines:
        for _ in range(2):
            for part in PARTS:
                startup.mark(part)
    [line] = lines
    assert line["event"] == "music_again"
    assert line["imports_s"] >= 2.0
    parts = [line[f"{part}_s"] for part in PARTS]
    assert all(part >= 0 for part in parts)
    assert abs(sum(parts) - line["total_s"]) < 0.01


def test_music_that_somebody_asked_for_is_no_start() -> None:
    with structlog.testing.capture_logs() as lines:
        Startup().mark("first_frame")
    assert lines == []


def test_parts_that_overlap_or_never_came_took_no_time() -> None:
    startup = Startup(began=time.time())
    startup.mark("ready")
    startup.mark("imports")
    startup.mark("first_frame")
    parts = startup.parts_s()
    assert parts["login_s"] == parts["voice_s"] == 0.0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a process began")
def test_the_first_part_begins_with_the_process() -> None:
    startup = Startup()
    startup.mark("imports")
    assert 0.05 < startup.parts_s()["imports_s"] < 3600, "this process has read pytest since it began"
