"""The alarm: by the kernel's timer and by the loop's, with the same meaning."""

from __future__ import annotations

import os
import time
from pathlib import Path

import anyio
import pytest

from actors.voice.alarm import Alarm

pytestmark = pytest.mark.anyio

MS = 1_000_000


class Bell:
    """Notes when it was rung."""

    def __init__(self) -> None:
        self.rung: list[int] = []
        self._event = anyio.Event()

    def ring(self) -> None:
        self.rung.append(time.monotonic_ns())
        self._event.set()

    async def heard(self) -> None:
        with anyio.fail_after(5):
            await self._event.wait()


@pytest.fixture(params=[True, False], ids=["kernel", "loop"])
def exact(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


async def test_it_rings_once_and_never_early(exact: bool) -> None:
    bell = Bell()
    alarm = Alarm(bell.ring, exact=exact)
    due = time.monotonic_ns() + 5 * MS
    alarm.set(due)
    await bell.heard()
    await anyio.sleep(0.02)
    alarm.close()
    assert len(bell.rung) == 1
    # The loop's own timer may be early by its clock's resolution.
    assert bell.rung[0] >= due - (0 if exact else MS)


async def test_the_last_setting_counts(exact: bool) -> None:
    bell = Bell()
    alarm = Alarm(bell.ring, exact=exact)
    alarm.set(time.monotonic_ns() + 3_600_000 * MS)
    alarm.set(time.monotonic_ns() + MS)
    await bell.heard()
    alarm.close()
    assert len(bell.rung) == 1


async def test_what_is_past_rings_at_once(exact: bool) -> None:
    bell = Bell()
    alarm = Alarm(bell.ring, exact=exact)
    alarm.set(0)
    await bell.heard()
    alarm.close()


async def test_a_cancelled_or_closed_alarm_is_silent(exact: bool) -> None:
    cancelled, closed = Bell(), Bell()
    first, second = Alarm(cancelled.ring, exact=exact), Alarm(closed.ring, exact=exact)
    first.set(time.monotonic_ns() + 2 * MS)
    second.set(time.monotonic_ns() + 2 * MS)
    first.cancel()
    second.close()
    await anyio.sleep(0.02)
    first.close()
    assert cancelled.rung == closed.rung == []


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted in /proc")
async def test_closing_gives_the_descriptor_back() -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counted, not walked
    alarm = Alarm(lambda: None)
    alarm.set(time.monotonic_ns() + MS)
    alarm.close()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
