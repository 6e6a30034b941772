"""The rows of the voice bench, and the file in which they are kept from one call to the next."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tests.bench.voice.measure import Arrivals

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    :ivar run: when the call of the bench began (UTC): ratios are taken between rows of one call
    :ivar load: load average of the machine before it, over a minute
    :ivar cpu_s: CPU seconds per stream and minute, of the player's processes
    :ivar arrivals: None for connections that have joined and do not play
    """

    run: str
    load: float
    player: str
    streams: int
    dave: bool
    cpu_s: float
    core_percent: float
    threads: int
    mib_per_stream: float
    mib_total: float
    joined_s: float
    arrivals: Arrivals | None

    @property
    def plays(self) -> bool:
        """Whether the connections play."""
        return self.arrivals is not None


@dataclass(frozen=True, slots=True)
class Absent:
    """A player that did not come up with so many streams, and how many of them were heard."""

    run: str
    player: str
    streams: int
    dave: bool
    heard: int


def latest(rows: Iterable[Row]) -> list[Row]:
    """Of each player, size and kind the row of the latest call."""
    found: dict[tuple[object, ...], Row] = {}
    for row in sorted(rows, key=lambda row: row.run):
        found[row.player, row.streams, row.dave, row.plays] = row
    return list(found.values())


def write(path: Path, rows: Sequence[Row], absent: Sequence[Absent], targets: list[dict[str, Any]]) -> None:
    """All of it, with what it was measured on."""
    report = {
        "schema": 2,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "rows": [asdict(row) for row in rows],
        "absent": [asdict(each) for each in absent],
        "targets": targets,
    }
    path.write_text(json.dumps(report, indent=1) + "\n", "utf-8")


def read(path: Path) -> tuple[list[Row], list[Absent]]:
    """What `write` has written; nothing if there is no such file."""
    if not path.exists():
        return [], []
    report = json.loads(path.read_text("utf-8"))
    return [_row(one) for one in report["rows"]], [Absent(**one) for one in report["absent"]]


def _row(fields: dict[str, Any]) -> Row:
    arrivals = fields.pop("arrivals")
    return Row(**fields, arrivals=None if arrivals is None else Arrivals(**arrivals))
