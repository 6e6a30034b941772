"""The marks of faults: a shape for each group, so that they are told apart without colours too."""

from __future__ import annotations

from typing import Final

from loopback.chaos.page.markup import Markup, el
from loopback.chaos.page.style import GROUPS

_SHAPES: Final = {
    "actors": "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0",
    "voice": "M0,-5L5,0L0,5L-5,0Z",
    "gateway": "M-4,-4H4V4H-4Z",
    "rest": "M0,-5L4.5,4H-4.5Z",
    "media": "M0,5L4.5,-4H-4.5Z",
    "process": "M-5,-2L-2,-5L0,-3L2,-5L5,-2L3,0L5,2L2,5L0,3L-2,5L-5,2L-3,0Z",
    "machine": "M-1.6,-5H1.6V-1.6H5V1.6H1.6V5H-1.6V1.6H-5V-1.6H-1.6Z",
    "place": "M-5,-2H5V2H-5Z",
    "command": "M-2.5,-2.5H2.5V2.5H-2.5Z",
}
_OTHER: Final = "M-3,-3H3V3H-3Z"


def mark(group: str, x: float, y: float, words: str | None = None) -> Markup:
    """The mark of a group at that place; `words` are shown to whoever points at it."""
    return el(
        "path",
        None if words is None else el("title", words),
        d=_SHAPES.get(group, _OTHER),
        transform=f"translate({x:.1f},{y:.1f})",
        class_=f"g-{group if group in _SHAPES else 'machine'}",
    )


def legend(groups: list[str], *more: Markup) -> Markup:
    """Which mark is which."""
    items = [el("li", _sample(mark(group, 7, 7)), GROUPS.get(group, group)) for group in groups]
    return el("ul", *items, *more, class_="legend")


def swatch(kind: str, words: str) -> Markup:
    """A line of the legend for what is drawn as a bar."""
    return el("li", _sample(el("rect", x=1, y=2, width=12, height=10, class_=kind)), words)


def _sample(drawn: Markup) -> Markup:
    return el("svg", drawn, width=14, height=14, viewBox="0 0 14 14", aria_hidden="true")
