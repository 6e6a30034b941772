"""The bench of faults: its table, and a small run against stock discord.py."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from loopback.listening.listener import Listener
from loopback.listening.since import GapReport, heard_since
from tests.bench.faults.__main__ import table, write
from tests.bench.faults.figures import cell, worst
from tests.bench.faults.measure import Conditions, run
from tests.bench.faults.picture import draw
from tests.bench.faults.players import Player, StockPlayer
from tests.bench.faults.rows import GUILD_ROWS, UNDISTURBED

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


def heard(longest_gap_ms: float, *, open_ms: float = 10.0, lost: int = 0, repeated: int = 0) -> GapReport:
    listener = Listener(1)
    nothing = heard_since(listener, listener.mark())
    return replace(nothing, longest_gap_ms=longest_gap_ms, open_ms=open_ms, lost=lost, repeated=repeated)


def test_the_worst_of_the_rounds_is_shown() -> None:
    row = GUILD_ROWS[0]
    rounds = [{row: heard(40.0)}, {row: heard(30.0, open_ms=9000.0)}, {row: heard(80.0)}]

    assert worst(rounds)[row].open_ms == 9000.0
    assert cell(worst([{row: heard(40.0, lost=2)}, rounds[2]])[row]) == "80 / 2"


def test_a_cell_says_gap_losses_and_repeats_or_that_nothing_came_back() -> None:
    assert cell(heard(1210.4, lost=61)) == "1210 / 61"
    assert cell(heard(5020.0, repeated=40)) == "5020 / 0 +40"
    assert cell(heard(21.0, open_ms=30_000.0)) == "never"
    assert cell(None) == ""


async def test_stock_discord_py_is_heard_whole_where_nothing_is_inflicted(tmp_path: Path) -> None:
    player: Player = StockPlayer()
    conditions = Conditions(rtcp=True)
    measured = await run(player, conditions, 0.5, lambda row: row is UNDISTURBED)

    assert list(measured) == [UNDISTURBED]
    assert measured[UNDISTURBED].whole
    columns = {(player, conditions): measured}
    console = Console(width=120)
    with console.capture() as shown:
        console.print(table(columns))
    assert "RTCP on, DAVE off" in shown.get()
    assert UNDISTURBED.name in shown.get()
    draw(tmp_path / "faults.png", columns)
    assert (tmp_path / "faults.png").read_bytes().startswith(b"\x89PNG")
    write(tmp_path / "faults.json", columns)
    assert '"player": "stock discord.py"' in (tmp_path / "faults.json").read_text()
