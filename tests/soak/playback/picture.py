"""Memory and counts over the hours, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from matplotlib.figure import Figure

from tests.soak.playback.samples import COUNTED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.soak.playback.samples import Sample
    from tests.soak.playback.slope import Slope

COLORS: Final = dict(zip(COUNTED, ("#1565c0", "#2e7d32", "#ef6c00", "#6a1b9a"), strict=True))


def draw(path: Path, samples: Sequence[Sample], warm_h: float, memory: Slope) -> None:
    """Above private memory with the line through it, below everything that is counted."""
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    hours = [one.at_h for one in samples]
    above.plot(hours, [one.memory for one in samples], color="#c2185b", label="private memory of the bot")
    ends = (warm_h, hours[-1])
    above.plot(
        ends,
        [memory.start + memory.per_h * hour for hour in ends],
        color="black",
        linestyle="--",
        label=f"{memory.per_h:+.2f} MiB/h, at most {memory.upper:+.2f} (95 %)",
    )
    above.axvspan(0, warm_h, color="#eeeeee", label="warm-up")
    above.set_ylabel("MiB")
    above.legend(frameon=False, loc="lower right")
    for name in COUNTED:
        below.plot(hours, [getattr(one, name) for one in samples], color=COLORS[name], label=name)
    below.set_ylabel("open at once")
    below.set_xlabel("hours of playback")
    below.set_ylim(bottom=0)
    below.legend(frameon=False, ncols=len(COUNTED), loc="upper right")
    figure.savefig(path, dpi=130)
