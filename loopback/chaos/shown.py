"""The queue as the bot shows it: a page at a time, below it how many there are and what is repeated."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from loopback.chaos.line import OFF, QUEUE, TRACK, Line

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOPS: Final = {TRACK: "repeats the track", QUEUE: "repeats the queue"}
WAITS: Final = "`"
"""A row of a track that waits begins with its number, which stands between two of these."""
_TRACK: Final = re.compile(r"track-(\d+)")
_FOOT: Final = re.compile(r"^Page \d+ of (\d+) · (\d+) waiting", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: tracks by their numbers.

    :ivar current: the one that plays, if any
    :ivar waiting: those that wait and stand on this page
    :ivar pages: that there are; `total`: tracks that wait, on all of them
    """

    current: tuple[int, ...] = ()
    waiting: tuple[int, ...] = ()
    loop: str = OFF
    pages: int = 1
    total: int = 0


def named(text: str) -> int | None:
    """The first track that is named there."""
    found = _TRACK.search(text)
    return int(found[1]) if found else None


def read_page(text: str) -> Page:
    """What an answer to `queue` says."""
    current: list[int] = []
    waiting: list[int] = []
    for row in text.splitlines():
        if (track := named(row)) is not None:
            (waiting if row.startswith(WAITS) else current).append(track)
    foot = _FOOT.search(text)
    pages, total = map(int, foot.groups()) if foot else (1, len(waiting))
    loop = next((mode for mode, words in LOOPS.items() if words in text), OFF)
    return Page(tuple(current), tuple(waiting), loop, pages, total)


def whole(pages: Sequence[Page]) -> Line | None:
    """The queue on all its pages, in order; None if it has changed while they were turned."""
    first = pages[0]
    if any(replace(page, waiting=first.waiting) != first for page in pages):
        return None
    waiting = (number for page in pages for number in page.waiting)
    return Line((*first.current, *waiting), first.loop)
