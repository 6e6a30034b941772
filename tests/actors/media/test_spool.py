"""Spools and their cursors."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from actors.media import ErrorKind, MediaError, Spool, Track
from actors.media.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.anyio

TRACK = Track("https://example.com/a", "A", 1)


def filler(spool: Spool, **limits: int) -> Sink:
    """A sink as a worker has it, that reports straight to the spool."""

    def report(message: dict[str, Any]) -> None:
        spool.grow(message["frames"], message["bytes"], message["marks"])

    bounds = {"max_frames": 1 << 20, "max_bytes": 1 << 30, **limits}
    return Sink(spool.fd, report, frames=spool.frames, size=spool.bytes, **bounds)


def frame(number: int) -> bytes:
    return number.to_bytes(4) * (1 + number % 97)


def fill(sink: Sink, frames: int) -> None:
    for _ in range(frames):
        sink.append(b"1234")
    sink.flush()


def drained(next_frame: Callable[[], bytes | None]) -> list[bytes]:
    return list(iter(next_frame, None))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(count=st.integers(0, 400), at=st.integers(0, 420), seek=st.integers(0, 420), cut=st.integers(0, 400))
def test_a_cursor_reads_from_any_frame_what_was_written(
    tmp_path: Path, count: int, at: int, seek: int, cut: int
) -> None:
    spool = Spool(TRACK, tmp_path)
    frames = [frame(number) for number in range(count)]
    for part in (frames[:cut], frames[cut:]):  # a second worker goes on where the first ended
        sink = filler(spool)
        for payload in part:
            sink.append(payload)
        sink.flush()
    cursor = spool.cursor(at)
    assert drained(cursor.next_frame) == frames[at:]
    cursor.seek(seek)
    assert drained(cursor.next_frame) == frames[seek:]
    spool.close()


def test_a_cursor_sees_frames_as_they_come_and_then_the_end(tmp_path: Path) -> None:
    spool = Spool(TRACK, tmp_path)
    cursor, sink = spool.cursor(), filler(spool)
    assert (cursor.next_frame(), cursor.ended) == (None, False)
    sink.append(b"one")
    sink.flush()
    assert (cursor.next_frame(), cursor.next_frame(), cursor.ended) == (b"one", None, False)
    spool.finish(None)
    assert (cursor.next_frame(), cursor.ended, spool.complete) == (None, True, True)
    spool.close()


def test_what_is_written_but_not_reported_is_not_read(tmp_path: Path) -> None:
    spool = Spool(TRACK, tmp_path)
    os.pwrite(spool.fd, b"\x00\x05half", 0)
    assert spool.cursor().next_frame() is None
    spool.close()


async def test_closing_ends_cursors_and_waiters_and_leaves_no_file(tmp_path: Path) -> None:
    spool = Spool(TRACK, tmp_path)
    fd, cursor = spool.fd, spool.cursor()
    sink = filler(spool)
    fill(sink, 3)
    sink.flush()
    assert cursor.next_frame() is not None
    await spool.aclose()
    await spool.aclose()
    assert (cursor.next_frame(), cursor.ended) == (None, True)
    with pytest.raises(MediaError) as caught:
        await spool.wait_ready()
    assert caught.value.kind is ErrorKind.CANCELLED
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - names only


async def test_waiting_ends_with_enough_frames_or_all_or_an_error(tmp_path: Path) -> None:
    spool = Spool(TRACK, tmp_path)
    sink = filler(spool)

    async def fill() -> None:
        for number in range(60):
            sink.append(frame(number))
            await anyio.lowlevel.checkpoint()
        sink.flush()
        spool.finish(MediaError(ErrorKind.UNAVAILABLE, "lost"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fill)
        await spool.wait_ready(50)
        assert spool.frames >= 50
    await spool.wait_ready(60)
    with pytest.raises(MediaError, match="lost"):
        await spool.wait_ready(61)
    spool.close()


def test_a_sink_is_bounded_in_frames_and_bytes(tmp_path: Path) -> None:
    for limits, frames in (({"max_frames": 3}, 3), ({"max_bytes": 10}, 2)):
        spool = Spool(TRACK, tmp_path)
        sink = filler(spool, **limits)
        with pytest.raises(MediaError) as caught:
            fill(sink, 10)
        assert (caught.value.kind, spool.frames) == (ErrorKind.TOO_LONG, frames)
        spool.close()


def test_a_full_disk_is_an_error_of_its_own() -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        sink = Sink(full.fileno(), lambda message: None, max_frames=10, max_bytes=100)
        with pytest.raises(MediaError) as caught:
            fill(sink, 3)
    assert caught.value.kind is ErrorKind.DISK


@pytest.mark.parametrize("payload", [b"", bytes(1300), bytes(70_000)])
def test_what_is_no_packet_never_reaches_a_spool(tmp_path: Path, payload: bytes) -> None:
    spool = Spool(TRACK, tmp_path)
    sink = filler(spool)
    with pytest.raises(MediaError) as caught:
        sink.append(payload)
    assert (caught.value.kind, caught.value.retryable, spool.frames) == (ErrorKind.NOT_AUDIO, False, 0)
    spool.close()


async def test_a_spool_that_can_have_no_file_has_failed_and_says_why(tmp_path: Path) -> None:
    spool = Spool(TRACK, tmp_path / "gone")
    with pytest.raises(MediaError, match="No such file") as caught:
        await spool.wait_ready()
    assert caught.value.kind is ErrorKind.DISK
    assert (spool.finished, spool.cursor().ended, spool.cursor().next_frame()) == (True, True, None)
    await spool.aclose()
