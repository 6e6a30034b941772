"""The table as a picture: a line a fault, a mark a player and its conditions, over the longest silence.

Drawn without a display. Filled marks stand for lost music, hollow ones for none; what lies in the grey to the
right did not come back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from matplotlib.figure import Figure

from tests.bench.faults.figures import came_back, columns_of, gap_ms, rows_of
from tests.bench.faults.players import PLAYERS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from tests.bench.faults.figures import Round

PAPER: Final = "#fbf7ef"
INK: Final = "#2f2a33"
FAINT: Final = "#b9b0a2"
ALLOWED: Final = "#4c8c4a"
COLOURS: Final = ("#d1495b", "#2a6f97", "#c8772c", "#7a5195")
MARKS: Final = ("o", "s", "^", "D")
SHORTEST_MS: Final = 15.0
NEVER_MS: Final = 60_000.0
"""Where music that did not come back is drawn."""


def draw(path: Path, rounds: Sequence[Round]) -> None:
    """Write the picture of the worst of the rounds as PNG, 1500 pixels wide."""
    columns = columns_of(rounds, list(PLAYERS))
    rows = rows_of(columns)
    figure = Figure(figsize=(12.5, 1.6 + 0.34 * len(rows)), dpi=120, layout="constrained", facecolor=PAPER)
    axes = figure.subplots()
    _frame(axes, [row.name for row in rows])
    places = {row: len(rows) - number for number, row in enumerate(rows)}
    for row, place in places.items():
        axes.plot([row.gap_ms] * 2, [place - 0.38, place + 0.38], color=ALLOWED, linewidth=2.5)
    players = list(dict.fromkeys(column.player for column in columns))
    kinds = list(dict.fromkeys(column.conditions for column in columns))
    for column, heard in columns.items():
        kind = kinds.index(column.conditions)
        look = COLOURS[players.index(column.player) % len(COLOURS)], MARKS[kind % len(MARKS)]
        shift = 0.15 * (kind - (len(kinds) - 1) / 2)
        name = PLAYERS[column.player].name
        axes.plot([], [], look[1], color=look[0], label=f"{name}, {column.conditions}")
        for row, one in heard.items():
            at_ms = gap_ms(one) if came_back(one) else NEVER_MS
            full = look[0] if one.lost or not came_back(one) else PAPER
            spot = max(at_ms, SHORTEST_MS), places[row] + shift
            axes.plot(*spot, look[1], color=look[0], markerfacecolor=full, markersize=6)
    figure.legend(loc="outside lower left", ncols=len(kinds), frameon=False, fontsize=8, labelcolor=INK)
    figure.savefig(path, facecolor=PAPER)


def _frame(axes: Axes, names: list[str]) -> None:
    """Title, scales and the edge beyond which nothing came back."""
    axes.set_title("What a fault costs the listener", loc="left", color=INK, fontsize=15, weight="bold")
    axes.set_xscale("log")
    axes.set_xlim(SHORTEST_MS * 0.85, NEVER_MS * 1.6)
    axes.set_ylim(0.3, len(names) + 0.7)
    axes.set_yticks(range(len(names), 0, -1), names)
    axes.set_xticks([20, 50, 100, 1000, 10_000, NEVER_MS], ["20", "50", "100", "1 s", "10 s", "never"])
    axes.set_xlabel("longest silence, ms; the green bar is what is allowed, a filled mark is lost music")
    axes.axvspan(NEVER_MS * 0.65, NEVER_MS * 1.6, color=FAINT, alpha=0.3, linewidth=0)
    axes.minorticks_off()
    axes.grid(axis="x", color=FAINT, alpha=0.4)
    axes.set_facecolor(PAPER)
    axes.tick_params(colors=INK, left=False)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
