"""The timeline: a lane for each server, with what was done to it and what its listener heard of that."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loopback.chaos.page.crowd import columns, longest
from loopback.chaos.page.marks import legend, mark, swatch
from loopback.chaos.page.markup import Markup, el
from loopback.chaos.page.style import GROUPS
from loopback.chaos.page.words import clock, kind_words, moment, ms, step_s

if TYPE_CHECKING:
    from collections.abc import Iterable

    from loopback.chaos.report import Fault, Gap, Player, Report, Violation

LANE: Final = 34
TOP: Final = 24
EVERYBODY: Final = "everybody"
_LEAST_WIDTH, _MOST_WIDTH = 990, 4000
_PER_S: Final = 1.6
"""Pixels of a second in a long run."""

_LEAST_MS, _MOST_MS = 20.0, 10_000.0
_HIGHEST: Final = 15
"""Of a bar, for ten seconds of silence."""

_CROWD_WORDS: Final = "In so long a run columns show how many faults there were: the darker, the more; "


@dataclass(frozen=True, slots=True)
class Scale:
    """Seconds of the run as places on the picture."""

    span_s: float

    @property
    def width(self) -> float:
        """Pixels."""
        return min(max(_LEAST_WIDTH, self.span_s * _PER_S), _MOST_WIDTH)

    @property
    def crowded(self) -> bool:
        """A run so long that its marks would cover each other: they become columns, see :mod:`crowd`."""
        return self.span_s * _PER_S > _MOST_WIDTH

    def x(self, at_s: float) -> float:
        """Where that is; before the beginning and after the end count as there."""
        return 4 + (self.width - 8) * min(max(at_s / max(self.span_s, 1e-6), 0.0), 1.0)


def section(report: Report) -> Markup:
    """The bot's lanes; and those of the player beside it."""
    scale = Scale(report.run.lasted_s)
    return el(
        "section",
        el("h2", "What was done, and what was heard"),
        el(
            "p",
            "A lane for each server. ",
            _CROWD_WORDS if scale.crowded else "Marks are faults, ",
            "bars are silences between two frames of music: the longer, the higher, from 20 ms to 10 s, and "
            "red if longer than the faults may cost. Point at one to read more.",
            " The picture scrolls sideways." if scale.width > _LEAST_WIDTH else None,
            class_="soft",
        ),
        lanes(report.player, report.run.lasted_s, report.violations),
    )


def lanes(player: Player, span_s: float, violations: Iterable[Violation] = ()) -> Markup:
    """The picture, which scrolls within its card, with its legend."""
    scale, done = Scale(span_s), [fault for fault in player.faults if fault.refused is None]
    names = [EVERYBODY, *(timeline.guild for timeline in player.timelines)]
    height = TOP + LANE * len(names) + 4
    common = [fault for fault in done if fault.guild is None]
    drawn = [
        *_axis(scale, height),
        *_holes(scale, common, TOP, LANE * len(names)),
        *_lane(scale, 0, common, (), [one for one in violations if one.guild is None]),
    ]
    for number, timeline in enumerate(player.timelines, start=1):
        mine = [fault for fault in done if fault.guild == timeline.guild]
        top = TOP + LANE * number
        drawn += _holes(scale, mine, top, LANE)
        broken = [one for one in violations if one.guild == timeline.guild]
        drawn += _lane(scale, number, mine, timeline.gaps, broken)
    picture = el(
        "svg",
        *drawn,
        xmlns="http://www.w3.org/2000/svg",
        width=scale.width,
        height=height,
        viewBox=f"0 0 {scale.width:g} {height}",
        role="img",
        aria_label="Faults and silences over time, a lane for each server",
    )
    listed = el("ol", *(el("li", name, title=name) for name in names))
    groups = [] if scale.crowded else [each for each in GROUPS if any(one.group == each for one in done)]
    samples = (
        swatch("gap", "silence"),
        swatch("gap over", "longer than allowed"),
        swatch("hole", "forced hole"),
    )
    return el(
        "div",
        el("div", el("div", listed, picture, class_="lanes"), class_="scroll"),
        legend(groups, *samples),
        class_="card",
    )


def _axis(scale: Scale, height: float) -> list[Markup]:
    step = step_s(scale.span_s, scale.width / 80)
    drawn = []
    for number in range(int(scale.span_s // step) + 1):
        x = scale.x(number * step)
        drawn.append(el("line", x1=x, x2=x, y1=18.0, y2=height, class_="grid"))
        if x < scale.width - 40:  # else it would hang over the end
            drawn.append(el("text", clock(number * step), x=x + 3, y=13.0))
    return drawn


def _lane(
    scale: Scale, number: int, faults: Iterable[Fault], gaps: Iterable[Gap], broken: Iterable[Violation]
) -> list[Markup]:
    top, base = TOP + LANE * number, TOP + LANE * (number + 1) - 3
    drawn = [el("line", x1=0, x2=scale.width, y1=base, y2=base, class_="base")]
    drawn += [_bar(scale, gap, base) for gap in (longest(gaps, scale.x) if scale.crowded else gaps)]
    if scale.crowded:
        drawn += columns(faults, scale.x, top + 2, base - _HIGHEST - 4)
    else:
        drawn += [mark(fault.group, scale.x(fault.start_s), top + 9, _told(fault)) for fault in faults]
    for one in broken:
        x = scale.x(one.at_s)
        words = el("title", f"{one.invariant}: {one.words}")
        drawn.append(el("line", words, x1=x, x2=x, y1=top, y2=base, class_="broken"))
    return drawn


def _holes(scale: Scale, faults: Iterable[Fault], top: float, height: float) -> list[Markup]:
    """Where nothing could be heard; those that touch each other are one."""
    spans = sorted(
        (scale.x(one.start_s), scale.x(max(one.end_s, one.start_s + one.forced_ms / 1000)))
        for one in faults
        if one.forced_ms > 0
    )
    merged: list[tuple[float, float]] = []
    for begin, end in spans:
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((begin, max(end, begin + 1.0)))
    return [
        el("rect", x=begin, y=top, width=end - begin, height=height, class_="hole", fill_opacity=0.55)
        for begin, end in merged
    ]


def _bar(scale: Scale, gap: Gap, base: float) -> Markup:
    log = math.log(max(gap.length_ms, _LEAST_MS) / _LEAST_MS) / math.log(_MOST_MS / _LEAST_MS)
    high = 2 + _HIGHEST * min(log, 1.0)
    words = f"{moment(gap.start_s)}: silent for {ms(gap.length_ms)}, {ms(gap.allowed_ms)} allowed"
    late = f", the machine was late by {ms(gap.late_ms)}" if gap.late_ms >= 1 else ""
    return el(
        "rect",
        el("title", words + late),
        x=scale.x(gap.start_s),
        y=base - high,
        width=max(scale.x(gap.start_s + gap.length_ms / 1000) - scale.x(gap.start_s), 1.8),
        height=high,
        class_="gap" if gap.ok else "gap over",
    )


def _told(fault: Fault) -> str:
    where = f" ({fault.path})" if fault.path else ""
    lasted_s = fault.end_s - fault.start_s
    lasted = f", for {ms(lasted_s * 1000)}" if lasted_s >= 0.1 else ""
    return f"{moment(fault.start_s)}: {kind_words(fault.kind)}{where}{lasted}"
