"""Positions of all guilds, written together: what is known to have been heard, and what players decide."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest

from actors.messages import Enqueue, GetNowPlaying, GetVoice, Pause, Seek, SpoolKey
from actors.plays import Play
from actors.positions import EVERY_S, SELDOM, Positions
from actors.store import Position, Store, StoreError
from actors.testing import tracks
from actors.voice import Reached
from supervision.testing import virtual_backend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from actors.testing import Guild

pytestmark = pytest.mark.anyio


def play(entry: str, base: int = 0, nonce: int = 1) -> str:
    return Play(SpoolKey(entry, base * 20, 100), base, nonce).name


@dataclass
class Stream:
    guild_id: int
    now: Reached | None = None

    def reached(self) -> Reached | None:
        return self.now


@dataclass
class House:
    """Streams that a test moves, and what was written, transaction by transaction."""

    streams: dict[int, Stream] = field(default_factory=dict)
    written: list[dict[int, Position]] = field(default_factory=list)
    trouble: bool = False
    wakeups: int = 0
    looks: int = 0

    def __post_init__(self) -> None:
        self.positions = Positions(self, cast("Any", self))

    def all(self) -> Sequence[Stream]:
        self.looks += 1
        return list(self.streams.values())

    def stream(self, guild_id: int) -> Stream:
        return self.streams.setdefault(guild_id, Stream(guild_id))

    async def put_positions(self, positions: Mapping[int, Position]) -> None:
        if self.trouble:
            raise StoreError("database or disk is full")
        self.written.append(dict(positions))


async def test_all_guilds_are_written_in_one_transaction_and_only_what_has_changed() -> None:
    house = House()
    for number in range(250):
        house.stream(number).now = Reached(play("a"), 100, 0)
    await house.positions.collect()
    await house.positions.collect()
    house.stream(7).now = Reached(play("a"), 110, 0)
    await house.positions.collect()
    assert [len(each) for each in house.written] == [250, 1]
    assert house.written[1] == {7: Position("a", 2200)}


@pytest.mark.parametrize("anyio_backend", [virtual_backend("asyncio")])
async def test_while_no_frame_leaves_positions_are_looked_at_once_a_second() -> None:
    house = House()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(house.positions.run)
        await anyio.sleep(EVERY_S / 2 + 10.0)
        assert house.looks == pytest.approx(10.0 / (SELDOM * EVERY_S), abs=1)
        house.stream(1).now = Reached(play("a"), 100, 0)  # what is proven late is written too
        await anyio.sleep(SELDOM * EVERY_S)
        assert house.written == [{1: Position("a", 2000)}]
        for wakeups in range(1, 9):
            house.wakeups, house.looks = wakeups, 0
            await anyio.sleep(EVERY_S)
            assert house.looks == 1
        house.trouble = True
        house.stream(1).now, house.wakeups = Reached(play("a"), 150, 0), 9
        await anyio.sleep(EVERY_S)
        house.trouble = False
        await anyio.sleep(EVERY_S)
        assert house.written[1:] == [{1: Position("a", 3000)}]
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("frames", "unproven", "expected_ms"), [(100, 0, 2000), (100, 10, 2000), (100, 40, 1400), (5, 40, 0)]
)
async def test_frames_that_may_not_have_arrived_count_for_200_ms_at_most(
    frames: int, unproven: int, expected_ms: int
) -> None:
    house = House()
    house.stream(1).now = Reached(play("a"), frames, unproven)
    await house.positions.collect()
    assert house.written == [{1: Position("a", expected_ms)}]


@pytest.mark.parametrize(("base", "expected_ms"), [(500, 9600), (10, 0)])
async def test_what_came_before_another_sound_may_not_have_arrived_either(
    base: int, expected_ms: int
) -> None:
    house = House()
    house.stream(1).now = Reached(play("a", base=base), 10, 40, 30)
    await house.positions.collect()
    assert house.written == [{1: Position("a", expected_ms)}]


async def test_a_position_counts_from_the_beginning_of_the_track() -> None:
    house = House()
    house.stream(1).now = Reached(play("a", base=500), 100, 0)
    await house.positions.collect()
    assert house.written == [{1: Position("a", 12_000)}]


async def test_a_sought_position_is_kept_until_it_is_reached() -> None:
    house = House()
    house.stream(1).now = Reached(play("a"), 100, 0)
    house.positions.note(1, Position("a", 60_000, seeking=True))
    house.stream(1).now = Reached(play("a"), 150, 0)
    await house.positions.collect()
    assert house.positions.latest(1) == Position("a", 60_000, seeking=True)
    house.stream(1).now = Reached(play("a", base=3000, nonce=2), 5, 0)
    await house.positions.collect()
    assert house.positions.latest(1) == Position("a", 60_100)


async def test_what_could_not_be_written_is_written_when_that_works_again() -> None:
    house = House()
    house.stream(1).now, house.stream(2).now = Reached(play("a"), 100, 0), Reached(play("b"), 100, 0)
    house.trouble = True
    await house.positions.collect()
    house.trouble = False
    house.stream(1).now = None
    await house.positions.collect()
    assert house.written == [{1: Position("a", 2000), 2: Position("b", 2000)}]


async def test_a_guild_without_music_or_with_a_foreign_play_is_left_out() -> None:
    house = House()
    house.stream(1).now, house.stream(2).now = None, Reached("chime", 10, 0)
    await house.positions.collect()
    assert house.written == []


async def test_the_last_positions_are_written_at_the_end(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.sqlite3")
    store.open()
    house = House()
    positions = Positions(house, store)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(positions.run)
        await anyio.sleep(EVERY_S / 10)
        house.stream(1).now = Reached(play("a"), 100, 0)
        tasks.cancel_scope.cancel()
    assert await store.position(1) == Position("a", 2000)
    await store.aclose()


# --- what a player decides ----------------------------------------------------------------------------------


def position_on_disk(folder: Path) -> tuple[int, int]:
    connection = sqlite3.connect(folder / "state.sqlite3")
    try:
        row: tuple[int, int] = connection.execute("SELECT position_ms, seeking FROM position").fetchone()
        return row
    finally:
        connection.close()


async def test_a_seek_is_on_disk_when_it_is_answered(guild: Guild, tmp_path: Path) -> None:
    await guild.link()
    guild.media.eager = None
    await guild.ask(Enqueue(tracks("a")))
    await guild.until(lambda: bool(guild.media.spools))
    guild.media.spools[0].make(100, complete=False)
    await guild.until(lambda: bool(guild.stream.heard))
    await guild.ask(Seek(5.0))
    assert position_on_disk(tmp_path) == (5000, 1)
    guild.stream.position = 20
    await guild.rooms.positions.collect()
    assert position_on_disk(tmp_path) == (5000, 1), "what still plays is not where the listener asked to be"
    for spool in guild.media.spools:
        spool.make(500)
    await guild.until(lambda: len(guild.stream.heard) == 2)
    await guild.rooms.positions.collect()
    assert position_on_disk(tmp_path) == (5000, 0)


async def test_the_music_that_went_on_after_the_last_save_is_what_a_successor_finds(
    guild: Guild, tmp_path: Path
) -> None:
    """The stream went over to the next track, and the process was killed before its player heard of it."""
    await guild.link()
    first, second = tracks("a", "b")
    await guild.ask(Enqueue((first, second)))
    await guild.until(lambda: guild.stream.next is not None)
    await guild.ask(Pause())
    await guild.store.put_positions({42: Position(second.id, 700)})
    guild.rooms.positions.forget(42)
    guild.stream.stop()
    await guild.system.kill("guilds/42/player")
    await guild.until(lambda: guild.incarnation("player") == 2)
    await guild.ask(GetNowPlaying())  # it has started, and asked the connection, which ...
    await guild.ask(GetVoice(), "connection")  # ... has answered that there is no link
    await guild.link()
    await guild.until(lambda: guild.stream.titles[-1:] == ["b"])
    assert guild.stream.heard[-1][0].start_frame == 35
    assert guild.stream.paused
