"""The figures as a picture: one panel a measure, one line a variant, one mark an event loop.

Drawn without a display, after all measuring is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl

from tests.bench.kernel.figures import ASK, BASELINES, LONE, MEMORY, PAUSE, RESTART, SPAWN, TELL, UNITS
from tests.bench.kernel.table import number_text

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.bench.kernel.figures import Figure

PAPER: Final = "#fbf7ef"
INK: Final = "#2f2a33"
FAINT: Final = "#b9b0a2"
BAND: Final = "#efe6d2"
MET: Final = "#4c8c4a"
MISSED: Final = "#d1495b"
#: Loop -> colour, mark, place on the line of a variant.
_LOOPS: Final = {
    "asyncio": ("#2a6f97", "o", 0.24),
    "uvloop": ("#c8772c", "D", 0.0),
    "trio": ("#7a5195", "s", -0.24),
}
#: The panels of each column, which share its height by their lines.
_COLUMNS: Final = ((TELL, LONE, RESTART, MEMORY), (ASK, SPAWN, PAUSE))
_TITLE: Final = "What the kernel costs"
_SUBTITLE: Final = "medians of all rounds, with their quartiles; on the right the medians in numbers"
_STYLE: Final[dict[Any, Any]] = {
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "ytick.left": False,
    "font.size": 10.0,
    "font.family": "DejaVu Sans",
}


def draw(path: Path, figures: Sequence[Figure]) -> None:
    """Write the picture as PNG, 1700 pixels wide."""
    columns = [[name for name in column if _of(figures, name)] for column in _COLUMNS]
    columns = [column for column in columns if column]
    with plt.rc_context(_STYLE):
        lines = max(sum(_lines(figures, name) for name in column) for column in columns)
        page: Any = plt.figure(figsize=(17, 1.0 + 0.33 * lines), dpi=100, layout="constrained")
        head, body = page.subfigures(2, 1, height_ratios=(1.6, lines))
        head.text(0.012, 0.5, _TITLE, size=19, weight="bold", va="center")
        head.text(0.215, 0.45, _SUBTITLE, size=10, va="center")
        head.legend(handles=_legend(figures), loc="center right", ncols=5, frameon=False, fontsize=11)
        for part, column in zip(body.subfigures(1, len(columns), squeeze=False)[0], columns, strict=True):
            _column(part, [_of(figures, name) for name in column])
        page.savefig(path)
        plt.close(page)


def _of(figures: Sequence[Figure], measure: str) -> list[Figure]:
    return [figure for figure in figures if figure.measure == measure]


def _rows(figures: Sequence[Figure]) -> list[str]:
    return list(dict.fromkeys(figure.row for figure in figures))


def _lines(figures: Sequence[Figure], measure: str) -> int:
    return len(_rows(_of(figures, measure))) + 3  # title and axis


def _column(part: Any, panels: Sequence[Sequence[Figure]]) -> None:
    heights = [len(_rows(figures)) for figures in panels]
    for axes, figures in zip(
        part.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0], panels, strict=True
    ):
        _panel(axes, figures)


def _panel(axes: Any, figures: Sequence[Figure]) -> None:
    measure, rows = figures[0].measure, _rows(figures)
    for figure in figures:
        _mark(axes, figure, len(rows) - 1 - rows.index(figure.row))
    axes.set_xscale("log")
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_yticks(range(len(rows)), reversed(rows))
    for label in axes.get_yticklabels():
        label.set_weight("bold" if label.get_text().startswith("kernel") else "normal")
    axes.grid(axis="x", which="both", color=FAINT, lw=0.3)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.xaxis.set_minor_formatter(_minor(figures))
    axes.tick_params(axis="x", which="minor", labelsize=8)
    axes.set_title(measure, loc="left", weight="bold", size=12)
    axes.set_xlabel(_axis(measure))
    _name_values(axes, figures, rows)


def _name_values(axes: Any, figures: Sequence[Figure], rows: Sequence[str]) -> None:
    """On the right, what it is in the unit of the measure, on the first of the loops."""
    loop = figures[0].loop
    values = {figure.row: number_text(figure.value) for figure in figures if figure.loop == loop}
    right = axes.secondary_yaxis("right")
    right.set_yticks(range(len(rows)), [values.get(row, "") for row in reversed(rows)])
    right.tick_params(length=0, labelcolor=_LOOPS[loop][0])
    right.spines["right"].set_visible(False)
    axes.set_title(f"{figures[0].unit}, {loop}", loc="right", size=9, color=_LOOPS[loop][0])


def _minor(figures: Sequence[Figure]) -> Any:
    """Label 2 and 5 between the powers of ten, where there is room for it."""
    values = [figure.ratio.median if figure.ratio else figure.value for figure in figures]
    if max(values) > 2000 * max(min(values), 1e-9):
        return NullFormatter()
    return FuncFormatter(lambda value, _: f"{value:,g}" if f"{value:e}"[0] in "25" else "")


def _axis(measure: str) -> str:
    base = BASELINES.get(measure)
    return f"times “{base}” of the same loop, log scale" if base else f"{UNITS[measure]}, log scale"


def _mark(axes: Any, figure: Figure, line: int) -> None:
    colour, mark, shift = _LOOPS[figure.loop]
    place = line + shift
    if figure.is_kernel:
        axes.axhspan(line - 0.5, line + 0.5, color=BAND, lw=0, zorder=0)
    if figure.ratio is not None:
        axes.plot([figure.ratio.low, figure.ratio.high], [place, place], color=colour, lw=2, alpha=0.5)
    value = figure.ratio.median if figure.ratio else figure.value
    axes.plot([value], [place], mark, color=colour, ms=6)
    if figure.target is not None:
        axes.plot(
            [figure.target] * 2, [place - 0.13, place + 0.13], color=MET if figure.met else MISSED, lw=3.5
        )


def _legend(figures: Sequence[Figure]) -> list[Line2D]:
    loops = dict.fromkeys(figure.loop for figure in figures)
    marks = [Line2D([], [], color=_LOOPS[n][0], marker=_LOOPS[n][1], ls="", ms=7, label=n) for n in loops]
    bars = ((MET, "target, met"), (MISSED, "target, not met"))
    return marks + [
        Line2D([], [], color=c, marker="|", ls="", ms=13, mew=3.5, label=text) for c, text in bars
    ]
