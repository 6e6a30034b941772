"""Numbers as bars in a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopback.chaos.page.markup import Markup, el

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDTH = 200.0


def bars(rows: Iterable[tuple[str, int, str | None]]) -> Markup:
    """Each with a name, a number, and the class of its figure, if it has any."""
    rows = list(rows)
    most = max((number for _, number, _ in rows), default=0) or 1
    return el(
        "table",
        *(
            el("tr", el("td", name), el("td", bar(number / most)), el("td", f"{number:,}", class_=kind))
            for name, number, kind in rows
        ),
    )


def bar(share: float) -> Markup:
    """A bar of that share of the longest one."""
    filled = el("rect", x=0, y=1, width=max(WIDTH * share, 1.0 if share else 0.0), height=9, class_="gap")
    return el(
        "svg",
        filled,
        viewBox=f"0 0 {WIDTH:g} 11",
        preserveAspectRatio="none",
        class_="bar",
        aria_hidden="true",
    )
