"""How many frames were due, and how many of them came, outside of the times at which none need be heard.

Within a forced hole, its bound included, nothing counts. A silence that is excused, as by what the machine
was late, makes as many frames fewer due as are missing around it: who was late and then makes up for it has
lost nothing, and does not have that to spare for other losses.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from loopback.chaos.hearing import Hearing, RawGap
    from loopback.chaos.ledger import Entry

FRAME_NS: Final = 20_000_000
CAUGHT_UP_NS: Final = 250_000_000
"""Who makes up for being late has done so by then: at twice the pace for a quarter of a second of music."""


def share(
    hearing: Hearing,
    span_ns: tuple[int, int],
    mine: Sequence[Entry],
    silences: Iterable[tuple[RawGap, float]],
) -> tuple[int, int]:
    """Frames that were heard, and that were due.

    :param span_ns: what counts, from and to
    :param mine: what was done there
    :param silences: each with what of it is excused, ms
    """
    begin, end = span_ns
    holes = merged((one.start_ns, _over_ns(one, end)) for one in mine)
    counted = _Counted(hearing, holes, list(_eaten(hearing, mine, end)))
    excused_ns = sum(counted.not_due_ns(near) for near in _near_each_other(silences))
    heard = counted.heard(begin, end)
    due = round((counted.length_ns(begin, end) - excused_ns) / FRAME_NS) - counted.eaten(begin, end)
    return min(heard, due), due


@dataclass(frozen=True, slots=True)
class _Counted:
    """The time outside of forced holes.

    :ivar holes: in their order, none of which meets another
    :ivar eaten_ns: when the network has lost a frame
    """

    hearing: Hearing
    holes: Sequence[tuple[int, int]]
    eaten_ns: Sequence[int]

    def length_ns(self, start_ns: int, end_ns: int) -> int:
        """Of this time, what counts."""
        return end_ns - start_ns - sum(b - a for a, b in self._holes(start_ns, end_ns))

    def heard(self, start_ns: int, end_ns: int) -> int:
        """Frames that came then; the end is not part of it."""
        between = self.hearing.between
        return between(start_ns, end_ns - 1) - sum(
            between(a, b - 1) for a, b in self._holes(start_ns, end_ns)
        )

    def eaten(self, start_ns: int, end_ns: int) -> int:
        """Frames that the network lost then."""
        lost = [at for at in self.eaten_ns if start_ns <= at < end_ns]
        return len(lost) - sum(a <= at < b for at in lost for a, b in self._holes(start_ns, end_ns))

    def not_due_ns(self, near: Sequence[tuple[RawGap, float]]) -> int:
        """What is excused of silences near each other: no more than is missing around them.

        A frame lasts 20 ms: a silence begins after these, where the next one is missing.
        """
        start_ns, end_ns = near[0][0].start_ns - CAUGHT_UP_NS, near[-1][0].end_ns + CAUGHT_UP_NS
        came = self.heard(start_ns, end_ns) + self.eaten(start_ns, end_ns)
        missing_ns = self.length_ns(start_ns, end_ns) - came * FRAME_NS
        excused_ns = sum(
            min(int(ms * 1e6), max(0, self.length_ns(raw.start_ns + FRAME_NS, raw.end_ns)))
            for raw, ms in near
        )
        return max(0, min(missing_ns, excused_ns))

    def _holes(self, start_ns: int, end_ns: int) -> Iterator[tuple[int, int]]:
        """What of them is in this time."""
        first = max(0, bisect_right(self.holes, (start_ns, 0)) - 1)
        last = bisect_left(self.holes, (end_ns, 0))
        clipped = ((max(start_ns, a), min(end_ns, b)) for a, b in self.holes[first:last])
        return ((a, b) for a, b in clipped if a < b)


def _near_each_other(silences: Iterable[tuple[RawGap, float]]) -> list[list[tuple[RawGap, float]]]:
    """Those of which something is excused, with those that one of them may make up for."""
    groups: list[list[tuple[RawGap, float]]] = []
    for raw, ms in silences:
        if ms <= 0:
            continue
        if groups and raw.start_ns - groups[-1][-1][0].end_ns <= 2 * CAUGHT_UP_NS:
            groups[-1].append((raw, ms))
        else:
            groups.append([(raw, ms)])
    return groups


def _over_ns(entry: Entry, end_ns: int) -> int:
    """The end of a forced hole: what was forced, and the bound."""
    begun_ns = (end_ns if entry.end_ns is None else entry.end_ns) if entry.cost.forced else entry.start_ns
    return begun_ns + int(entry.cost.bound_ms * 1e6)


def _eaten(hearing: Hearing, mine: Iterable[Entry], end_ns: int) -> Iterator[int]:
    """When the network has lost frames, each."""
    lossy = [(one.start_ns, one.until_ns(end_ns)) for one in mine if one.cost.eats]
    for slip in hearing.slips:
        if any(a <= slip.at_ns <= b for a, b in lossy):
            yield from [slip.at_ns] * slip.lost


def merged(intervals: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same time, in intervals that do not meet."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def covered_ns(start_ns: int, end_ns: int, intervals: Iterable[tuple[int, int]]) -> int:
    """How much of an interval is in any of the others."""
    return sum(max(0, min(end_ns, b) - max(start_ns, a)) for a, b in merged(intervals))
