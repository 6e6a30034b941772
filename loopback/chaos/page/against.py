"""The bot beside a plain player that met the same faults."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from loopback.chaos.page.markup import Markup, el
from loopback.chaos.page.timeline import lanes
from loopback.chaos.page.words import kind_words, ms, share, tidy

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.chaos.report import Player, Report

WIDTH: Final = 400.0
ROW: Final = 36.0
LEFT: Final = 8.0
_LEAST_MS, _MOST_MS = 20.0, 60_000.0
_TICKS_MS: Final = (20, 100, 1000, 10_000, 60_000)


def section(report: Report) -> Markup | None:
    """Figures side by side, then kind by kind, then its lanes."""
    ours, other = report.player, report.other
    if other is None:
        return None
    return el(
        "section",
        el("h2", f"Beside {other.name}"),
        el(
            "p",
            "The faults that can meet any player, in the same order, with the same listeners. Kinds of which "
            "neither was ever silent are left out of the picture. A fault that meets a player who is silent "
            "already costs it nothing more there.",
            class_="soft",
        ),
        el(
            "div",
            el("div", _figures(ours, other), class_="card scroll"),
            el(
                "div",
                el("h3", "Longest silence that began with a fault, by kind"),
                _dumbbells(ours, other),
                _legend(ours, other),
                class_="card scroll",
            ),
            class_="pair",
        ),
        lanes(other, report.run.lasted_s) if other.timelines else None,
    )


def _figures(ours: Player, other: Player) -> Markup:
    rows: tuple[tuple[str, Callable[[Player], str]], ...] = (
        ("Heard of what was due", lambda one: share(one.share_heard)),
        ("Longest silence", lambda one: ms(one.longest_gap_ms)),
        ("Frames lost", lambda one: f"{one.lost:,}"),
        ("Frames heard twice", lambda one: f"{one.repeated:,}"),
        ("Processes that it took", lambda one: f"{one.lives:,}"),
        ("Faults", lambda one: f"{sum(fault.refused is None for fault in one.faults):,}"),
    )
    head = el("tr", el("th", ""), el("th", ours.name), el("th", other.name))
    body = [el("tr", el("td", name), el("td", of(ours)), el("td", of(other))) for name, of in rows]
    return el("table", el("thead", head), el("tbody", *body))


def _dumbbells(ours: Player, other: Player) -> Markup:
    mine, theirs = _by_kind(ours), _by_kind(other)
    common = [kind for kind in mine if kind in theirs and mine[kind] + theirs[kind]]
    common.sort(key=lambda kind: theirs[kind], reverse=True)
    height = 22 + ROW * len(common)
    drawn = [el("text", tidy(tick), x=_x(tick), y=12, text_anchor=_anchor(tick)) for tick in _TICKS_MS]
    drawn += [el("line", x1=_x(tick), x2=_x(tick), y1=18, y2=height, class_="grid") for tick in _TICKS_MS]
    for number, kind in enumerate(common):
        drawn += _dumbbell(kind, mine[kind], theirs[kind], 22 + ROW * (number + 0.5), (ours.name, other.name))
    return el(
        "svg",
        *drawn,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH:g} {height:g}",
        class_="fit",
        style="max-width:430px",
        role="img",
        aria_label=f"Longest silences of {ours.name} and {other.name}",
    )


def _dumbbell(kind: str, mine_ms: float, theirs_ms: float, y: float, names: tuple[str, str]) -> list[Markup]:
    x, far, y = _x(mine_ms), _x(theirs_ms), y + 8
    return [
        el("text", kind_words(kind), x=LEFT, y=y - 9),
        el("line", x1=x, x2=far, y1=y, y2=y, class_="span"),
        el("circle", el("title", f"{names[1]}: {ms(theirs_ms)}"), cx=far, cy=y, r=5, class_="rival"),
        el("circle", el("title", f"{names[0]}: {ms(mine_ms)}"), cx=x, cy=y, r=5, class_="ours"),
    ]


def _legend(ours: Player, other: Player) -> Markup:
    items = [
        el(
            "li",
            el("svg", el("circle", cx=7, cy=7, r=5, class_=class_), width=14, height=14, viewBox="0 0 14 14"),
            player.name,
        )
        for class_, player in (("ours", ours), ("rival", other))
    ]
    return el("ul", *items, class_="legend")


def _by_kind(player: Player) -> dict[str, float]:
    """The longest silence of which a kind is the first cause, in ms; 0: nobody noticed.

    Alone or not: a player that does not come back is silent while others are done to it.
    """
    return {one.kind: max(one.gaps_ms, default=0.0) for one in player.kinds if one.count}


def _anchor(tick: int) -> str:
    """No text hangs over an end."""
    return {_TICKS_MS[0]: "start", _TICKS_MS[-1]: "end"}.get(tick, "middle")


def _x(value_ms: float) -> float:
    log = math.log(max(value_ms, _LEAST_MS) / _LEAST_MS) / math.log(_MOST_MS / _LEAST_MS)
    return LEFT + (WIDTH - LEFT - 12) * min(log, 1.0)
