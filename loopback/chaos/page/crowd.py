"""A long run in few elements: columns for faults, and of silences those that stand out.

A night over many servers has a hundred thousand faults; a browser, and a person, can take some thousands.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

from loopback.chaos.page.markup import Markup, el
from loopback.chaos.page.words import clock, count, kind_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from loopback.chaos.report import Fault, Gap

COLUMN: Final = 4.0
"""Pixels."""
_FULL: Final = 12
"""So many faults in a column, and more, are as dark as can be."""
_NAMED: Final = 4
MOST_DOTS: Final = 300
"""Of one kind of fault."""


def columns(faults: Iterable[Fault], x: Callable[[float], float], top: float, bottom: float) -> list[Markup]:
    """How many faults there were, where there were any.

    :param x: the place of a time
    """
    found: defaultdict[int, list[Fault]] = defaultdict(list)
    for fault in faults:
        found[int(x(fault.start_s) / COLUMN)].append(fault)
    return [
        el(
            "rect",
            el("title", _told(here)),
            x=number * COLUMN,
            y=top,
            width=COLUMN - 0.5,
            height=bottom - top,
            class_="crowd",
            fill_opacity=0.15 + 0.85 * min(len(here) / _FULL, 1.0),
        )
        for number, here in sorted(found.items())
    ]


def _told(faults: Sequence[Fault]) -> str:
    kinds = Counter(fault.kind for fault in faults).most_common()
    named = ", ".join(f"{number} {kind_words(kind)}" for kind, number in kinds[:_NAMED])
    more = f" and {count(len(kinds) - _NAMED, 'other kind')}" if len(kinds) > _NAMED else ""
    first, last = (clock(at([fault.start_s for fault in faults])) for at in (min, max))
    return f"{first} to {last}: {count(len(faults), 'fault')}: {named}{more}"


def longest(gaps: Iterable[Gap], x: Callable[[float], float]) -> list[Gap]:
    """The longest silence of each place, and all that were too long."""
    found: dict[int, Gap] = {}
    broken = []
    for gap in gaps:
        place = int(x(gap.start_s) / (COLUMN / 2))
        if not gap.ok:
            broken.append(gap)
        elif place not in found or gap.length_ms > found[place].length_ms:
            found[place] = gap
    return [*found.values(), *broken]


def spread(gaps: Sequence[Gap]) -> Sequence[Gap]:
    """As many as can be told apart: all that were too long, the longest, an even choice of the rest."""
    if len(gaps) <= MOST_DOTS:
        return gaps
    ranked = sorted(gaps, key=lambda gap: (gap.ok, -gap.length_ms))
    sure = max(MOST_DOTS // 3, sum(not gap.ok for gap in gaps))
    rest = ranked[sure:]
    step = -(-len(rest) // (MOST_DOTS * 2 // 3)) or 1
    return [*ranked[:sure], *rest[::step]]
