"""What was promised, and what of it was broken: when, where, and how to see it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopback.chaos.page.head import replay
from loopback.chaos.page.markup import Markup, el
from loopback.chaos.page.words import moment

if TYPE_CHECKING:
    from loopback.chaos.report import Report, Violation


def section(report: Report) -> Markup:
    """Violations first, then everything that was checked."""
    broken = {violation.invariant for violation in report.violations}
    checked = [
        el("li", el("b", "✗" if name in broken else "✓", class_="bad" if name in broken else "good"), words)
        for name, words in report.invariants.items()
    ]
    return el(
        "section",
        el("h2", "Promises"),
        _violations(report) if report.violations else None,
        el("ul", *checked, class_="kept"),
    )


def _violations(report: Report) -> Markup:
    rows = [_row(one) for one in sorted(report.violations, key=lambda one: one.at_s)]
    names = ("At", "Promise", "Server", "What happened", "Seed")
    head = el("tr", *(el("th", name, class_="left") for name in names))
    return el(
        "div",
        el("table", el("thead", head), el("tbody", *rows), class_="broken-list"),
        el("p", "To see it again, with the same plan:", class_="soft small"),
        el("pre", replay(report)),
        class_="card",
    )


def _row(one: Violation) -> Markup:
    return el(
        "tr",
        el("td", moment(one.at_s)),
        el("td", el("span", one.invariant, class_="pill bad"), class_="left"),
        el("td", one.guild or "all", class_="left name"),
        el("td", one.words, class_="left words"),
        el("td", one.seed, class_="left", data_name="seed"),
    )
