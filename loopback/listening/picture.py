"""Draws what was heard: ostinato-heard.png, the sound over time, the order of its frames, and their rhythm.

Needs matplotlib (the `demo` extra); drawn without a display.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
import numpy as np

from loopback.listening.heard import FRAME_MS, LONGEST_GAP_MS

mpl.use("Agg")
from matplotlib import pyplot as plt

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

    from loopback.listening.heard import Hearing, TrackReport

PAPER: Final = "#fbf7ef"
INK: Final = "#2f2a33"
FAINT: Final = "#b9b0a2"
ALARM: Final = "#d1495b"
TRACK_COLOURS: Final = ("#2a6f97", "#c8772c", "#5b8e5a", "#7a5195", "#8a5a44")
_COLUMNS: Final = 1800  # of the waveform: more is not seen
_STYLE: Final[dict[Any, Any]] = {
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "font.size": 10.0,
    "font.family": "DejaVu Sans",
}


def draw(path: Path, hearing: Hearing) -> None:
    """Write the picture of a hearing as PNG, 1600 x 1000 pixels."""
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(
            3, 1, figsize=(16, 10), dpi=100, sharex=True, height_ratios=(5, 2, 2), layout="constrained"
        )
        figure.suptitle("What the listener heard", x=0.012, ha="left", size=19, weight="bold")
        _waveform(axes[0], hearing)
        _places(axes[1], hearing)
        _rhythm(axes[2], hearing)
        axes[2].set_xlabel("time since the first frame arrived (s)")
        axes[2].set_xlim(0, max(1.0, float(hearing.at_s[-1]) + 0.02 if len(hearing.at_s) else 1.0))
        figure.savefig(path)
        plt.close(figure)


def colour(index: int) -> str:
    """The colour of the index-th track."""
    return TRACK_COLOURS[index % len(TRACK_COLOURS)]


def _waveform(axes: Any, hearing: Hearing) -> None:
    """Loudest and quietest sample of each moment, over the RMS, in the colour of the track; gaps in red."""
    mono = hearing.sound.mean(axis=2, dtype=np.float64).reshape(-1, hearing.sound.shape[1] // 4) / 32768
    quarter_s = FRAME_MS / 4000
    times = np.repeat(hearing.at_s, 4) + np.tile(np.arange(4) * quarter_s, len(hearing.at_s))
    peak = max(0.1, float(np.abs(mono).max(initial=0.0))) * 1.05
    for index in [-1, *range(len(hearing.reports))]:
        shade = FAINT if index < 0 else colour(index)
        mine = np.repeat(hearing.owner == index, 4)
        if mine.any():
            _fill(axes, times[mine], mono[mine], shade)
    _name_tracks(axes, hearing, peak)
    _mark_gaps(axes, hearing, peak)
    axes.set_ylim(-peak, 1.32 * peak)
    axes.set_ylabel("amplitude (of full scale)")


def _fill(axes: Any, times: Floats, mono: Floats, shade: str) -> None:
    """Fill columns of equal width; one that nothing was heard in stays empty."""
    start, length = times[0], times[-1] - times[0] + 0.01
    columns = max(1, min(_COLUMNS, int(length / 0.01)))
    at = ((times - start) / length * columns).astype(np.int64)
    low, high, power = np.zeros(columns), np.zeros(columns), np.zeros(columns)
    np.minimum.at(low, at, mono.min(axis=1))
    np.maximum.at(high, at, mono.max(axis=1))
    np.maximum.at(power, at, (mono**2).mean(axis=1))
    edges = start + np.arange(columns) * length / columns
    axes.fill_between(edges, low, high, color=shade, alpha=0.55, lw=0, step="post")
    axes.fill_between(edges, -np.sqrt(power), np.sqrt(power), color=shade, lw=0, step="post")


def _name_tracks(axes: Any, hearing: Hearing, peak: float) -> None:
    for index, report in enumerate(hearing.reports):
        mine = np.flatnonzero(hearing.owner == index)
        if not len(mine):
            continue
        start, stop = float(hearing.at_s[mine[0]]), float(hearing.at_s[mine[-1]]) + FRAME_MS / 1000
        axes.plot([start, stop], [1.06 * peak, 1.06 * peak], color=colour(index), lw=5, solid_capstyle="butt")
        axes.text(start, 1.24 * peak, report.track, size=13, weight="bold", color=colour(index), va="center")
        axes.text(start, 1.135 * peak, _caption(report), size=9, va="center")


def _caption(report: TrackReport) -> str:
    return (
        f"{report.seconds_heard:.1f} s heard · longest gap {report.longest_gap_ms:.0f} ms"
        f" · {report.lost} lost · {report.repeated} repeated · {report.out_of_order} out of order"
    )


def _mark_gaps(axes: Any, hearing: Hearing, peak: float) -> None:
    """A red band for every time longer than is allowed between two frames."""
    waits = np.diff(hearing.at_s)
    for index in np.flatnonzero(waits * 1000 > LONGEST_GAP_MS):
        start, stop = float(hearing.at_s[index]) + FRAME_MS / 1000, float(hearing.at_s[index + 1])
        axes.axvspan(start, stop, ymax=0.86, color=ALARM, alpha=0.35, lw=0)
        label = f"gap {waits[index] * 1000:.0f} ms"
        axes.text((start + stop) / 2, -0.95 * peak, label, color=ALARM, ha="center", size=9, weight="bold")


def _places(axes: Any, hearing: Hearing) -> None:
    """Where in its track each frame stands: straight lines are music in order."""
    for index in range(len(hearing.reports)):
        mine = (hearing.owner == index) & (hearing.position >= 0)
        places = hearing.position[mine] * FRAME_MS / 1000
        axes.plot(hearing.at_s[mine], places, ".", ms=2.5, color=colour(index))
    axes.set_ylabel("place in track (s)")
    axes.grid(axis="y", color=FAINT, lw=0.4)
    axes.set_ylim(bottom=0)


def _rhythm(axes: Any, hearing: Hearing) -> None:
    """The time between each frame and the one before."""
    waits = np.diff(hearing.at_s) * 1000
    top = max(LONGEST_GAP_MS * 1.3, float(waits.max()) * 1.1 if len(waits) else 0.0)
    axes.plot(hearing.at_s[1:], waits, ".", ms=2, color=INK, alpha=0.6)
    axes.axhline(LONGEST_GAP_MS, color=ALARM, lw=1, ls="--")
    axes.text(
        0.998,
        LONGEST_GAP_MS / top + 0.01,
        f"most that is allowed: {LONGEST_GAP_MS:.0f} ms",
        color=ALARM,
        ha="right",
        va="bottom",
        size=9,
        transform=axes.transAxes,
    )
    axes.axhline(FRAME_MS, color=FAINT, lw=0.8)
    axes.set_ylim(0, top)
    axes.set_ylabel("since the frame\nbefore (ms)")
