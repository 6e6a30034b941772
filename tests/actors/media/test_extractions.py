"""Extractions are remembered for as long as they can be trusted."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

import anyio
import msgpack
import pytest

from actors.media.budget import Budget
from actors.media.extractions import FOUND_S, KEPT, Extractions
from actors.media.extractions_file import ExtractionsFile
from actors.media.infos import stream_of, track_of
from tests.actors.media.moment import Moment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def track(url: str, *, is_live: bool = False) -> dict[str, Any]:
    return {"url": url, "title": url, "is_live": is_live}


def found(*urls: str) -> dict[str, Any]:
    return {"tracks": [track(url) for url in urls], "listing": None}


LISTING = {"url": "https://a.invalid/list", "title": "A list", "total": 90, "numbers": [1], "then": 51}


def test_a_query_is_remembered_for_some_minutes() -> None:
    time = Moment()
    extractions = Extractions(time)
    assert extractions.found("song") is None
    extractions.keep_found("song", found("a"))
    time.seconds += FOUND_S - 1
    assert extractions.found("song") == found("a")
    time.seconds += 1
    assert extractions.found("song") is None


def test_what_is_live_is_asked_for_anew() -> None:
    extractions = Extractions(Moment())
    extractions.keep_found("radio", {"tracks": [track("a"), track("b", is_live=True)], "listing": None})
    assert extractions.found("radio") is None


def test_a_stream_is_not_used_beyond_its_end() -> None:
    time = Moment()
    extractions = Extractions(time)
    stream = {"url": "media", "expires_at": time.seconds + 10}
    extractions.keep_stream("a", stream)
    assert extractions.stream("a") == stream
    time.seconds += 10
    assert extractions.stream("a") is None
    assert extractions.stream("b") is None


def test_memory_is_bounded_and_the_oldest_give_way() -> None:
    time = Moment()
    extractions = Extractions(time)
    for number in range(KEPT + 2):
        extractions.keep_found(str(number), found(str(number)))
        extractions.keep_stream(str(number), {"expires_at": time.seconds + 10})
    assert extractions.found("1") is None
    assert extractions.found("2") is not None
    assert extractions.stream("1") is None
    assert extractions.stream("2") is not None


class Shop:
    """What is known, and the file of it."""

    def __init__(self, path: Path, time: Moment) -> None:
        self.known, self.budget = Extractions(time), Budget(10, time)
        self.file = ExtractionsFile(path, self.known, self.budget)

    def fill(self, expires_at: float, **more: object) -> dict[str, Any]:
        """One track and its stream, as an extraction finds them."""
        info = {"url": "https://a.invalid/x", "title": "A song", "duration": 5}
        stream = stream_of(info) | {"formats": 0, "client": 0, "expires_at": expires_at} | more
        self.known.keep_found("song", {"tracks": [track_of(info)], "listing": LISTING})
        self.known.keep_stream("https://a.invalid/x", stream)
        self.budget.take(due=True)
        return stream

    async def close(self) -> None:
        """As at the end of the process."""
        with anyio.move_on_after(0):
            await self.file.run()

    async def reopened(self) -> Shop:
        """A successor that has read the file."""
        after = Shop(self.file._path, self.known._now)  # type: ignore[arg-type]  # a Moment
        await after.close()
        return after


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "extractions", Moment())


@pytest.mark.anyio
async def test_a_restart_forgets_nothing_that_lasts(shop: Shop, tmp_path: Path) -> None:
    time = shop.known._now
    stream = shop.fill(time() + 400)
    await shop.close()
    after = await shop.reopened()
    assert after.known.stream("https://a.invalid/x") == stream
    assert (again := after.known.found("song")) is not None
    assert [track["title"] for track in again["tracks"]] == ["A song"]
    assert again["listing"] == LISTING
    assert after.budget.spent == shop.budget.spent
    assert os.listdir(tmp_path) == ["extractions"]  # noqa: PTH208 - names
    assert stat.S_IMODE((tmp_path / "extractions").stat().st_mode) == 0o600
    assert isinstance(time, Moment)
    time.seconds += FOUND_S
    assert after.known.found("song") is None, "not longer than it would have been"
    assert after.known.stream("https://a.invalid/x") is not None
    time.seconds += 100
    assert after.known.stream("https://a.invalid/x") is None
    assert (await shop.reopened()).known.lasting() == ({}, {})


@pytest.mark.anyio
@pytest.mark.parametrize("more", [{"is_live": True}, {"headers": {"Cookie": "secret"}}])
async def test_what_is_live_or_somebodys_own_is_not_written(shop: Shop, more: dict[str, Any]) -> None:
    shop.fill(shop.known._now() + 400, **more)
    await shop.close()
    assert b"secret" not in shop.file._path.read_bytes()
    after = await shop.reopened()
    assert after.known.stream("https://a.invalid/x") is None
    assert after.known.found("song") is not None


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda content: content[:-20],
    "noise": lambda content: bytes(200),
    "nothing": lambda content: b"",
    "a list": lambda content: msgpack.packb([1, 2]),
    "another version": lambda content: msgpack.packb(msgpack.unpackb(content) | {"version": 99}),
    "no address": lambda content: content.replace(b"https://a.invalid/x", b"file:///etc/passwd!"),
    "another type": lambda content: content.replace(b"\xa6direct\xc2", b"\xa6direct\x07"),
    "another listing": lambda content: content.replace(b"\xa5total\x5a", b"\xa5total\xa0"),
    "another name": lambda content: content.replace(b"\xa6direct", b"\xa6dierct"),
}


@pytest.mark.anyio
@pytest.mark.parametrize("damage", DAMAGES)
async def test_what_is_damaged_is_forgotten_and_harms_nothing(shop: Shop, damage: str) -> None:
    shop.fill(shop.known._now() + 400)
    await shop.close()
    whole = shop.file._path.read_bytes()
    assert DAMAGES[damage](whole) != whole
    shop.file._path.write_bytes(DAMAGES[damage](whole))
    after = await shop.reopened()
    assert {} in after.known.lasting()
    after.fill(shop.known._now() + 400)
    await after.close()
    assert (await after.reopened()).known.stream("https://a.invalid/x") is not None, "it can be written anew"


@pytest.mark.anyio
async def test_a_folder_that_cannot_be_written_costs_the_file_only(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "nowhere" / "extractions", Moment())
    shop.fill(shop.known._now() + 400)
    await shop.close()
    assert shop.known.stream("https://a.invalid/x") is not None
