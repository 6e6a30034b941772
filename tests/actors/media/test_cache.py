"""The cache of complete spools: bounded, checked to the last byte, and of use without any network."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from actors.media import Cache, Limits, Media, MediaError, Track, cache, keeper
from actors.media.cache_file import PART, About, Origin, Sound, about_to_plain, write
from actors.media.testing import packets
from loopback.fault_server import FaultServer, Served, fault_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

RECORDS = b"".join(b"\x00\x04" + n.to_bytes(4) for n in range(60))
KEPT_BYTES = 1 << 20


def sound(name: str) -> Sound:
    return Sound(f"https://x/{name}", 100, "off")


def put(store: Cache, name: str) -> int:
    """A small file of that name, as a worker writes it; its bytes."""
    about = about_to_plain(About(sound(name), Origin(), name, 1.2))
    with open(store.path(sound("records")).with_suffix(".records"), "w+b") as records:  # noqa: PTH123
        records.write(RECORDS)
        records.flush()
        size = write(records.fileno(), store.path(sound(name)), about, 60, len(RECORDS), bytes(16))
    store.keep(sound(name), size)
    return size


def found(store: Cache, name: str) -> bool:
    read = store.read(sound(name))
    if read is None:
        return False
    with read[0] as file:
        assert os.pread(file.fileno(), len(RECORDS), 0) == RECORDS
    assert (read[1].frames, read[1].size, read[1].about.title) == (60, len(RECORDS), name)
    return True


def test_what_is_kept_is_found_again_after_a_restart_and_half_a_file_is_not(tmp_path: Path) -> None:
    store = Cache(tmp_path, KEPT_BYTES)
    put(store, "song")
    assert found(store, "song")
    assert store.path(sound("song")).stat().st_mode & 0o777 == 0o600
    half = store.path(sound("half")).with_name(store.path(sound("half")).name + PART)
    half.write_bytes(RECORDS)
    again = Cache(tmp_path, KEPT_BYTES)
    assert found(again, "song")
    assert (again.holds(sound("song")), again.holds(sound("half")), half.exists()) == (True, False, False)


def test_the_least_recently_used_goes_first_also_after_a_restart(tmp_path: Path) -> None:
    store = Cache(tmp_path, KEPT_BYTES)
    size = 0
    for second, name in enumerate("abc"):
        size = put(store, name)
        os.utime(store.path(sound(name)), (second, second))
    store.used(sound("a"))
    again = Cache(tmp_path, 3 * size)
    assert again.make_room(2 * size)
    assert [name for name in "abc" if again.holds(sound(name))] == ["a"]
    assert [name for name in "abc" if found(again, name)] == ["a"]
    assert again.evicted == 2
    assert not again.make_room(3 * size + 1), "larger than everything"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(data=st.data())
def test_a_changed_byte_or_a_missing_end_is_noticed(tmp_path: Path, data: st.DataObject) -> None:
    store = Cache(tmp_path, KEPT_BYTES)
    whole = put(store, "song")
    path = store.path(sound("song"))
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content[data.draw(st.integers(0, whole - 1))] ^= data.draw(st.integers(1, 255))
    else:
        del content[data.draw(st.integers(0, whole - 1)) :]
    path.write_bytes(content)
    assert not found(store, "song")


def test_a_file_under_anothers_name_is_not_taken_for_it(tmp_path: Path) -> None:
    store = Cache(tmp_path, KEPT_BYTES)
    put(store, "one")
    store.path(sound("one")).rename(store.path(sound("two")))
    assert not found(store, "two")


def test_without_space_or_a_folder_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not Cache(tmp_path / "none", 0).make_room(1)
    (tmp_path / "file").write_text("in the way")
    assert Cache(tmp_path / "file", KEPT_BYTES).max_bytes == 0
    monkeypatch.setattr(cache, "DISK_RESERVE", 1 << 62)
    assert not Cache(tmp_path / "full", KEPT_BYTES).make_room(1)


# --- with the media service ---


def track(url: str) -> Track:
    return Track(url=url, title="A song", requested_by=1)


class Bot:
    """A media service with a cache in a folder; `restart` forgets what only memory knows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.media = Media(allow_private=True, work_dir=folder / "media", limits=Limits(resolvers=1))
        self.restart()

    def restart(self) -> None:
        self.cache = Cache(self.folder / "cache", 64 << 20)
        self.media._keeper = keeper.Keeper(self.cache, self.media._makers)

    async def play(self, url: str, *, start_s: float = 0.0, resumed: bool = False) -> list[bytes]:
        spool = self.media.spool(track(url), start_s=start_s, resumed=resumed)
        with anyio.fail_after(30):
            await spool.wait_ready(1 << 30)
        at = round(start_s * 50) - spool.start_frame
        frames = list(iter(spool.cursor(at).next_frame, None))
        assert spool.title == "The webm song" or spool.title == "The opus song"
        await spool.aclose()
        return frames

    async def until_kept(self, url: str) -> None:
        with anyio.fail_after(10):
            while not self.cache.holds(Sound(url, 100, "off")):  # noqa: ASYNC110
                await anyio.sleep(0.01)


@pytest.fixture
async def bot(tmp_path: Path) -> AsyncIterator[Bot]:
    bot = Bot(tmp_path)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bot.media.run)
        yield bot
        tasks.cancel_scope.cancel()
    bot.media.close()


async def test_a_kept_track_is_played_without_its_server_but_never_a_stale_one(
    bot: Bot, server: FaultServer, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    webm, opus = packets(files["webm"]), packets(files["opus"])
    url = server.add("a", Served(files["webm"], "audio/webm"))
    assert await bot.play(url) == webm
    await bot.until_kept(url)
    del server.files["a"]
    asked = len(server.seen)
    assert await bot.play(url, start_s=2.0) == webm[100:], "from the middle too"
    assert len(server.seen) == asked, "not asked again so soon"

    bot.restart()
    server.add("a", Served(files["webm"], "audio/webm"))
    assert await bot.play(url) == webm
    assert len(server.seen) == asked + 1, "whether it is the same, and nothing else"

    bot.restart()
    server.add("a", Served(files["opus"], "audio/ogg"))
    assert await bot.play(url) == opus, "another file by now"
    await bot.until_kept(url)

    path = bot.cache.path(Sound(url, 100, "off"))
    path.write_bytes(path.read_bytes()[:-100])
    assert await bot.play(url) == opus, "made anew"
    assert bot.cache.damaged == 1
    await bot.until_kept(url)

    bot.restart()
    del server.files["a"]
    with pytest.raises(MediaError):
        await bot.play(url)
    assert not path.exists(), "its owner has taken it away"

    monkeypatch.setattr(keeper, "LOOK_S", 0.2)
    async with fault_server() as other:
        url = other.add("b", Served(files["webm"], "audio/webm"))
        assert await bot.play(url) == webm
        await bot.until_kept(url)
    bot.restart()
    assert await bot.play(url) == webm, "nobody listens at that port any more"
    assert (bot.cache.hits, bot.cache.misses) == (1, 0)


async def test_what_was_being_heard_goes_on_unasked_and_is_asked_about_for_the_next_play(
    bot: Bot, server: FaultServer, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    webm, opus = packets(files["webm"]), packets(files["opus"])
    url = server.add("a", Served(files["webm"], "audio/webm"))
    assert await bot.play(url) == webm
    await bot.until_kept(url)
    server.add("a", Served(files["opus"], "audio/ogg"))

    bot.restart()
    asked = len(server.seen)
    assert await bot.play(url, start_s=2.0, resumed=True) == webm[100:], "from the bytes that it began with"
    assert len(server.seen) == asked, "nobody waited for the server"
    assert await bot.play(url) == opus, "whoever plays it anew hears what is there now"
    await bot.until_kept(url)

    bot.restart()
    monkeypatch.setattr(keeper, "LATER_S", 0.0)
    server.add("a", Served(files["webm"], "audio/webm"))
    assert await bot.play(url, start_s=2.0, resumed=True) == opus[100:]
    with anyio.fail_after(10):
        while bot.cache.holds(Sound(url, 100, "off")):  # noqa: ASYNC110 - asked about beside
            await anyio.sleep(0.01)
    assert await bot.play(url) == webm


async def test_what_was_being_heard_is_still_held_to_its_last_byte(
    bot: Bot, server: FaultServer, files: dict[str, bytes]
) -> None:
    webm = packets(files["webm"])
    url = server.add("a", Served(files["webm"], "audio/webm"))
    assert await bot.play(url) == webm
    await bot.until_kept(url)
    path = bot.cache.path(Sound(url, 100, "off"))
    path.write_bytes(path.read_bytes()[:-100])
    bot.restart()
    assert await bot.play(url, resumed=True) == webm
    assert bot.cache.damaged == 1
