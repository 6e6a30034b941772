"""The report of a run of chaos as a page: one file that needs nothing else, for a browser of any width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopback.chaos.page import against, commands, costs, head, held, promises, restarts, timeline
from loopback.chaos.page.markup import el
from loopback.chaos.page.style import STYLE

if TYPE_CHECKING:
    from pathlib import Path

    from loopback.chaos.page.markup import Markup
    from loopback.chaos.report import Report

__all__ = ["write_page"]

_SECTIONS = (
    head.section,
    promises.section,
    timeline.section,
    costs.section,
    against.section,
    commands.section,
    restarts.section,
    held.section,
    head.colophon,
)
"""In the order in which they are read; each is left out if the report has nothing for it."""


def write_page(report: Report, path: Path) -> None:
    """`report.html`: all of the report, with pictures in SVG, no script, and nothing from elsewhere."""
    path.write_text(f"<!DOCTYPE html>\n{_page(report)}\n", encoding="utf-8")


def _page(report: Report) -> Markup:
    verdict = "every promise was kept" if report.ok else head.broken(report)
    return el(
        "html",
        el(
            "head",
            el("meta", charset="utf-8"),
            el("meta", name="viewport", content="width=device-width, initial-scale=1"),
            el("meta", name="color-scheme", content="light dark"),
            el("title", f"Chaos {report.run.seed}: {verdict}"),
            el("style", STYLE),
        ),
        el("body", el("main", *(made(report) for made in _SECTIONS))),
        lang="en",
    )
