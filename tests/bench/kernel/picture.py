"""The figures as a picture: one panel a measure, one line a variant, one mark an event loop.

Drawn without a display, after all measuring is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl

from tests.bench.kernel import figures as f

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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
#: Row of the picture -> its panels; a column's panels share its height by the lines they have.
_COLUMNS: Final = ((f.TELL, f.LONE, f.RESTART), (f.ASK, f.SPAWN, f.MEMORY, f.PAUSE))
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


def draw(path: Path, figures: Sequence[f.Figure]) -> None:
    """Write the picture as PNG, 1700 x 1500 pixels if nothing is left out."""
    columns = [[name for name in column if _of(figures, name)] for column in _COLUMNS]
    columns = [column for column in columns if column]
    with plt.rc_context(_STYLE):
        height = max(sum(_height(figures, name) for name in column) for column in columns)
        page = plt.figure(figsize=(17, 1.6 + 0.32 * height), dpi=100, layout="constrained")
        page.suptitle("What the kernel costs", x=0.012, ha="left", size=19, weight="bold")
        for part, column in zip(page.subfigures(1, len(columns), squeeze=False)[0], columns, strict=True):
            heights = [_height(figures, name) for name in column]
            for axes, name in zip(
                part.subplots(len(column), 1, squeeze=False, height_ratios=heights)[:, 0], column, strict=True
            ):
                _panel(axes, name, _of(figures, name))
        page.legend(handles=_legend(figures), loc="upper right", ncols=5, frameon=False, fontsize=11)
        page.savefig(path)
        plt.close(page)


def _of(figures: Sequence[f.Figure], measure: str) -> list[f.Figure]:
    return [figure for figure in figures if figure.measure == measure]


def _height(figures: Sequence[f.Figure], measure: str) -> int:
    return len({figure.row for figure in _of(figures, measure)}) + 3  # title and axis


def _panel(axes: Any, measure: str, figures: Sequence[f.Figure]) -> None:
    rows = list(dict.fromkeys(figure.row for figure in figures))
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


def _minor(figures: Sequence[f.Figure]) -> Any:
    """Label 2 and 5 between the powers of ten, where there is room for it."""
    values = [figure.ratio.median if figure.ratio else figure.value for figure in figures]
    if max(values) > 2000 * max(min(values), 1e-9):
        return NullFormatter()
    return FuncFormatter(lambda value, _: f"{value:,g}" if f"{value:e}"[0] in "25" else "")


def _axis(measure: str) -> str:
    base = f.BASELINES.get(measure)
    return f"times “{base}” of the same loop, log scale" if base else f"{f.UNITS[measure]}, log scale"


def _mark(axes: Any, figure: f.Figure, line: int) -> None:
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


def _legend(figures: Sequence[f.Figure]) -> list[Line2D]:
    loops = dict.fromkeys(figure.loop for figure in figures)
    marks = [Line2D([], [], color=_LOOPS[n][0], marker=_LOOPS[n][1], ls="", ms=7, label=n) for n in loops]
    bars = ((MET, "target, met"), (MISSED, "target, not met"))
    return marks + [
        Line2D([], [], color=c, marker="|", ls="", ms=13, mew=3.5, label=text) for c, text in bars
    ]
