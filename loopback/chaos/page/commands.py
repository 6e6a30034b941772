"""What people asked for meanwhile, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopback.chaos.page.bars import bars
from loopback.chaos.page.markup import Markup, el

if TYPE_CHECKING:
    from loopback.chaos.report import Report


def section(report: Report) -> Markup | None:
    """Outcomes, and which commands they were."""
    given = report.commands
    if not given.given:
        return None
    outcomes = (
        ("acknowledged", given.acknowledged, None),
        ("of these done, but not saved, and said so", given.not_saved, None),
        ("refused with a reason", given.refused, None),
        ("unanswered: the process or Discord was down", given.unanswered, None),
        ("acknowledged, and lost", given.lost, "bad" if given.lost else None),
    )
    by_name = sorted(given.by_name.items(), key=lambda each: -each[1])
    return el(
        "section",
        el("h2", f"{given.given:,} commands"),
        el(
            "p",
            "A command that was acknowledged must have happened, whatever was killed after that.",
            class_="soft",
        ),
        el(
            "div",
            el("div", el("h3", "What became of them"), bars(outcomes), class_="card"),
            el(
                "div", el("h3", "Acknowledged"), bars([(name, n, None) for name, n in by_name]), class_="card"
            ),
            class_="pair",
        ),
    )
