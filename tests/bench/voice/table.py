"""The rows as a table, and the targets with what was reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table

from tests.bench.voice.rows import latest
from tests.bench.voice.targets import TARGETS, US, reach

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.voice.measure import Arrivals
    from tests.bench.voice.rows import Row
    from tests.bench.voice.run import Run

_PLAYER: Final = (
    "streams", "player", "DAVE", "CPU-s/stream-min", "core %", "threads", "MiB/stream",
)  # fmt: skip
_HEARD: Final = (
    "frames/s mean", "worst", "err p50 ms", "p99", "max", "gap max ms", "lost", "dropped",
)  # fmt: skip


def rows(found: Sequence[Row]) -> Table:
    """A line a run, the latest of each kind."""
    table = Table(title="Voice at scale", title_justify="left")
    for name in (*_PLAYER, *_HEARD):
        table.add_column(name, justify="left" if name == "player" else "right")
    for row in sorted(latest(found), key=lambda row: (not row.plays, row.streams, row.dave)):
        heard = _heard(row.arrivals) if row.arrivals is not None else ["-"] * len(_HEARD)
        table.add_row(*_player(row), *heard, style="bold" if row.player == US else "")
    return table


def _player(row: Row) -> list[str]:
    return [
        str(row.streams) if row.plays else f"{row.streams} idle",
        row.player,
        "on" if row.dave else "off",
        f"{row.cpu_s:.3f}",
        f"{row.core_percent:.1f}",
        str(row.threads),
        f"{row.mib_per_stream:.2f}",
    ]


def _heard(heard: Arrivals) -> list[str]:
    return [
        f"{heard.fps_mean:.2f}",
        f"{heard.fps_worst:.2f}",
        f"{heard.error_p50_ms:.3f}",
        f"{heard.error_p99_ms:.2f}",
        f"{heard.error_max_ms:.1f}",
        f"{heard.longest_gap_ms:.1f}",
        str(heard.lost),
        str(heard.dropped),
    ]


def what(run: Run) -> str:
    """What is about to be measured."""
    kind = "streams" if run.plays else "idle connections"
    return f"{run.player.name}, {run.streams} {kind}{', DAVE' if run.dave else ''}"


def in_short(row: Row) -> str:
    """What a run has shown, in a line."""
    heard = row.arrivals
    parts = [
        f"{row.cpu_s:.4f} CPU-s a stream-minute, {row.core_percent:.1f} % of a core",
        f"{row.mib_per_stream:.2f} MiB a stream, joined in {row.joined_s:.0f} s",
    ]
    if heard is not None:
        parts.append(f"{heard.fps_worst:.2f} frames/s at worst")
        parts.append(f"p99 {heard.error_p99_ms:.2f} ms, longest gap {heard.longest_gap_ms:.1f} ms")
    return ", ".join(parts)


def verdicts(found: Sequence[Row]) -> Table:
    """The targets, and whether they are met."""
    table = Table(title="Targets", title_justify="left")
    for name in ("streams", "what", "reached", "target", ""):
        table.add_column(name, justify="left" if name == "what" else "right")
    for target in TARGETS:
        reached = reach(target, found)
        if reached is not None:
            sign = ">=" if target.at_least else "<="
            verdict = "[green]met[/]" if target.is_met(reached) else "[bold red]not met[/]"
            limit = f"{sign} {target.limit:g}"
            table.add_row(str(target.streams), target.name, f"{reached:.3g}", limit, verdict)
    return table
