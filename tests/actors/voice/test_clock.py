"""The clock in real time: that it is driven, can be driven again, and is not silenced by one stream."""

from __future__ import annotations

import anyio
import pytest

from actors.voice.clock import Clock
from actors.voice.pulse import Path

pytestmark = pytest.mark.anyio


class Wire:
    """Counts what is sent, and lets wait for it."""

    arrived: int | None = None

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self._waiting: list[tuple[int, anyio.Event]] = []

    def send(self, opus: bytes) -> bool:
        self.frames.append(opus)
        for wanted, event in self._waiting:
            if len(self.frames) >= wanted:
                event.set()
        return True

    def skip(self, frames: int) -> None:
        pass

    def speaking(self, flag: bool) -> None:
        pass

    def begin(self, frame: int) -> None:
        pass

    def check(self, _frame: int) -> Path:
        return Path.OPEN

    def swallowed(self) -> None:
        pass

    async def reach(self, frames: int) -> None:
        event = anyio.Event()
        self._waiting.append((frames, event))
        with anyio.fail_after(5):
            if len(self.frames) < frames:
                await event.wait()


class Endless:
    ended = False

    def __init__(self) -> None:
        self.drawn = 0

    def next_frame(self) -> bytes | None:
        self.drawn += 1
        return self.drawn.to_bytes(4, "big")


def play(clock: Clock, guild_id: int, wire: Wire) -> None:
    stream = clock.stream(guild_id)
    stream.attach(wire)
    stream.play(Endless(), "endless", on_event=print)


async def test_a_clock_that_is_killed_and_run_again_goes_on_in_order() -> None:
    clock, wire = Clock(), Wire()
    play(clock, 1, wire)
    for wanted in (3, 6, 9):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(clock.run)
            await wire.reach(wanted)
            tasks.cancel_scope.cancel()
    assert wire.frames == [number.to_bytes(4, "big") for number in range(1, len(wire.frames) + 1)]


async def test_a_clock_sends_fifty_frames_a_second() -> None:
    clock, wire = Clock(), Wire()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(clock.run)
        await wire.reach(0)
        play(clock, 1, wire)
        began = anyio.current_time()
        await wire.reach(26)
        assert 0.48 <= anyio.current_time() - began <= 1.5  # 25 intervals; more only on a busy machine
        tasks.cancel_scope.cancel()


async def test_a_clock_with_nothing_to_send_sleeps() -> None:
    clock, wire = Clock(), Wire()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(clock.run)
        play(clock, 1, wire)
        await wire.reach(2)
        clock.stream(1).detach(wire)
        await anyio.sleep(0.03)  # the timer that was set before finds nothing
        wakeups = clock.status().wakeups
        await anyio.sleep(0.1)
        assert clock.status().wakeups == wakeups
        assert (clock.status().streams, clock.status().playing) == (1, 0)
        tasks.cancel_scope.cancel()


async def test_one_stream_that_fails_does_not_silence_the_others() -> None:
    class Bad(Wire):
        def send(self, opus: bytes) -> bool:
            raise RuntimeError("a bug")

    clock, bad, good = Clock(), Bad(), Wire()
    play(clock, 1, bad)
    play(clock, 2, good)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(clock.run)
        await good.reach(5)
        tasks.cancel_scope.cancel()
    assert clock.status().playing == 1


async def test_a_dropped_stream_is_gone() -> None:
    clock, wire = Clock(), Wire()
    play(clock, 1, wire)
    stream = clock.stream(1)
    clock.drop(1)
    assert clock.status().playing == 0
    assert clock.stream(1) is not stream
    stream.play(Endless(), "late", on_event=print)
    assert clock.status().playing == 0
