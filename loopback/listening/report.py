"""Figures about recorded frames: gaps, losses, repeats, order, timing. Pure functions of a list of frames.

Frames of one session key belong together (``Frame.session``); sequence numbers, timestamps and nonces are
never compared across keys. Times are the operating system's arrival times.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from loopback.voice.rtp import SEQUENCE_MODULUS, TIMESTAMP_MODULUS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from loopback.listening.listener import Frame

FRAME_NS = 20_000_000
BURST_WINDOW_NS = 10_000_000


@dataclass(frozen=True, slots=True)
class TimingError:
    """Percentiles of the inter-arrival error in ms; all 0 without a pair of neighbouring frames."""

    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class Report:
    """What the frames amount to; each field is the value of the function of that name."""

    frames: int
    sessions: int
    silence: int
    undecryptable: int
    duration_s: float
    longest_gap_ms: float
    lost: int
    repeated: int
    reused_nonces: int
    out_of_order: int
    largest_burst: int
    timing: TimingError
    timestamp_steps: dict[int, int]


def report(frames: Sequence[Frame]) -> Report:
    """All figures of ``frames``, which stand in the order of their arrival."""
    return Report(
        frames=len(frames),
        sessions=len(by_session(frames)),
        silence=sum(frame.silence for frame in frames),
        undecryptable=sum(frame.opus is None for frame in frames),
        duration_s=(frames[-1].arrival_ns - frames[0].arrival_ns) / 1e9 if frames else 0.0,
        longest_gap_ms=longest_gap_ms(frames),
        lost=lost(frames),
        repeated=repeated(frames),
        reused_nonces=reused_nonces(frames),
        out_of_order=out_of_order(frames),
        largest_burst=largest_burst(frames),
        timing=timing_error(frames),
        timestamp_steps=timestamp_steps(frames),
    )


def by_session(frames: Iterable[Frame]) -> list[list[Frame]]:
    """The frames of each session key and ssrc, in the order of arrival."""
    groups: dict[tuple[int, int], list[Frame]] = {}
    for frame in frames:
        groups.setdefault((frame.session, frame.ssrc), []).append(frame)
    return list(groups.values())


def unwrapped(frames: Sequence[Frame]) -> list[int]:
    """The sequence numbers of one session without the wrap at 16 bits: each nearest to the one before."""
    numbers: list[int] = []
    for frame in frames:
        before = numbers[-1] if numbers else frame.sequence
        half = SEQUENCE_MODULUS // 2
        numbers.append(before + (frame.sequence - before + half) % SEQUENCE_MODULUS - half)
    return numbers


def longest_gap_ms(frames: Sequence[Frame]) -> float:
    """The longest time between two frames in the order of arrival, pauses and new sessions included, ms."""
    return max((b.arrival_ns - a.arrival_ns for a, b in pairwise(frames)), default=0) / 1e6


def lost(frames: Sequence[Frame]) -> int:
    """Sequence numbers that never arrived between the first and the last of each session."""
    return sum(_holes(unwrapped(session)) for session in by_session(frames))


def repeated(frames: Sequence[Frame]) -> int:
    """Frames whose sequence number had arrived before in its session."""
    return sum(len(session) - len(set(unwrapped(session))) for session in by_session(frames))


def reused_nonces(frames: Sequence[Frame]) -> int:
    """Frames whose nonce was used before under the same key: with AES-GCM that breaks the encryption."""
    counted = [frame for frame in frames if frame.opus is not None]
    return len(counted) - len({(frame.session, frame.nonce) for frame in counted})


def out_of_order(frames: Sequence[Frame]) -> int:
    """Frames that arrived after one with a higher sequence number of the same session."""
    count = 0
    for session in by_session(frames):
        highest: int | None = None
        for number in unwrapped(session):
            count += highest is not None and number < highest
            highest = number if highest is None else max(highest, number)
    return count


def largest_burst(frames: Sequence[Frame], window_ns: int = BURST_WINDOW_NS) -> int:
    """The most frames that arrived within ``window_ns`` (default 10 ms)."""
    arrivals = sorted(frame.arrival_ns for frame in frames)
    largest = start = 0
    for end, arrival in enumerate(arrivals):
        while arrival - arrivals[start] >= window_ns:
            start += 1
        largest = max(largest, end - start + 1)
    return largest


def inter_arrival_errors_ms(frames: Sequence[Frame]) -> list[float]:
    """How far each neighbouring pair of a session is from its due distance, absolute, ms.

    Due are 20 ms for each step of the sequence number: a lost frame is no timing error, a pause is one.
    """
    errors: list[float] = []
    for session in by_session(frames):
        for (before, a), (number, b) in pairwise(zip(unwrapped(session), session, strict=True)):
            if number > before:
                errors.append(abs(b.arrival_ns - a.arrival_ns - FRAME_NS * (number - before)) / 1e6)
    return errors


def timing_error(frames: Sequence[Frame]) -> TimingError:
    """Percentiles of :func:`inter_arrival_errors_ms`, by nearest rank."""
    errors = sorted(inter_arrival_errors_ms(frames))
    if not errors:
        return TimingError(0.0, 0.0, 0.0, 0.0)
    p50, p90, p99 = (errors[_nearest_rank(len(errors), percent)] for percent in (50, 90, 99))
    return TimingError(p50, p90, p99, errors[-1])


def timestamp_steps(frames: Sequence[Frame]) -> dict[int, int]:
    """How often each step of the RTP timestamp (samples at 48 kHz) stands between successive numbers."""
    steps: Counter[int] = Counter()
    for session in by_session(frames):
        for (before, a), (number, b) in pairwise(zip(unwrapped(session), session, strict=True)):
            if number == before + 1:
                steps[(b.timestamp - a.timestamp) % TIMESTAMP_MODULUS] += 1
    return dict(steps)


def silence_runs(frames: Iterable[Frame]) -> list[int]:
    """The lengths of the runs of silence frames, in frames: five stand at the end of each spurt of talk."""
    return [sum(1 for _ in run) for silent, run in groupby(frames, lambda frame: frame.silence) if silent]


def _holes(numbers: list[int]) -> int:
    return max(numbers) - min(numbers) + 1 - len(set(numbers))


def _nearest_rank(count: int, percent: int) -> int:
    return -(-count * percent // 100) - 1
