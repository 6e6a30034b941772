"""How often actors were started again, by three witnesses who must agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loopback.chaos.page.bars import bar
from loopback.chaos.page.markup import Markup, el

if TYPE_CHECKING:
    from loopback.chaos.report import Report, Restarts

WITNESSES: Final = "witnesses"
"""The invariant that they agree, in every life of the process as long as it could be asked."""


def section(report: Report) -> Markup | None:
    """A row a kind of actor, the most restarted first."""
    if not report.restarts:
        return None
    rows = sorted(report.restarts, key=lambda one: -one.events)
    most = max(one.events for one in rows) or 1
    broken = any(violation.invariant == WITNESSES for violation in report.violations)
    differs = "pill bad" if broken else "pill late"
    head = el("tr", *(el("th", name) for name in ("Actor", "", "Tree", "Metrics", "Log", "")))
    return el(
        "section",
        el("h2", "Restarts, by kind of actor"),
        el(
            "p",
            "Each must be in the tree's own events, in the metrics and in the log alike. What a process "
            "counted between the last fetch of its metrics and its SIGKILL nobody has seen.",
            class_="soft",
        ),
        el(
            "div",
            el(
                "table",
                el("thead", head),
                el("tbody", *(_row(one, most, differs) for one in rows)),
                class_="restarts",
            ),
            class_="card scroll",
        ),
    )


def _row(one: Restarts, most: int, differs: str) -> Markup:
    agree = one.events == one.metrics == one.log
    return el(
        "tr",
        el("td", el("code", one.actor)),
        el("td", bar(one.events / most), style="width:40%"),
        *(el("td", f"{count:,}") for count in (one.events, one.metrics, one.log)),
        el("td", el("span", "agree" if agree else "differ", class_="pill" if agree else differs)),
    )
