"""The rows of the voice bench, and the file in which they are kept from one call to the next."""

from __future__ import annotations

import json
import os
import platform
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.bench.voice.measure import Arrivals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
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
    """Of each player, size and kind the row of the latest call: the median of its rounds."""
    found: dict[tuple[object, ...], Row] = {}
    for row in sorted(over_rounds(rows), key=lambda row: row.run):
        found[row.player, row.streams, row.dave, row.plays] = row
    return list(found.values())


def over_rounds(rows: Iterable[Row]) -> list[Row]:
    """One row for all rounds of a call: medians, but of what must never happen the worst round."""
    rounds: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in rows:
        rounds[row.run, row.player, row.streams, row.dave, row.plays].append(row)
    return [_middle(group) for group in rounds.values()]


def _middle(rows: Sequence[Row]) -> Row:
    def middle(value: Callable[[Row], float]) -> float:
        return median(map(value, rows))

    return replace(
        rows[0],
        load=middle(lambda row: row.load),
        cpu_s=middle(lambda row: row.cpu_s),
        core_percent=middle(lambda row: row.core_percent),
        threads=max(row.threads for row in rows),
        mib_per_stream=middle(lambda row: row.mib_per_stream),
        mib_total=middle(lambda row: row.mib_total),
        joined_s=middle(lambda row: row.joined_s),
        arrivals=_heard([row.arrivals for row in rows if row.arrivals is not None]),
    )


def _heard(rounds: Sequence[Arrivals]) -> Arrivals | None:
    if not rounds:
        return None
    return replace(
        rounds[0],
        fps_mean=median(one.fps_mean for one in rounds),
        fps_worst=min(one.fps_worst for one in rounds),
        error_p50_ms=median(one.error_p50_ms for one in rounds),
        error_p99_ms=median(one.error_p99_ms for one in rounds),
        error_max_ms=max(one.error_max_ms for one in rounds),
        longest_gap_ms=max(one.longest_gap_ms for one in rounds),
        lost=sum(one.lost for one in rounds),
        dropped=sum(one.dropped for one in rounds),
    )


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
