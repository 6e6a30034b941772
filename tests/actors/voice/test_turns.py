"""The order and the pace of what many guilds want at once, in virtual time."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings, strategies as st

from actors.voice.turns import (
    LIMIT,
    LIMIT_ASKED,
    OPENINGS,
    PACE_S,
    PATIENCE_S,
    SENDS,
    WINDOW_S,
    Pace,
    Rank,
    Turns,
)
from supervision.testing import virtual_backend

pytestmark = pytest.mark.anyio

DISCORDS_LIMIT = 120


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_backend("asyncio")


class Shard:
    """A queue and who had a turn, when (s from the beginning)."""

    def __init__(self, pace: Pace = SENDS) -> None:
        self.queue = Turns(pace)
        self.began = anyio.current_time()
        self.turns: list[tuple[float, Rank]] = []

    async def send(self, rank: Rank, after_s: float = 0.0, sends: int = 1) -> None:
        await anyio.sleep(after_s)
        await self.queue.take(rank, sends)
        self.turns += [(anyio.current_time() - self.began, rank)] * sends

    def times(self, rank: Rank) -> list[float]:
        return [at for at, each in self.turns if each is rank]

    def busiest_minute(self) -> int:
        times = [at for at, _ in self.turns]
        return max(sum(1 for at in times if start <= at < start + WINDOW_S) for start in times)


async def run(*sends: tuple[Rank, float] | tuple[Rank, float, int]) -> Shard:
    """All of these sends: rank, time, and how many at once."""
    shard = Shard()
    async with anyio.create_task_group() as tasks:
        for send in sends:
            tasks.start_soon(shard.send, *send)
    assert shard.queue.waiting == 0
    return shard


async def test_two_hundred_guilds_at_once() -> None:
    """The figure: the first 100 within 2 s, the last within 65 s, those with listeners first."""
    shard = await run(*[(Rank.UNHEARD, 0.0), (Rank.LISTENED, 0.0)] * 100)
    times = [at for at, _ in shard.turns]
    assert len(times) == 200
    assert times[99] <= 2.0
    assert times[-1] <= 65.0
    assert [rank for _, rank in shard.turns] == [Rank.LISTENED] * 100 + [Rank.UNHEARD] * 100
    assert shard.busiest_minute() == LIMIT < DISCORDS_LIMIT


async def test_websockets_are_opened_one_after_the_other() -> None:
    shard = Shard(OPENINGS)
    async with anyio.create_task_group() as tasks:
        for rank in [Rank.UNHEARD, *[Rank.LISTENED, Rank.UNHEARD] * 100]:
            tasks.start_soon(shard.send, rank)
    times = [at for at, _ in shard.turns]
    assert times[0] == 0.0, "a single guild never waits"
    assert all(later - earlier >= OPENINGS.gap_s * 0.99 for earlier, later in pairwise(times))
    assert times[100] < 1.0
    assert [rank for _, rank in shard.turns[1:101]] == [Rank.LISTENED] * 100


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_loop_that_is_late_makes_up_for_it() -> None:
    """A queue that gave one turn each time the loop came round would be slower than the processor."""
    shard, rounds = Shard(OPENINGS), 0
    async with anyio.create_task_group() as tasks:
        for _ in range(31):
            tasks.start_soon(shard.send, Rank.LISTENED)
        await anyio.lowlevel.checkpoint()
        while shard.queue.waiting:
            time.sleep(5 * OPENINGS.gap_s)  # noqa: ASYNC251 - the loop is to be late
            await anyio.lowlevel.checkpoint()
            rounds += 1
    assert rounds <= 15, "two or more turns a round"


async def test_what_a_person_asks_for_goes_before_all_that_recovers() -> None:
    shard = await run(*[(Rank.LISTENED, 0.0)] * 300, (Rank.ASKED, 30.0))
    (at,) = shard.times(Rank.ASKED)
    assert 30.0 <= at <= 30.0 + PACE_S, "the reserve is for it"
    assert shard.busiest_minute() <= LIMIT_ASKED


async def test_a_guild_without_listeners_is_not_forgotten() -> None:
    """Guilds with listeners come all the time, twice as many as can be sent for."""
    crowd = [(Rank.LISTENED, 60.0 / (2 * LIMIT) * number) for number in range(2 * LIMIT * 5)]
    shard = await run(*crowd, (Rank.UNHEARD, 40.0))
    (at,) = shard.times(Rank.UNHEARD)
    assert 40.0 + PATIENCE_S <= at <= 240.0
    assert max(shard.times(Rank.LISTENED)) > 500.0, "there was no end of them"


async def test_a_guild_that_leaves_and_joins_again_does_not_wait_outside() -> None:
    """Both of its sends are made in one turn, though others have waited for longer than its second one."""
    shard = await run(*[(Rank.LISTENED, 0.0, 2)] * 60)
    assert shard.times(Rank.LISTENED)[: LIMIT - 1 : 2] == shard.times(Rank.LISTENED)[1:LIMIT:2]
    assert shard.busiest_minute() <= LIMIT


async def test_who_gives_up_leaves_its_place() -> None:
    shard = Shard()
    async with anyio.create_task_group() as tasks:
        for _ in range(LIMIT):
            await shard.send(Rank.LISTENED)
        with anyio.move_on_after(5.0):
            await shard.send(Rank.LISTENED)
        assert shard.queue.waiting == 0
        tasks.start_soon(shard.send, Rank.UNHEARD)
    assert shard.times(Rank.UNHEARD) == [pytest.approx(WINDOW_S, abs=0.1)]


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(Rank)),
            st.sampled_from([0.0, 0.5, 20.0, 59.0, 61.0, 130.0]),
            st.sampled_from([1, 1, 2]),
        ),
        min_size=100,
        max_size=400,
    )
)
def test_whatever_comes_the_limit_holds_and_each_has_its_turn(
    sends: list[tuple[Rank, float, int]],
) -> None:
    backend, options = virtual_backend("asyncio")
    shard = anyio.run(run, *sends, backend=backend, backend_options=options)
    assert len(shard.turns) == sum(number for _, _, number in sends)
    assert shard.busiest_minute() <= LIMIT_ASKED
    assert all(earlier <= later for (earlier, _), (later, _) in pairwise(shard.turns))
