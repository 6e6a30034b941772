"""The listener's memory and waits, and the figures about what it recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given, strategies as st

from loopback.listening.listener import SILENCE_FRAME, Frame, Listener, NoteKind, SocketHealth
from loopback.listening.report import (
    TimingError,
    largest_burst,
    longest_gap_ms,
    lost,
    out_of_order,
    repeated,
    report,
    reused_nonces,
    silence_runs,
    timestamp_steps,
    timing_error,
)

if TYPE_CHECKING:
    import random

MS = 1_000_000


def frame(
    number: int,
    *,
    at_ms: float | None = None,
    session: int = 1,
    nonce: int | None = None,
    opus: bytes | None = b"x",
) -> Frame:
    """Frame ``number`` of a stream that is sent every 20 ms and wraps as RTP does."""
    return Frame(
        arrival_ns=int((number * 20 if at_ms is None else at_ms) * MS),
        sequence=number % 65536,
        timestamp=number * 960 % 2**32,
        ssrc=session,
        nonce=number if nonce is None else nonce,
        opus=opus,
        silence=opus == SILENCE_FRAME,
        session=session,
    )


def stream(numbers: list[int]) -> list[Frame]:
    """Frames that arrive in this order, 20 ms apart."""
    return [frame(number, at_ms=at * 20) for at, number in enumerate(numbers)]


def test_an_undisturbed_stream_has_nothing_to_report() -> None:
    told = report(stream(list(range(65_500, 65_600))))

    assert (told.frames, told.sessions, told.duration_s) == (100, 1, 1.98)
    assert (told.lost, told.repeated, told.out_of_order, told.reused_nonces) == (0, 0, 0, 0)
    assert told.longest_gap_ms == 20.0
    assert told.largest_burst == 1
    assert told.timing == TimingError(0, 0, 0, 0)
    assert told.timestamp_steps == {960: 99}


def test_an_empty_recording_has_nothing_to_report() -> None:
    told = report([])

    assert told.frames == 0
    assert told.longest_gap_ms == 0
    assert told.timestamp_steps == {}


@given(
    start=st.integers(0, 65_535),
    kept=st.sets(st.integers(1, 300), max_size=300),
    shuffled=st.randoms(use_true_random=False),
)
def test_lost_are_the_holes_whatever_the_order(start: int, kept: set[int], shuffled: random.Random) -> None:
    numbers = [start, *(start + number for number in kept)]
    shuffled.shuffle(numbers)

    assert lost(stream(numbers)) == max(numbers) - min(numbers) + 1 - len(numbers)
    assert repeated(stream(numbers)) == 0


@given(st.lists(st.integers(0, 50), min_size=1))
def test_repeated_are_the_sequence_numbers_heard_before(numbers: list[int]) -> None:
    assert repeated(stream(numbers)) == len(numbers) - len(set(numbers))


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [([1, 2, 3], 0), ([1, 3, 2, 4], 1), ([3, 1, 2], 2), ([65_535, 65_537, 65_536], 1)],
)
def test_out_of_order_are_those_that_were_overtaken(numbers: list[int], expected: int) -> None:
    assert out_of_order(stream(numbers)) == expected


def test_sessions_are_not_compared_with_each_other() -> None:
    frames = [*stream([10, 11, 12]), *(frame(number, session=2, nonce=10) for number in (11, 12))]

    assert lost(frames) == repeated(frames) == 0
    assert reused_nonces(frames) == 1


def test_a_nonce_used_twice_under_a_key_is_reported() -> None:
    assert reused_nonces([frame(1, nonce=7), frame(2, nonce=7), frame(3, nonce=8)]) == 1


def test_the_longest_gap_counts_pauses_and_new_sessions() -> None:
    frames = [frame(0), frame(1), frame(0, session=2, at_ms=500), frame(1, session=2, at_ms=520)]

    assert longest_gap_ms(frames) == 480.0


@pytest.mark.parametrize(
    ("arrivals_ms", "expected"),
    [([], 0), ([0], 1), ([0, 10, 20], 1), ([0, 9.999, 10], 2), ([0, 1, 2, 3, 50], 4), ([0, 6, 9, 12, 15], 4)],
)
def test_a_burst_is_what_comes_within_ten_milliseconds(arrivals_ms: list[float], expected: int) -> None:
    frames = [frame(number, at_ms=at) for number, at in enumerate(arrivals_ms)]

    assert largest_burst(frames) == expected


def test_timing_errors_are_measured_from_the_due_distance() -> None:
    arrivals = [0.0, 20.0, 41.0, 60.0]

    timing = timing_error([frame(number, at_ms=at) for number, at in enumerate(arrivals)])

    assert timing == TimingError(p50_ms=1.0, p90_ms=1.0, p99_ms=1.0, max_ms=1.0)


def test_a_lost_frame_is_no_timing_error() -> None:
    assert timing_error([frame(0), frame(1), frame(3)]).max_ms == 0


def test_a_wrong_timestamp_step_shows() -> None:
    odd = Frame(60 * MS, sequence=3, timestamp=5000, ssrc=1, nonce=3, opus=b"x", silence=False, session=1)

    assert timestamp_steps([frame(1), frame(2), odd]) == {960: 1, 5000 - 2 * 960: 1}


def test_silence_runs_are_counted_one_by_one() -> None:
    kinds = "mmsssssmmsm"
    frames = [frame(at, opus=SILENCE_FRAME if kind == "s" else b"x") for at, kind in enumerate(kinds)]

    assert silence_runs(frames) == [5, 1]


def test_the_limit_keeps_the_newest_and_counts_the_rest() -> None:
    listener = Listener(1, limit=10)

    for number in range(1000):
        listener.record(frame(number))
        listener.note(NoteKind.SPEAKING, str(number))

    assert 10 <= len(listener.frames) <= 20
    assert listener.frames[-1].sequence == 999
    assert listener.forgotten + len(listener.frames) == listener.heard == 1000
    assert 10 <= len(listener.notes) <= 20


def test_clear_forgets_frames_and_notes() -> None:
    listener = Listener(1)
    listener.record(frame(0))
    listener.note(NoteKind.SPEAKING)

    listener.clear()

    assert (listener.frames, listener.notes, listener.heard) == ([], [], 0)


def test_the_listener_shows_the_health_of_its_socket() -> None:
    health = SocketHealth(kernel_timestamps=False, kernel_drops=None)
    listener = Listener(1, health=health)

    assert listener.kernel_drops is None
    assert not listener.kernel_timestamps
    health.kernel_drops = 3
    assert listener.kernel_drops == 3


@pytest.mark.anyio
async def test_wait_frames_ends_with_the_frame_it_waits_for() -> None:
    listener = Listener(1)
    heard: list[int] = []

    async def wait() -> None:
        heard.append(len(await listener.wait_frames(3, timeout_s=5)))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        listener.record(frame(0))
        listener.record(frame(1, opus=None))
        listener.record(frame(2))
        await anyio.wait_all_tasks_blocked()
        assert heard == [], "an undecryptable frame was counted as heard"
        listener.record(frame(3))

    assert heard == [4]


@pytest.mark.anyio
async def test_waits_that_fail_say_what_was_missing() -> None:
    listener = Listener(42)
    listener.record(frame(0))

    with pytest.raises(TimeoutError, match=r"guild 42: 1 of 2 frames heard within 0\.01 s"):
        await listener.wait_frames(2, timeout_s=0.01)
    with pytest.raises(TimeoutError, match="notes of resumed"):
        await listener.wait_note(NoteKind.RESUMED, timeout_s=0.01)


@pytest.mark.anyio
async def test_wait_note_returns_the_note() -> None:
    listener = Listener(1)

    async def say() -> None:
        listener.note(NoteKind.SPEAKING, "1")
        listener.note(NoteKind.SPEAKING, "0")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(say)
        note = await listener.wait_note(NoteKind.SPEAKING, timeout_s=5, n=2)

    assert note.detail == "0"
