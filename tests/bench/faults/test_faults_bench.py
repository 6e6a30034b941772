"""The bench of faults: its table, and a small run against stock discord.py."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from loopback.faults.rows import GUILD_ROWS, UNDISTURBED
from loopback.listening.listener import Listener
from loopback.listening.since import GapReport, heard_since
from tests.bench.faults.figures import Column, Round, cell, worst
from tests.bench.faults.measure import Conditions, run
from tests.bench.faults.picture import draw
from tests.bench.faults.players import PLAYERS
from tests.bench.faults.record import read, write
from tests.bench.faults.table import markdown, table

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
    column = Column("stock", Conditions(rtcp=True))
    measured = await run(PLAYERS["stock"], column.conditions, 0.5, lambda row: row is UNDISTURBED)

    assert list(measured) == [UNDISTURBED]
    assert measured[UNDISTURBED].whole
    rounds = [Round(column, measured)]
    console = Console(width=120)
    with console.capture() as shown:
        console.print(table(rounds))
    assert "RTCP on, DAVE off" in shown.get()
    assert UNDISTURBED.name in shown.get()
    draw(tmp_path / "faults.png", rounds)
    assert (tmp_path / "faults.png").read_bytes().startswith(b"\x89PNG")


def test_pieces_are_put_together_from_the_disk(tmp_path: Path) -> None:
    """The worst of what two pieces measured; a column and a fault that only one has are shown too."""
    first, second = GUILD_ROWS[:2]
    ours, theirs = Column("ostinato", Conditions(dave=True)), Column("stock", Conditions())
    write(tmp_path / "faults.json", [Round(theirs, {first: heard(1500.0, lost=40)})])
    more = [Round(ours, {first: heard(60.0)}), Round(ours, {first: heard(50.0), second: heard(155.0)})]
    write(tmp_path / "faults.json", read(tmp_path / "faults.json") + more)

    lines = markdown(read(tmp_path / "faults.json")).splitlines()
    assert [line.count("worst of") for line in lines] == [2, 0, 0, 0]
    assert "ostinato<br>RTCP off, DAVE on<br>worst of 2 | stock" in lines[0]
    assert lines[2:] == ["| 4006 | 150 | 60 / 0 | **1500 / 40** |", "| 4009 | 150 | **155 / 0** |  |"]
    assert read(tmp_path / "nothing.json") == []
