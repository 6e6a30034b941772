"""What the table and the picture say of a fault, from what the listeners heard."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loopback.faults.rows import Row
    from loopback.listening.since import GapReport
    from tests.bench.faults.measure import Conditions

GONE_MS: Final = 2000.0
"""Music that has been silent for so long at the end of the listening did not come back."""

Heard = dict["Row", "GapReport"]


@dataclass(frozen=True, slots=True)
class Column:
    """Whom the table shows under which conditions; `player` is what the command line calls it."""

    player: str
    conditions: Conditions


@dataclass(frozen=True, slots=True)
class Round:
    """What was heard when a column was measured once."""

    column: Column
    heard: Heard


def came_back(heard: GapReport) -> bool:
    """Whether there was music at the end of the listening."""
    return heard.open_ms <= GONE_MS


def gap_ms(heard: GapReport) -> float:
    """The longest silence, the one at the end included if the music did not come back."""
    return heard.longest_gap_ms if came_back(heard) else max(heard.longest_gap_ms, heard.open_ms)


def columns_of(rounds: Sequence[Round], order: Sequence[str] = ()) -> dict[Column, Heard]:
    """The worst of the rounds of each column; players in that order, each from calm conditions to all."""
    columns = {one.column for one in rounds}

    def place(column: Column) -> tuple[int, bool, bool]:
        rank = order.index(column.player) if column.player in order else len(order)
        return rank, column.conditions.dave, column.conditions.rtcp

    return {
        column: worst([one.heard for one in rounds if one.column == column])
        for column in sorted(columns, key=place)
    }


def worst(rounds: Sequence[Heard]) -> Heard:
    """Row by row the round with the longest silence, with the most frames that any round lost or repeated."""
    rows = dict.fromkeys(row for heard in rounds for row in heard)
    return {row: _worst([heard[row] for heard in rounds if row in heard]) for row in rows}


def _worst(heard: Sequence[GapReport]) -> GapReport:
    lost, repeated = max(each.lost for each in heard), max(each.repeated for each in heard)
    return replace(max(heard, key=gap_ms), lost=lost, repeated=repeated)


def cell(heard: GapReport | None) -> str:
    """What the table says of a row: gap in ms, frames lost, frames repeated if there are any."""
    if heard is None:
        return ""
    if not came_back(heard):
        return "never"
    return f"{heard.longest_gap_ms:.0f} / {heard.lost}" + (f" +{heard.repeated}" if heard.repeated else "")


def rows_of(columns: dict[Column, Heard]) -> list[Row]:
    """Every row of any column, in the order of their definition."""
    return list(dict.fromkeys(row for heard in columns.values() for row in heard))
