"""Guilds that want the same share one spool, and none loses it by another's letting go."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from actors.media import ErrorKind, Media, MediaError, Spool, Track
from actors.messages import SpoolKey, Wanted
from actors.shelf import Shelf

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


class Maker:
    """Stands in for Media: real spools that nobody fills."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.made: list[Spool] = []

    def spool(self, track: Track, *, start_s: float, volume: int, effect: str, resumed: bool) -> Spool:
        start_frame = round(start_s * 50)
        self.made.append(Spool(track, self._folder, start_frame=start_frame, volume=volume, effect=effect))
        return self.made[-1]


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path)


@pytest.fixture
def shelf(maker: Maker) -> Shelf:
    return Shelf(cast("Media", maker))


def wanted(url: str = "song", *, start_ms: int = 0, volume: int = 100, is_live: bool = False) -> Wanted:
    """Somebody's own entry of the queue for that track."""
    track = Track(url=url, title=url, requested_by=1, is_live=is_live)
    return Wanted(SpoolKey(track.id, start_ms, volume), track)


async def test_two_guilds_share_the_spool_of_a_track(maker: Maker, shelf: Shelf) -> None:
    first, second = wanted(), wanted()
    assert shelf.order(1, first) is shelf.order(2, second)
    assert len(maker.made) == 1
    await shelf.let_go(1, first.key)
    assert not maker.made[0].closed
    await shelf.let_go(2, second.key)
    assert maker.made[0].closed


async def test_the_same_entry_has_one_spool_whoever_asks(maker: Maker, shelf: Shelf) -> None:
    entry = wanted()
    assert shelf.order(1, entry) is shelf.order(1, entry)
    assert shelf.keys(1) == {entry.key}
    await shelf.let_go(1, entry.key)
    await shelf.let_go(1, entry.key)
    assert shelf.keys(1) == frozenset()
    assert maker.made[0].closed


@pytest.mark.parametrize("other", [wanted("other"), wanted(start_ms=20), wanted(volume=50)])
async def test_what_differs_is_not_shared(other: Wanted, shelf: Shelf) -> None:
    assert shelf.order(1, wanted()) is not shelf.order(2, other)
    await shelf.aclose()


async def test_a_live_stream_is_shared_too(shelf: Shelf) -> None:
    assert shelf.order(1, wanted(is_live=True)) is shelf.order(2, wanted(is_live=True))
    await shelf.aclose()


async def test_a_failed_spool_is_not_handed_on(maker: Maker, shelf: Shelf) -> None:
    failed = wanted()
    shelf.order(1, failed).finish(MediaError(ErrorKind.TIMEOUT, "too slow"))
    fresh = wanted()
    assert shelf.order(2, fresh) is maker.made[1]
    await shelf.let_go(1, failed.key)  # must not forget the fresh one
    assert shelf.order(3, wanted()) is maker.made[1]
    await shelf.aclose()
    assert all(spool.closed for spool in maker.made)


async def test_a_spool_ordered_after_the_last_let_go_is_a_new_one(maker: Maker, shelf: Shelf) -> None:
    first = wanted()
    shelf.order(1, first)
    await shelf.let_go(1, first.key)
    assert shelf.order(1, wanted()) is maker.made[1]
    await shelf.aclose()


async def test_a_spool_is_as_urgent_as_to_whom_it_is_most_urgent(maker: Maker, shelf: Shelf) -> None:
    mine, other, theirs = wanted("song"), wanted("other"), wanted("song")
    shelf.rank(1, [other.key, mine.key])
    spool = shelf.order(1, mine)
    assert (spool.turn.asker, spool.turn.rank) == (1, 1)
    shelf.rank(2, [theirs.key])
    assert shelf.order(2, theirs) is spool
    assert (spool.turn.asker, spool.turn.rank) == (2, 0)
    await shelf.let_go(2, theirs.key)
    assert (spool.turn.asker, spool.turn.rank) == (1, 1)
    shelf.rank(1, [mine.key])
    assert spool.turn.rank == 0, "its turn has come"
