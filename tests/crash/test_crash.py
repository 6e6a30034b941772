"""The real process is killed under commands: ten times here, 200 times by `make crash`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.crash.crash import crash
from tests.crash.model import Command, Known, after, possible

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

KILLS = 10
SEED = 20


async def test_what_was_acknowledged_survives_kills_at_random_moments(tmp_path: Path) -> None:
    figures = await crash(tmp_path, kills=KILLS, seed=SEED, seconds=40.0)
    assert figures.wrong == []
    assert figures.unsound == 0
    assert figures.misplaced == [], figures.off_s
    assert sum(figures.acknowledged.values()) >= KILLS, figures
    assert len(figures.off_s) >= 2, figures  # a life may end before its music begins
    assert {"imports_s", "login_s", "ready_s", "voice_s", "first_frame_s"} <= set(figures.parts_s)


# --- the judge ----------------------------------------------------------------------------------------------


KNOWN = Known(entries=(1, 2, 3, 4), inside=True, volume=50)


@pytest.mark.parametrize(
    "found",
    [
        replace(KNOWN, entries=(1, 2, 4)),
        replace(KNOWN, entries=(1, 2, 3, 3, 4)),
        replace(KNOWN, entries=(2, 1, 3, 4)),
        replace(KNOWN, volume=100),
        replace(KNOWN, loop="queue"),
        replace(KNOWN, paused=True),
        replace(KNOWN, inside=False),
        Known(),
    ],
)
def test_the_judge_notices_what_was_lost_doubled_or_changed(found: Known) -> None:
    assert not any(each.fits(found) for each in possible(KNOWN, Command("seek", {})))
    assert any(each.fits(KNOWN) for each in possible(KNOWN, Command("skip", {})))


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (Command("play", {}, 9), replace(KNOWN, entries=(1, 2, 3, 4, 9))),
        (Command("skip", {}), replace(KNOWN, entries=(2, 3, 4))),
        (Command("remove", {"entry": "2"}), replace(KNOWN, entries=(1, 2, 4))),
        (Command("move", {"entry": "3", "number": 1}), replace(KNOWN, entries=(1, 4, 2, 3))),
        (Command("leave", {}), Known(volume=50)),
    ],
)
def test_the_judge_knows_what_commands_do(command: Command, expected: Known) -> None:
    assert after(KNOWN, command) == expected
    assert expected in set(possible(KNOWN, command)), "what was not answered may have been done"


def test_after_a_shuffle_any_order_of_what_waits_is_right() -> None:
    shuffled = after(KNOWN, Command("shuffle", {}))
    assert shuffled.fits(replace(KNOWN, entries=(1, 4, 3, 2)))
    assert not shuffled.fits(replace(KNOWN, entries=(2, 1, 3, 4)))
    assert not shuffled.fits(replace(KNOWN, entries=(1, 4, 3)))
