"""How often actors were started again, by three witnesses who must agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopback.chaos.page.bars import bar
from loopback.chaos.page.markup import Markup, el

if TYPE_CHECKING:
    from loopback.chaos.report import Report, Restarts


def section(report: Report) -> Markup | None:
    """A row a kind of actor, the most restarted first."""
    if not report.restarts:
        return None
    rows = sorted(report.restarts, key=lambda one: -one.events)
    most = max(one.events for one in rows) or 1
    head = el("tr", *(el("th", name) for name in ("Actor", "", "Tree", "Metrics", "Log", "")))
    return el(
        "section",
        el("h2", "Restarts, by kind of actor"),
        el("p", "Each must be in the tree's own events, in the metrics and in the log alike.", class_="soft"),
        el(
            "div",
            el("table", el("thead", head), el("tbody", *(_row(one, most) for one in rows))),
            class_="card scroll",
        ),
    )


def _row(one: Restarts, most: int) -> Markup:
    agree = one.events == one.metrics == one.log
    return el(
        "tr",
        el("td", el("code", one.actor)),
        el("td", bar(one.events / most), style="width:40%"),
        *(el("td", f"{count:,}") for count in (one.events, one.metrics, one.log)),
        el("td", el("span", "agree" if agree else "differ", class_="pill" if agree else "pill bad")),
    )
