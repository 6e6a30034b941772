"""Rounds on disk: what was measured piece by piece is put together from there."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from loopback.faults.rows import GATEWAY_ROWS, GUILD_ROWS
from loopback.listening.since import GapReport
from tests.bench.faults.figures import Column, Round
from tests.bench.faults.measure import Conditions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.bench.faults.figures import Heard

_ROWS = {row.name: row for row in (*GUILD_ROWS, *GATEWAY_ROWS)}
_FIGURES = [field.name for field in fields(GapReport)]


def write(path: Path, rounds: Sequence[Round]) -> None:
    """An entry for each fault of each round, with all figures of it."""
    entries = [
        {
            "player": one.column.player,
            **asdict(one.column.conditions),
            "round": number,
            "fault": row.name,
            "allowed_ms": row.gap_ms,
            **asdict(heard),
        }
        for number, one in enumerate(rounds)
        for row, heard in one.heard.items()
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> list[Round]:
    """What was written, without faults that the table no longer has; nothing where there is no file."""
    if not path.exists():
        return []
    heard: dict[int, Heard] = defaultdict(dict)
    columns: dict[int, Column] = {}
    for entry in json.loads(path.read_text(encoding="utf-8")):
        number = entry["round"]
        columns[number] = Column(entry["player"], Conditions(entry["rtcp"], entry["dave"]))
        if entry["fault"] in _ROWS:
            heard[number][_ROWS[entry["fault"]]] = GapReport(**{name: entry[name] for name in _FIGURES})
    return [Round(column, heard[number]) for number, column in columns.items()]
