"""The rows as a table, the targets with what was reached, and both as JSON."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.bench.voice.run import Row

    Value = Callable[[Row], float]

US: Final = "ostinato"


@dataclass(frozen=True, slots=True)
class Target:
    """A figure to reach at N streams; `against`: as a ratio to that player in the same run."""

    name: str
    streams: int
    value: Value
    limit: float
    against: str | None = None
    at_least: bool = False
    dave: bool = False


def _cpu(row: Row) -> float:
    return row.cpu_s


TARGETS: Final = (
    Target("CPU, ratio to stock discord.py", 100, _cpu, 0.54, "stock"),
    Target("CPU, ratio to songbird", 100, _cpu, 0.94, "songbird"),
    Target("CPU, ratio to songbird", 500, _cpu, 0.82, "songbird"),
    Target("CPU, ratio to an empty sender loop", 1000, _cpu, 1.8, "floor"),
    Target("frames/s, worst stream", 1000, lambda row: row.arrivals.fps_worst, 49.9, at_least=True),
    Target("inter-arrival error p99, ms", 100, lambda row: row.arrivals.error_p99_ms, 1.5),
    Target("inter-arrival error p99, ms", 1000, lambda row: row.arrivals.error_p99_ms, 3.0),
    Target("longest gap, ms", 1000, lambda row: row.arrivals.longest_gap_ms, 40.0),
    Target("memory, MiB a stream", 1000, lambda row: row.mib_per_stream, 0.3),
    Target("DAVE adds CPU-s a stream-minute", 100, _cpu, 0.012, dave=True),
    Target("DAVE adds CPU-s a stream-minute", 1000, _cpu, 0.012, dave=True),
)


def rows(found: Sequence[Row]) -> Table:
    """A line a run."""
    table = Table(title="Voice at scale", title_justify="left")
    for name in (
        "streams", "player", "DAVE", "CPU-s/stream-min", "core %", "frames/s mean", "worst",
        "err p50 ms", "p99", "max", "gap max ms", "threads", "MiB/stream", "lost", "dropped",
    ):  # fmt: skip
        table.add_column(name, justify="left" if name == "player" else "right")
    for row in sorted(found, key=lambda row: (row.streams, row.dave)):
        table.add_row(*_cells(row), style="bold" if row.player == US else "")
    return table


def _cells(row: Row) -> list[str]:
    heard = row.arrivals
    return [
        str(row.streams),
        row.player,
        "on" if row.dave else "off",
        f"{row.cpu_s:.3f}",
        f"{row.core_percent:.1f}",
        f"{heard.fps_mean:.2f}",
        f"{heard.fps_worst:.2f}",
        f"{heard.error_p50_ms:.3f}",
        f"{heard.error_p99_ms:.2f}",
        f"{heard.error_max_ms:.1f}",
        f"{heard.longest_gap_ms:.1f}",
        str(row.threads),
        f"{row.mib_per_stream:.2f}",
        str(heard.lost),
        str(heard.dropped),
    ]


def in_short(row: Row) -> str:
    """What a run has shown, in a line."""
    heard = row.arrivals
    return (
        f"{row.cpu_s:.3f} CPU-s a stream-minute, {heard.fps_worst:.2f} frames/s at worst, "
        f"p99 {heard.error_p99_ms:.2f} ms, longest gap {heard.longest_gap_ms:.1f} ms, "
        f"joined in {row.joined_s:.0f} s"
    )


def verdicts(found: Sequence[Row]) -> Table:
    """The targets, and whether they are met."""
    table = Table(title="Targets", title_justify="left")
    for name in ("streams", "what", "reached", "target", ""):
        table.add_column(name, justify="left" if name == "what" else "right")
    for target in TARGETS:
        reached = reach(target, found)
        if reached is not None:
            sign = ">=" if target.at_least else "<="
            verdict = "[green]met[/]" if _is_met(target, reached) else "[bold red]not met[/]"
            table.add_row(
                str(target.streams), target.name, f"{reached:.3g}", f"{sign} {target.limit:g}", verdict
            )
    return table


def reach(target: Target, found: Sequence[Row]) -> float | None:
    """What was reached, or None if it was not measured."""
    ours = _row(found, US, target.streams, dave=target.dave)
    if ours is None:
        return None
    if target.against is None and not target.dave:
        return target.value(ours)
    other = _row(found, target.against or US, target.streams, dave=False)
    if other is None:
        return None
    if target.dave:
        return target.value(ours) - target.value(other)
    return target.value(ours) / target.value(other)


def _row(found: Sequence[Row], player: str, streams: int, *, dave: bool) -> Row | None:
    wanted = (player, streams, dave)
    return next((row for row in found if (row.player, row.streams, row.dave) == wanted), None)


def _is_met(target: Target, reached: float) -> bool:
    return reached >= target.limit if target.at_least else reached <= target.limit


def write_json(path: Path, found: Sequence[Row]) -> None:
    """All of it, with what it was measured on."""
    report: dict[str, Any] = {
        "schema": 1,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "rows": [asdict(row) for row in found],
        "targets": [
            {"name": target.name, "streams": target.streams, "limit": target.limit, "reached": reached}
            for target in TARGETS
            if (reached := reach(target, found)) is not None
        ],
    }
    path.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
