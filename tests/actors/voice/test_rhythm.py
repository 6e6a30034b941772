"""When the heartbeats of many sessions leave: together in silence, apart under music. In virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from actors.voice.rhythm import EARLY, OFTEN_S, SPARE_S, TURN, Rhythm
from supervision.testing import virtual_backend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

pytestmark = pytest.mark.anyio

SERVER_S = 13.75
MANY = 120
JOINING_S = 0.25
"""Between two that join: it takes them 30 s."""
SURELY_S = 0.002


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_backend("asyncio")


class Crowd:
    """Sessions that do nothing but beat."""

    def __init__(self) -> None:
        self.playing = 0
        self.rhythm = Rhythm(lambda: self.playing)
        self.beats: list[list[float]] = []
        self._tasks = anyio.create_task_group()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Crowd]:
        async with self._tasks:
            yield self
            self._tasks.cancel_scope.cancel()

    def join(self, interval_s: float = SERVER_S) -> None:
        """One more, that beats at once."""
        self.beats.append([])
        self._tasks.start_soon(self._beat, self.beats[-1], interval_s)

    async def come(self, interval_s: float = SERVER_S) -> None:
        """Many, one after the other."""
        for _ in range(MANY):
            self.join(interval_s)
            await anyio.sleep(JOINING_S)

    def gaps(self) -> list[float]:
        """Between any two of the same session."""
        return [after - before for beats in self.beats for before, after in pairwise(beats)]

    def since(self, begin: float) -> list[float]:
        """All beats from then on."""
        return sorted(beat for beats in self.beats for beat in beats if beat >= begin)

    async def _beat(self, beats: list[float], interval_s: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            beats.append(loop.time())
            woken = anyio.Event()
            place = self.rhythm.place(beats[-1], interval_s, woken.set)
            try:
                await woken.wait()
            finally:
                self.rhythm.cancel(place)
            assert place.left


@pytest.fixture
async def crowd() -> AsyncIterator[Crowd]:
    async with Crowd().open() as crowd:
        yield crowd


def most_within(beats: Iterable[float], window_s: float) -> int:
    """How many of them at most in one piece of time."""
    return max(Counter(int(beat / window_s) for beat in beats).values())


async def test_in_silence_all_find_to_one_group_that_leaves_in_turns_and_never_late(crowd: Crowd) -> None:
    await crowd.come()
    await anyio.sleep(2 * SERVER_S)
    begin = anyio.current_time()
    await anyio.sleep(3 * SERVER_S)
    beats = crowd.since(begin)
    starts = [after for before, after in pairwise([begin - 1, *beats]) if after - before > SPARE_S]
    assert crowd.rhythm.groups == 1
    assert len(starts) in (3, 4)
    assert [b - a for a, b in pairwise(starts)] == [pytest.approx(SERVER_S - SPARE_S, abs=SURELY_S)] * (
        len(starts) - 1
    )
    assert all((1 - EARLY) * SERVER_S - SURELY_S <= gap <= SERVER_S for gap in crowd.gaps())
    assert max(Counter(beats).values()) <= TURN


async def test_who_comes_later_goes_with_the_others(crowd: Crowd) -> None:
    crowd.join()
    await anyio.sleep(5.0)
    crowd.join()
    await anyio.sleep(4 * SERVER_S)
    first, second = crowd.beats
    assert second[1:] == pytest.approx(first[1:], abs=SURELY_S)


@pytest.mark.parametrize("music_after_s", [3.0, SERVER_S - SPARE_S + 0.01])
async def test_music_parts_them_and_silence_brings_them_together_again(
    crowd: Crowd, music_after_s: float
) -> None:
    """Also music that begins while they leave."""
    for _ in range(MANY):
        crowd.join()
    await anyio.sleep(music_after_s)
    crowd.playing = 1
    await anyio.sleep(3 * SERVER_S)
    apart = crowd.since(anyio.current_time() - SERVER_S)
    assert MANY <= len(apart) <= 2 * MANY
    assert most_within(apart, SERVER_S / MANY) <= 6
    assert max(crowd.gaps()) <= SERVER_S + SURELY_S
    crowd.playing = 0
    await anyio.sleep(3 * SERVER_S)
    assert most_within(crowd.since(anyio.current_time() - SERVER_S), 1.0) > MANY / 2


async def test_under_music_who_has_left_alone_goes_on_alone(crowd: Crowd) -> None:
    crowd.join()
    crowd.join()
    await anyio.sleep(SERVER_S - SPARE_S + 1.0)  # they have left a second ago
    crowd.playing = 1
    now = anyio.current_time()
    woken: list[float] = []
    for beaten in (now, now - 5.0):
        crowd.rhythm.place(beaten, SERVER_S, lambda: woken.append(anyio.current_time()))
    await anyio.sleep(SERVER_S + 0.1)
    assert woken == pytest.approx([now - 5.0 + SERVER_S, now + SERVER_S], abs=SURELY_S)


async def test_a_server_that_wants_many_beats_gets_them_when_they_are_due(crowd: Crowd) -> None:
    crowd.join(OFTEN_S - 0.1)
    crowd.join(0.3)
    await anyio.sleep(5 * OFTEN_S)
    seldom, often = crowd.beats
    assert [b - a for a, b in pairwise(seldom)] == pytest.approx([OFTEN_S - 0.1] * 5)
    assert all(b - a == pytest.approx(0.3, abs=SURELY_S) for a, b in pairwise(often))


async def test_who_is_gone_is_not_woken_and_holds_up_nobody(crowd: Crowd) -> None:
    woken: list[int] = []
    call: Callable[[int], Callable[[], None]] = lambda number: lambda: woken.append(number)  # noqa: E731
    now = anyio.current_time()
    places = [crowd.rhythm.place(now, SERVER_S, call(number)) for number in range(3)]
    for gone in (0, 0, 2):
        crowd.rhythm.cancel(places[gone])
    await anyio.sleep(SERVER_S)
    assert woken == [1]
    assert [place.left for place in places] == [False, True, False]
    alone = crowd.rhythm.place(anyio.current_time(), SERVER_S, call(3))
    crowd.rhythm.cancel(alone)
    crowd.rhythm.place(anyio.current_time(), SERVER_S, call(4))  # not into a group that is no more
    assert crowd.rhythm.groups == 1
    await anyio.sleep(SERVER_S)
    assert woken == [1, 4]
    assert crowd.rhythm.groups == 0
