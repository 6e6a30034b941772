"""Counts what is missing, doubled and out of order in a listing of places. Pure functions of arrays."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Places = NDArray[np.int64]

EDGE: Final = 2  # frames at either end of a track that its encoder may have cut or filled up


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """Figures of one track in frames; `in_order` is the share (0 to 1) of those asked for."""

    places: Places
    heard: int
    lost: int
    repeated: int
    out_of_order: int
    unread: int
    in_order: float


def filled(places: Places) -> Places:
    """Places that were not read (-1) are filled in where both neighbours leave only one possibility.

    At the edges of the listing up to EDGE frames are taken to follow on from what was read.
    """
    places = places.copy()
    known = np.flatnonzero(places >= 0)
    for left, right in pairwise(known):
        if right - left > 1 and places[right] - places[left] == right - left:
            places[left:right] = np.arange(places[left], places[right])
    if len(known):
        _fill_edges(places, int(known[0]), int(known[-1]))
    return places


def _fill_edges(places: Places, first: int, last: int) -> None:
    for index in range(first - 1, max(-1, first - 1 - EDGE), -1):
        places[index] = places[index + 1] - 1
    for index in range(last + 1, min(len(places), last + 1 + EDGE)):
        places[index] = places[index - 1] + 1


def judge(places: Places, expected: int | None, *, known: bool) -> Order:
    """Judge places in the order of arrival against 0, 1, 2 ... `expected` - 1 (None: up to the last heard).

    `known` says that a place of 0 is the track's own beginning, so that a missing beginning counts as lost.
    """
    read = places[places >= 0]
    unread = int((places < 0).sum())
    asked = int(read.max(initial=-1)) + 1 if expected is None else expected
    repeated, late, in_order = _walk(read, asked)
    first, last = (EDGE - 1 if known else 0), asked - (EDGE if expected is not None else 0)
    due = np.arange(first, last)
    missing = len(due) - len(np.intersect1d(due, read))
    share = min(1.0, in_order / max(1, last - first))
    return Order(places, len(np.unique(read)), missing, repeated, late, unread, share)


def _walk(read: Places, asked: int) -> tuple[int, int, int]:
    """Repeated frames, frames behind a later one, and asked frames that came after all earlier ones."""
    seen: set[int] = set()
    furthest, repeated, late, in_order = -1, 0, 0, 0
    for place in read.tolist():
        if place in seen:
            repeated += 1
        elif place < furthest:
            late += 1
        else:
            in_order += place < asked
        seen.add(place)
        furthest = max(furthest, place)
    return repeated, late, in_order
