"""A short chaos with a fixed seed: the bot as a process, killed and restarted, and every promise kept."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import pytest
from rich.console import Console

from loopback.chaos.kinds import BY_NAME
from loopback.chaos.plan import Step
from loopback.chaos.run import run_bot
from loopback.chaos.view import View

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

SEED: Final = 6
SECONDS: Final = 3.0
PAUSE_S: Final = (0.2, 0.6)
"""Between two commands of whoever listens: as many as in a longer run."""
QUIET_S: Final = 1.0
ANSWER_S: Final = 4.0
"""A command that was taken on by the process that is killed is waited for no longer."""
PLAN: Final = (
    (0.2, "actor killed", 0),
    (0.3, "4006", 1),
    (0.5, "actor cancelled natively", 1),
    (0.7, "guild supervisor killed", 0),
    (0.9, "media workers killed", 0),
    (1.0, "wall clock stepped", 0),
    (1.2, "op 7", 0),
    (1.6, "SIGKILL and restart", 0),
)
BY_TIME: Final = {"silence", "heard"}
"""Invariants that a machine under load may break; what it was late is allowed for, and still it may."""


@pytest.mark.timeout(90)
async def test_a_short_chaos_breaks_no_promise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loopback.chaos.guest.PAUSE_S", PAUSE_S)
    monkeypatch.setattr("loopback.chaos.guest.ANSWER_S", ANSWER_S)
    monkeypatch.setattr("loopback.chaos.performance.QUIET_S", QUIET_S)
    plan = [Step(at_s, BY_NAME[name], guild, f"{SEED}/{at_s}") for at_s, name, guild in PLAN]
    report = await run_bot(SEED, SECONDS, 2, tmp_path, plan, View(Console(file=io.StringIO())), tracks=8)
    assert [one for one in report.violations if one.invariant not in BY_TIME] == []
    done = {one.kind: one.refused for one in report.player.faults if one.group != "command"}
    assert done == dict.fromkeys((name for _, name, _ in PLAN), None)
    assert report.player.lives == 2
    assert report.commands.acknowledged >= 6, report.commands  # what was asked for at the beginning
    assert all(timeline.heard > 0 for timeline in report.player.timelines)
