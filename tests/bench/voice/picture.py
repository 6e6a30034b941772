"""CPU and evenness over the number of streams, one line a player."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from tests.bench.voice.rows import Row

STYLES: Final = {
    "ostinato": ("#c2185b", "o", "Ostinato (the whole bot)"),
    "stock": ("#5c6bc0", "s", "discord.py, Opus from memory"),
    "songbird": ("#26a69a", "^", "discord.py with songbird (Rust)"),
    "floor": ("#9e9e9e", "d", "an empty sender loop"),
}


def draw(path: Path, rows: Sequence[Row]) -> None:
    """Write the picture (PNG)."""
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    _lines(left, rows, lambda row: row.cpu_s)
    left.set_ylabel("CPU seconds per stream and minute")
    left.set_title("What a stream costs")
    _lines(right, rows, lambda row: row.arrivals.error_p99_ms if row.arrivals else math.nan)
    right.set_ylabel("|inter-arrival time - 20 ms|, 99th percentile, ms")
    right.set_title("How evenly frames arrive")
    right.axhline(3.0, color="#bbbbbb", linestyle=":", linewidth=1)
    left.legend(frameon=False)
    figure.savefig(path, dpi=130)


def _lines(axes: Axes, rows: Sequence[Row], value: Callable[[Row], float]) -> None:
    for player, (color, marker, label) in STYLES.items():
        for dave in (False, True):
            mine = sorted(
                (row for row in rows if row.plays and row.player == player and row.dave is dave),
                key=lambda row: row.streams,
            )
            if mine:
                axes.plot(
                    [row.streams for row in mine],
                    [value(row) for row in mine],
                    color=color,
                    marker=marker,
                    linestyle="--" if dave else "-",
                    label=f"{label}, DAVE on" if dave else label,
                )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("streams in one process")
    axes.grid(visible=True, which="both", color="#eeeeee")
