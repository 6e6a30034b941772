"""What the bot held over time: memory, descriptors and threads, with the ends of its processes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Final

from loopback.chaos.page.markup import Markup, el, many
from loopback.chaos.page.words import clock, step_s

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loopback.chaos.report import Report, Sample

WIDTH, HEIGHT = 520.0, 190.0
LEFT, BOTTOM, TOP = 44.0, 22.0, 10.0
_STEPS: Final = (1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10_000)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart."""

    name: str
    value: Callable[[Sample], float]
    second: bool = False

    @property
    def class_(self) -> str:
        """Its look."""
        return "line second" if self.second else "line"


_CHARTS: Final = (
    (
        "Memory, MiB",
        (
            Line("the bot", lambda one: one.memory_mib),
            Line("its workers", lambda one: one.workers_mib, second=True),
        ),
    ),
    (
        "Descriptors and actors",
        (
            Line("descriptors", lambda one: one.descriptors),
            Line("actors", lambda one: one.actors, second=True),
        ),
    ),
)


def section(report: Report) -> Markup | None:
    """Two charts side by side."""
    if len(report.samples) < 2:
        return None
    last = report.samples[-1]
    charts = [
        el("div", el("h3", title), _chart(report.samples, lines), _legend(lines), class_="card")
        for title, lines in _CHARTS
    ]
    return el(
        "section",
        el("h2", "What it held"),
        el(
            "p",
            f"At the end {last.memory_mib:.0f} MiB, {last.descriptors} descriptors, {last.threads} threads "
            f"and {last.processes} processes. A dotted line: the process was killed and started again.",
            class_="soft",
        ),
        el("div", *charts, class_="pair"),
    )


def _chart(samples: Sequence[Sample], lines: Sequence[Line]) -> Markup:
    span_s = max(samples[-1].at_s, 1.0)
    most = max(line.value(one) for line in lines for one in samples) or 1.0
    step = next((step for step in _STEPS if most / step <= 5), most)
    top = step * (int(most / step) + 1)

    def x(at_s: float) -> float:
        return LEFT + (WIDTH - LEFT - 8) * max(at_s, 0.0) / span_s

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top)

    drawn = []
    for number in range(int(top / step) + 1):
        at = y(number * step)
        drawn.append(el("line", x1=LEFT, x2=WIDTH, y1=at, y2=at, class_="grid"))
        drawn.append(el("text", f"{number * step:g}", x=LEFT - 6, y=at + 4, text_anchor="end"))
    tick = step_s(span_s, 7)
    drawn += [
        el("text", clock(number * tick), x=x(number * tick), y=HEIGHT - 4, text_anchor="middle")
        for number in range(int(span_s // tick) + 1)
    ]
    for before, after in pairwise(samples):
        if before.life != after.life:
            at = (x(before.at_s) + x(after.at_s)) / 2
            drawn.append(el("line", x1=at, x2=at, y1=TOP, y2=HEIGHT - BOTTOM, class_="life"))
    for line in lines:
        for _, lived in groupby(samples, key=lambda one: one.life):
            points = " ".join(f"{x(one.at_s):.1f},{y(line.value(one)):.1f}" for one in lived)
            drawn.append(el("polyline", points=points, class_=line.class_))
    label = " and ".join(line.name for line in lines)
    return el(
        "svg",
        *drawn,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        class_="fit",
        role="img",
        aria_label=f"Over time: {label}",
    )


def _legend(lines: Sequence[Line]) -> Markup:
    items = []
    for line in lines:
        sample = el("line", x1=0, x2=14, y1=7, y2=7, class_=line.class_)
        items.append(el("li", el("svg", sample, width=14, height=14, viewBox="0 0 14 14"), many(line.name)))
    return el("ul", *items, class_="legend")
