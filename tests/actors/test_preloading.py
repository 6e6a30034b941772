"""How far ahead tracks are made, and that a change of the plan ends what is no longer wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

from actors.messages import Enqueue, GetQueue, Shuffle, Skip, Stop
from actors.preloading import FURTHEST, TRACK_BYTES, how_far
from actors.testing import tracks

if TYPE_CHECKING:
    from actors.testing import Guild

pytestmark = pytest.mark.anyio

WAITING = st.integers(0, 500)
SPEED = st.none() | st.floats(0, 1e6)
ROOM = st.integers(0, 1 << 40)


@given(WAITING, SPEED, ROOM)
def test_never_more_than_wait_or_fit_or_are_of_use(waiting: int, speed: float | None, room: int) -> None:
    far = how_far(waiting, speed, room)
    assert 0 <= far <= min(waiting, FURTHEST)
    assert far * TRACK_BYTES <= room
    assert far == 0 or speed is None or speed > 1.0


@given(WAITING, st.floats(0, 1e6), ROOM, st.integers(0, 9), st.floats(0, 100), st.integers(0, 1 << 30))
def test_more_of_anything_never_makes_it_less(
    waiting: int, speed: float, room: int, others: int, faster: float, larger: int
) -> None:
    assert how_far(waiting + others, speed + faster, room + larger) >= how_far(waiting, speed, room)


def titles(guild: Guild, **state: Any) -> list[str]:
    """Of the spools in that state."""
    spools = guild.media.spools
    return [each.track.title for each in spools if all(getattr(each, k) == v for k, v in state.items())]


async def test_further_tracks_are_made_one_by_one_and_given_up_at_once(guild: Guild) -> None:
    guild.media.speed, guild.media.eager = 100.0, None
    await guild.link()
    await guild.ask(Enqueue(tracks(*"abcdefgh"), 7))
    await guild.until(lambda: titles(guild) == ["a", "b"])
    guild.media.spools[0].make(500)
    assert titles(guild) == ["a", "b"], "not before the next one is whole"
    guild.media.spools[1].make(500)
    await guild.until(lambda: titles(guild) == ["a", "b", "c"])
    await guild.ask(Skip())
    await guild.until(lambda: titles(guild, closed=True) == ["a"])
    guild.media.spools[2].make(500)
    await guild.until(lambda: titles(guild, closed=False) == ["b", "c", "d"])
    await guild.ask(Shuffle())
    wanted = {"b", *(track.title for track in await following(guild))}
    await guild.until(lambda: set(titles(guild, closed=False)) <= wanted)
    await guild.ask(Stop())
    await guild.until(lambda: titles(guild, closed=False) == [])


async def following(guild: Guild) -> Any:
    return (await guild.ask(GetQueue())).entries[: FURTHEST + 1]


async def test_a_slow_line_and_a_full_disk_are_left_to_the_next_track(guild: Guild) -> None:
    guild.media.speed, guild.media.room_bytes = 100.0, 0
    await guild.link()
    await guild.ask(Enqueue(tracks(*"abcdefgh"), 7))
    await guild.until(lambda: guild.stream.next is not None)
    guild.media.speed, guild.media.room_bytes = 2.0, 1 << 40
    await guild.ask(Skip())
    await guild.until(lambda: guild.stream.next is not None and guild.stream.titles == ["a", "b"])
    assert titles(guild) == ["a", "b", "c"]
