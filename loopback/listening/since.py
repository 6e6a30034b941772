"""What was heard since a moment, in one small report: the judge of every single fault.

mark = guild.listener.mark()
discord.faults.of(guild).voice.close(4006)
await guild.listener.wait_frames(guild.listener.heard + 100, timeout_s=10)
heard = heard_since(guild.listener, mark)
assert heard.longest_gap_ms <= 150 and heard.lost == 0
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from loopback.listening.places import NOWHERE, Place, by_position_code
from loopback.listening.report import reused_nonces
from loopback.voice.rtp import FRAME_SAMPLES, SEQUENCE_MODULUS, TIMESTAMP_MODULUS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from loopback.listening.listener import Frame, Listener, Mark
    from loopback.listening.places import Places

NEAR = 2
"""Frames before a known one that are taken to lead up to it: a decoder needs some to find its feet."""


class Interval(Protocol):
    """A stretch of time, CLOCK_REALTIME in ns; `ended_ns` None = it still lasts. Faults are such."""

    @property
    def began_ns(self) -> int: ...

    @property
    def ended_ns(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class GapReport:
    """Counts in frames of 20 ms, times in ms. It begins with the last frame of music before the mark, and
    with the last packet of any kind.

    - `longest_gap_ms`: between two frames of music, by arrival; `beyond_ms`: the same without the forced
      holes; `open_ms`: from the last one to the moment of this report.
    - `lost` never came, `repeated` came again, `out_of_order` came after a later one. `unread` do not say
      where they belong: next to a frame that does they are taken to lead up to it, others count as lost.
    - `sessions` is the number of session keys; `ssrc_changes`, `sequence_breaks` and `timestamp_breaks` count
      neighbouring packets, across sessions too, that do not follow on from each other.
    """

    frames: int
    longest_gap_ms: float
    beyond_ms: float
    open_ms: float
    lost: int
    repeated: int
    out_of_order: int
    unread: int
    undecryptable: int
    sessions: int
    ssrc_changes: int
    sequence_breaks: int
    timestamp_breaks: int
    reused_nonces: int

    @property
    def contiguous(self) -> bool:
        """Whether RTP went on as if nothing had happened: one SSRC, no step in numbers or timestamps."""
        return self.ssrc_changes == self.sequence_breaks == self.timestamp_breaks == 0

    @property
    def whole(self) -> bool:
        """Whether all of the music came, once and in order."""
        return self.lost == self.repeated == self.out_of_order == 0


def heard_since(
    listener: Listener, mark: Mark, *, holes: Iterable[Interval] = (), places: Places = by_position_code
) -> GapReport:
    """Report on what has arrived since the mark. `places` reads where a frame belongs.

    `holes` are forced by the test itself, such as `discord.faults.log.of(guild.id, FaultKind.UDP_HOLE)`.
    """
    now_ns = time.time_ns()
    first = max(0, mark.frames - listener.forgotten)
    packets = listener.frames[max(0, first - 1) :]
    before = next((one for one in reversed(listener.frames[:first]) if _is_music(one)), None)
    music = [one for one in (before, *listener.frames[first:]) if one is not None and _is_music(one)]
    read = places(music)
    lost, repeated, out_of_order = _order(_settled(read))
    return GapReport(
        frames=len(music) - (before is not None),
        longest_gap_ms=longest_gap_ms(music),
        beyond_ms=longest_gap_ms(music, holes, now_ns),
        open_ms=(now_ns - music[-1].arrival_ns) / 1e6 if music else float("inf"),
        lost=lost,
        repeated=repeated,
        out_of_order=out_of_order,
        unread=read.count(NOWHERE),
        undecryptable=sum(one.opus is None for one in packets),
        sessions=len({one.session for one in packets}),
        ssrc_changes=sum(a.ssrc != b.ssrc for a, b in pairwise(packets)),
        sequence_breaks=sum((b.sequence - a.sequence) % SEQUENCE_MODULUS != 1 for a, b in pairwise(packets)),
        timestamp_breaks=sum(
            (b.timestamp - a.timestamp) % TIMESTAMP_MODULUS != FRAME_SAMPLES for a, b in pairwise(packets)
        ),
        reused_nonces=reused_nonces(packets),
    )


def longest_gap_ms(frames: Sequence[Frame], holes: Iterable[Interval] = (), now_ns: int = 0) -> float:
    """The longest time between neighbouring frames, ms, without what lies in one of the holes.

    Holes must not overlap each other; one that still lasts ends at `now_ns`.
    """
    forced = [(one.began_ns, now_ns if one.ended_ns is None else one.ended_ns) for one in holes]
    gaps = (
        b.arrival_ns
        - a.arrival_ns
        - sum(max(0, min(b.arrival_ns, end) - max(a.arrival_ns, start)) for start, end in forced)
        for a, b in pairwise(frames)
    )
    return max(gaps, default=0) / 1e6


def _is_music(frame: Frame) -> bool:
    return frame.opus is not None and not frame.silence


def _settled(read: Sequence[Place]) -> list[Place]:
    """Frames that were not read get the place that leads up to the next one that was, if that is near."""
    settled = list(read)
    for index in range(len(settled) - 2, -1, -1):
        track, number = settled[index + 1]
        near = any(place != NOWHERE for place in read[index + 1 : index + 1 + NEAR])
        if settled[index] == NOWHERE and near and number > 0:
            settled[index] = track, number - 1
    return settled


def _order(places: Iterable[Place]) -> tuple[int, int, int]:
    """How many frames are lost, repeated and out of order, track by track."""
    tracks: dict[int, list[int]] = defaultdict(list)
    for track, number in places:
        if (track, number) != NOWHERE:
            tracks[track].append(number)
    lost = repeated = late = 0
    for numbers in tracks.values():
        lost += max(numbers) - min(numbers) + 1 - len(set(numbers))
        repeated += len(numbers) - len(set(numbers))
        late += _late(numbers)
    return lost, repeated, late


def _late(numbers: Sequence[int]) -> int:
    """Frames that came for the first time, but after a later one."""
    seen: set[int] = set()
    furthest, late = numbers[0], 0
    for number in numbers:
        late += number < furthest and number not in seen
        furthest = max(furthest, number)
        seen.add(number)
    return late
