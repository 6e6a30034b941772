"""What each kind of fault cost: its silences as dots on one scale, and whether they were allowed."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from loopback.chaos.page.crowd import spread
from loopback.chaos.page.marks import mark
from loopback.chaos.page.markup import Markup, el, many
from loopback.chaos.page.style import GROUPS
from loopback.chaos.page.words import kind_words, ms, tidy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loopback.chaos.report import Gap, KindFigures, Player, Report

WIDTH, HEIGHT = 420.0, 26.0
_LEAST_MS: Final = 20.0
_LEAST_MOST_MS: Final = 10_000.0
_TICKS_MS: Final = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000)
_JITTER: Final = (0.0, 5.0, -5.0, 2.5, -2.5, 6.5, -6.5)
"""Dots that are alike do not cover each other."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Milliseconds as places, each ten times as far as the one before."""

    most_ms: float

    def x(self, value_ms: float) -> float:
        """Where that is."""
        log = math.log(max(value_ms, _LEAST_MS) / _LEAST_MS) / math.log(self.most_ms / _LEAST_MS)
        return 6 + (WIDTH - 12) * min(log, 1.0)

    @property
    def ticks(self) -> list[int]:
        """Those of the axis."""
        return [tick for tick in _TICKS_MS if tick <= self.most_ms]


def section(report: Report) -> Markup | None:
    """A row a kind."""
    player = report.player
    if not player.kinds:
        return None
    return el(
        "section",
        el("h2", "What each kind of fault cost"),
        el(
            "p",
            "Each dot is a silence of which that kind is the first cause; the scale begins at 20 ms, the "
            "distance of two frames. The stroke is the longest that is allowed, the shade before it the "
            "longest forced hole; what lies beyond it and is not red had further causes, or a machine that "
            "was late. “Alone” is while no other fault was at work.",
            class_="soft",
        ),
        el("div", _table(player), class_="card"),
    )


def _table(player: Player) -> Markup:
    gaps, forced = _gaps(player), _forced(player)
    longest = max((gap.length_ms for found in gaps.values() for gap in found), default=0.0)
    scale = Scale(max(_LEAST_MOST_MS, longest * 1.1, *(one.bound_ms for one in player.kinds)))
    names = (
        "Fault",
        "Times",
        "Silences",
        "Longest, alone",
        "Beyond the hole",
        "Allowed",
        "Lost",
        "Twice",
        "",
    )
    head = el("tr", *(el("th", name, class_="left" if name == "Silences" else None) for name in names))
    body: list[Markup] = [_axis_row(scale)]
    order = list(GROUPS)
    ranked = sorted(
        player.kinds, key=lambda one: order.index(one.group) if one.group in order else len(order)
    )
    for group, kinds in groupby(ranked, key=lambda one: one.group):
        title = many(
            el("svg", mark(group, 7, 7), width=14, height=14, class_="inline"), " ", GROUPS.get(group, group)
        )
        body.append(el("tr", el("td", title, colspan=len(names)), class_="group"))
        body += [_row(scale, one, gaps[one.kind], forced.get(one.kind, 0.0)) for one in kinds]
    return el("table", el("thead", head), el("tbody", *body), class_="costs")


def _gaps(player: Player) -> Mapping[str, list[Gap]]:
    """By the kind of their first cause."""
    kinds, found = {fault.id: fault.kind for fault in player.faults}, defaultdict(list)
    for timeline in player.timelines:
        for gap in timeline.gaps:
            if gap.faults and gap.faults[0] in kinds:
                found[kinds[gap.faults[0]]].append(gap)
    return found


def _forced(player: Player) -> Mapping[str, float]:
    """The longest forced hole of each kind."""
    found: dict[str, float] = {}
    for fault in player.faults:
        found[fault.kind] = max(found.get(fault.kind, 0.0), fault.forced_ms)
    return found


def _row(scale: Scale, one: KindFigures, gaps: Sequence[Gap], forced_ms: float) -> Markup:
    def cell(name: str, value: str, *, nothing: bool = False) -> Markup:
        return el("td", value, data_name=name, class_="nothing" if nothing else None)

    return el(
        "tr",
        el("td", kind_words(one.kind)),
        cell("times", f"{one.count:,}"),
        el("td", _strip(scale, one, gaps, forced_ms), class_="wide"),
        cell("longest", ms(one.longest_ms), nothing=one.longest_ms <= 0),
        cell("beyond the hole", ms(one.longest_beyond_ms), nothing=one.longest_ms <= 0),
        cell("allowed", ms(one.bound_ms)),
        cell("lost", f"{one.lost:,}", nothing=not one.lost),
        cell("twice", f"{one.repeated:,}", nothing=not one.repeated),
        el("td", _verdict(one, gaps), class_="verdict-cell"),
        class_=None if gaps else "unheard",
    )


def _verdict(one: KindFigures, gaps: Sequence[Gap]) -> Markup:
    if not all(gap.ok for gap in gaps):
        return el("span", "too long", class_="pill bad")
    if not one.count:
        return el("span", "not done", class_="pill late")
    if one.longest_beyond_ms > one.bound_ms:
        late = "no longer than allowed on a machine that was so late meanwhile"
        return el("span", "machine late", class_="pill late", title=late)
    return el("span", "kept", class_="pill")


def _strip(scale: Scale, one: KindFigures, gaps: Sequence[Gap], forced_ms: float) -> Markup:
    middle, bound = HEIGHT / 2, scale.x(forced_ms + one.bound_ms)
    drawn = [el("line", x1=x, x2=x, y1=0, y2=HEIGHT, class_="grid") for x in map(scale.x, scale.ticks)]
    if forced_ms > _LEAST_MS:
        width = scale.x(forced_ms) - scale.x(0)
        drawn.append(
            el("rect", x=scale.x(0), y=3, width=width, height=HEIGHT - 6, class_="hole", fill_opacity=0.6)
        )
    for number, gap in enumerate(spread(gaps)):
        y = middle + _JITTER[number % len(_JITTER)]
        words = el("title", f"{ms(gap.length_ms)}, {ms(gap.allowed_ms)} allowed")
        class_ = "dot" if gap.ok else "dot over"
        drawn.append(el("circle", words, cx=scale.x(gap.length_ms), cy=y, r=3.5, class_=class_))
    drawn.append(el("line", x1=bound, x2=bound, y1=2, y2=HEIGHT - 2, class_="bound"))
    label = f"{len(gaps)} silences, at most {ms(max((gap.length_ms for gap in gaps), default=0.0))}"
    return _svg(drawn, HEIGHT, label)


def _axis_row(scale: Scale) -> Markup:
    texts = [
        el(
            "text",
            tidy(tick),
            x=scale.x(tick),
            y=13,
            text_anchor=_anchor(tick, scale.ticks),
        )
        for tick in scale.ticks
        if tick in (20, 100, 1000, 10_000, 60_000) or len(scale.ticks) < 6
    ]
    axis = _svg(texts, 18.0, "axis of silences")
    return el(
        "tr", el("td"), el("td"), el("td", axis, class_="wide"), *(el("td") for _ in range(6)), class_="axis"
    )


def _anchor(tick: int, ticks: Sequence[int]) -> str:
    """No text hangs over an end."""
    return {ticks[0]: "start", ticks[-1]: "end"}.get(tick, "middle")


def _svg(drawn: Sequence[Markup], height: float, label: str) -> Markup:
    return el(
        "svg",
        *drawn,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH:g} {height:g}",
        class_="fit",
        style="min-width:260px",
        role="img",
        aria_label=label,
    )
