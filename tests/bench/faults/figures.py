"""What the table and the picture say of a fault, from what the listeners heard."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tests.bench.faults.measure import Conditions
from tests.bench.faults.players import Player

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loopback.listening.since import GapReport
    from tests.bench.faults.rows import Row

GONE_MS: Final = 2000.0
"""Music that has been silent for so long at the end of the listening did not come back."""

Column = tuple[Player, Conditions]
Heard = dict["Row", "GapReport"]


def came_back(heard: GapReport) -> bool:
    """Whether there was music at the end of the listening."""
    return heard.open_ms <= GONE_MS


def gap_ms(heard: GapReport) -> float:
    """The longest silence, the one at the end included if the music did not come back."""
    return heard.longest_gap_ms if came_back(heard) else max(heard.longest_gap_ms, heard.open_ms)


def worst(rounds: Sequence[Heard]) -> Heard:
    """Row by row the round with the longest silence, with the most frames that any round lost or repeated."""
    return {row: _worst([each[row] for each in rounds]) for row in rounds[0]}


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


def coloured(row: Row, heard: GapReport | None) -> str:
    """The cell, red where something is worse than the table allows."""
    text = cell(heard)
    return f"[red]{text}[/red]" if heard is not None and row.broken(heard) else text


def rows_of(columns: dict[Column, Heard]) -> list[Row]:
    """Every row of any column, in the order of their definition."""
    return list(dict.fromkeys(row for heard in columns.values() for row in heard))
