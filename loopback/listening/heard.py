"""Judges what a listener heard against what was asked for, track by track.

The order of the frames is judged by the best witness there is, and the report names it:

* `position code`: the project's own music says of every frame where in the track it stands;
* `reference`: another file is compared with what it decodes to (see reference.py);
* `RTP sequence`: nothing is known of the music, so only the order of the packets can be vouched for.

Needs numpy (the `demo` extra).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Final

import numpy as np

from loopback.listening.ear import Decoder
from loopback.listening.order import Order, filled, judge
from loopback.listening.reference import match
from loopback.listening.report import by_session, unwrapped
from loopback.music.position import FRAME, read_positions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from loopback.listening.listener import Frame

    Pcm = NDArray[np.int16]

FRAME_MS: Final = 20.0
LEAST_IN_ORDER: Final = 0.99
LONGEST_GAP_MS: Final = 60.0

BY_CODE, BY_REFERENCE, BY_RTP = "position code", "reference", "RTP sequence"


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A track that was asked for: `seconds` of it from its beginning (None: to its end, which is not known).

    `number` is its track in the position code; a track without one may have a `reference`: what the file
    decodes to, 48 kHz, shape (samples, 2). `follows_on`: no pause is due between it and the one before.
    """

    title: str
    seconds: float | None
    number: int | None = None
    reference: Pcm | None = None
    follows_on: bool = False


@dataclass(frozen=True, slots=True)
class TrackReport:
    """What was heard of one track. Times in s and ms, counts in frames of 20 ms.

    `lost` were never heard, `repeated` were heard again, `out_of_order` came after later ones; `unread`
    arrived but did not say where they belong. `gap_before_ms` is the time since the last frame of the track
    before. `end_to_end`: each frame was encrypted end to end, and the listener had the keys.
    """

    track: str
    seconds_heard: float
    longest_gap_ms: float
    lost: int
    repeated: int
    out_of_order: int
    seconds_asked: float | None
    in_order: float
    undecodable: int
    unread: int
    gap_before_ms: float | None
    judged_by: str
    end_to_end: bool
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it was heard as the demo promises: in order, complete, without a gap."""
        return not self.problems


@dataclass(frozen=True, slots=True, eq=False)
class Hearing:
    """Everything that is known of what was heard: the sound of each frame, and whose it is.

    `sound` has shape (frames, 960, 2), `owner` the index of the asked track of each frame or -1, `position`
    its place in the track in frames or -1; `at_s` is the arrival, seconds after the first frame.
    """

    frames: Sequence[Frame]
    sound: Pcm
    at_s: NDArray[np.float64]
    owner: NDArray[np.int64]
    position: NDArray[np.int64]
    reports: list[TrackReport] = field(default_factory=list)


def hear(frames: Sequence[Frame], asked: Sequence[Asked]) -> Hearing:
    """Decode, read and judge the frames in the order of their arrival.

    At most one of the tracks may be without a position code: it owns all that is not silent and not coded.
    """
    sound = decode_each(frames)
    arrivals = np.array([frame.arrival_ns for frame in frames], dtype=np.int64)
    at_s = (arrivals - arrivals[:1]) / 1e9
    audible = np.array([_is_music(frame) for frame in frames], dtype=bool)
    owner, position = _whose(sound, audible, asked)
    for index, track in enumerate(asked):
        if track.number is None:
            position[owner == index] = _place(frames, sound, np.flatnonzero(owner == index), track)
    hearing = Hearing(frames, sound, at_s, owner, position)
    hearing.reports.extend(_report(hearing, index, track) for index, track in enumerate(asked))
    return hearing


def decode_each(frames: Sequence[Frame]) -> Pcm:
    """The sound of each frame, shape (frames, 960, 2), decoded in RTP's order; silent if it cannot be."""
    sound = np.zeros((len(frames), FRAME, 2), dtype=np.int16)
    at = {id(frame): index for index, frame in enumerate(frames)}
    for session in by_session(frames):
        decoder = Decoder()
        for _, frame in sorted(zip(unwrapped(session), session, strict=True), key=itemgetter(0)):
            pcm = decoder.decode(frame.opus) if frame.opus is not None else None
            if pcm is not None:
                sound[at[id(frame)], : len(pcm)] = pcm[:FRAME]
    return sound


def _is_music(frame: Frame) -> bool:
    return frame.opus is not None and not frame.silence


def _whose(
    sound: Pcm, audible: NDArray[np.bool_], asked: Sequence[Asked]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The owner of each frame and, by position code, its place; unread ones go with their neighbours."""
    positions = read_positions(sound.reshape(-1, 2))
    numbers = positions.frames()
    owner = np.full(len(sound), -1, dtype=np.int64)
    for index, track in enumerate(asked):
        if track.number is not None:
            owner[_span(positions.track == track.number) & audible & (owner < 0)] = index
    position = np.where(owner >= 0, numbers, -1)
    for index, track in enumerate(asked):
        if track.number is None:
            rest = audible & (owner < 0)
            owner[_longest_run(rest, owner >= 0)] = index
    return owner, position


def _span(mine: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """From the first to the last frame that is certainly of a track."""
    found = np.flatnonzero(mine)
    span = np.zeros(len(mine), dtype=bool)
    if len(found):
        span[max(0, found[0] - 1) : found[-1] + 2] = True
    return span


def _longest_run(candidates: NDArray[np.bool_], taken: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The candidates in that stretch between taken frames which has most of them."""
    stretch = np.cumsum(np.diff(taken.astype(np.int8), prepend=0) != 0)
    if not candidates.any():
        return np.zeros(0, dtype=np.int64)
    richest = np.bincount(stretch[candidates]).argmax()
    return np.flatnonzero(candidates & (stretch == richest))


def _place(frames: Sequence[Frame], sound: Pcm, mine: NDArray[np.int64], track: Asked) -> NDArray[np.int64]:
    """Places of a track's frames without a position code: by the reference, else by the RTP sequence."""
    if track.reference is not None and len(mine):
        return match(sound[mine], track.reference)
    numbers: dict[int, int] = {}
    offset = 0
    for session in by_session([frames[index] for index in mine]):
        sequence = np.array(unwrapped(session))
        for frame, number in zip(session, sequence - sequence.min() + offset, strict=True):
            numbers[id(frame)] = int(number)
        offset = max(numbers.values()) + 1
    return np.array([numbers[id(frames[index])] for index in mine], dtype=np.int64)


def _report(hearing: Hearing, index: int, track: Asked) -> TrackReport:
    mine = np.flatnonzero(hearing.owner == index)
    judged_by = BY_CODE if track.number is not None else BY_RTP if track.reference is None else BY_REFERENCE
    expected = None if track.seconds is None else int(track.seconds * 1000 / FRAME_MS + 0.5)
    order = judge(filled(hearing.position[mine]), expected, known=judged_by != BY_RTP)
    arrivals = hearing.at_s[_within(mine, order, expected)]
    gap_ms = float(np.diff(arrivals).max() * 1000) if len(arrivals) > 1 else 0.0
    gap_before_ms = _gap_before_ms(hearing, mine)
    problems = _problems(order, max(gap_ms, gap_before_ms or 0.0) if track.follows_on else gap_ms)
    return TrackReport(
        track=track.title,
        seconds_heard=round(order.heard * FRAME_MS / 1000, 2),
        longest_gap_ms=round(gap_ms, 1),
        lost=order.lost,
        repeated=order.repeated,
        out_of_order=order.out_of_order,
        seconds_asked=None if track.seconds is None else round(track.seconds, 2),
        in_order=round(order.in_order, 4),
        undecodable=_undecodable(hearing, mine),
        unread=order.unread,
        gap_before_ms=gap_before_ms,
        judged_by=judged_by,
        end_to_end=bool(len(mine)) and all(hearing.frames[int(at)].encrypted for at in mine),
        problems=problems,
    )


def _within(mine: NDArray[np.int64], order: Order, expected: int | None) -> NDArray[np.int64]:
    """The frames up to the end of what was asked for: a gap behind it is nobody's."""
    asked = np.flatnonzero(order.places < expected) if expected is not None else mine
    return mine if expected is None or not len(asked) else mine[: int(asked[-1]) + 1]


def _problems(order: Order, gap_ms: float) -> tuple[str, ...]:
    found = []
    if order.heard == 0:
        return ("nothing of it was heard",)
    if order.in_order < LEAST_IN_ORDER:
        found.append(f"only {order.in_order:.1%} was heard in order")
    if order.lost:
        found.append(f"{order.lost} frames were lost")
    if gap_ms > LONGEST_GAP_MS:
        found.append(f"a gap of {gap_ms:.0f} ms")
    return tuple(found)


def _undecodable(hearing: Hearing, mine: NDArray[np.int64]) -> int:
    if not len(mine):
        return 0
    return sum(frame.opus is None for frame in hearing.frames[mine[0] : mine[-1] + 1])


def _gap_before_ms(hearing: Hearing, mine: NDArray[np.int64]) -> float | None:
    before = np.flatnonzero(hearing.owner[: mine[0]] >= 0) if len(mine) else mine
    if not len(before):
        return None
    return round(float(hearing.at_s[mine[0]] - hearing.at_s[before[-1]]) * 1000, 1)
