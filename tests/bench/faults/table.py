"""The table of faults, for a terminal and for a document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from tests.bench.faults.figures import cell, columns_of, rows_of
from tests.bench.faults.players import PLAYERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loopback.faults.rows import Row
    from loopback.listening.since import GapReport
    from tests.bench.faults.figures import Column, Round


def table(rounds: Sequence[Round]) -> Table:
    """The worst of the rounds, a row a fault; red is what is worse than allowed."""
    columns = columns_of(rounds, list(PLAYERS))
    made = Table(title="longest gap in ms / frames lost +repeated")
    made.add_column("fault")
    made.add_column("allowed ms", justify="right")
    for column in columns:
        made.add_column(_head(column, rounds), justify="right")
    for row in rows_of(columns):
        cells = [_coloured(row, heard.get(row)) for heard in columns.values()]
        made.add_row(row.name, f"{row.gap_ms:.0f}", *cells)
    return made


def markdown(rounds: Sequence[Round]) -> str:
    """The same as lines of Markdown; bold is what is worse than allowed."""
    columns = columns_of(rounds, list(PLAYERS))
    heads = [_head(column, rounds).replace("\n", "<br>") for column in columns]
    lines = [["fault", "allowed ms", *heads], ["---"] + ["--:"] * (len(heads) + 1)]
    for row in rows_of(columns):
        cells = [_bold(row, heard.get(row)) for heard in columns.values()]
        lines.append([row.name, f"{row.gap_ms:.0f}", *cells])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _head(column: Column, rounds: Sequence[Round]) -> str:
    times = sum(one.column == column for one in rounds)
    return f"{PLAYERS[column.player].name}\n{column.conditions}\nworst of {times}"


def _coloured(row: Row, heard: GapReport | None) -> str:
    text = cell(heard)
    return f"[red]{text}[/red]" if heard is not None and row.broken(heard) else text


def _bold(row: Row, heard: GapReport | None) -> str:
    text = cell(heard)
    return f"**{text}**" if heard is not None and row.broken(heard) else text
