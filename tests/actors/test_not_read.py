"""A disk that does not give what it has: that is not the same as having nothing."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from actors import keeping, rooms, store as stores
from actors.envelope import decode, encode
from actors.guild import guilds_to_restore
from actors.messages import Enqueue, GetQueue, GetVoice, Join, LinkPhase, SetVolume
from actors.queue import Loop, Queue
from actors.rooms import StoreRoom
from actors.session import Session, joined, to_plain
from actors.store import Position, Store, StoreError
from actors.testing import GUILD_ID, open_guild, tracks
from actors.verdict import Verdict
from supervision import ChildSpec, SupervisorSpec, open_system

if TYPE_CHECKING:
    from pathlib import Path

    from actors.messages import QueueView, VoiceReport
    from actors.testing import Guild

pytestmark = pytest.mark.anyio

FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import anyio
from actors.store import Store, StoreError

async def main():
    store = Store(Path(sys.argv[1]))
    store.open()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        await store.check()
    except StoreError:
        refused = store.problem is not None
    read = await store.get(1, "player"), (await store.position(1)).position_ms
    try:
        await store.put(1, "player", b"later")
    except StoreError:
        refused += 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await store.put(2, "player", b"works again")
    await store.aclose()
    sys.stdout.write(repr((read, refused)))

anyio.run(main)
"""
"""No file grows, and a write to one is refused: what a new process meets on a disk that is full."""


async def test_what_a_killed_process_left_is_read_from_a_full_disk(tmp_path: Path) -> None:
    killed, store = tmp_path / "killed", Store(tmp_path / "state.sqlite3")
    killed.mkdir()
    path = killed / "state.sqlite3"
    store.open()
    await store.put(1, "player", b"acknowledged", Position("a", 1500))
    for name in (path.name, f"{path.name}-wal"):  # it is in the log alone so far, as after SIGKILL
        shutil.copy(tmp_path / name, killed)
    await store.aclose()
    done = await anyio.run_process([sys.executable, "-c", FULL_DISK, str(path)], check=False)
    said = done.stdout.decode().splitlines()[-1:]  # behind what is logged
    assert said == [repr(((b"acknowledged", 1500), 2))], done.stderr.decode()
    connection = sqlite3.connect(path)
    kept = connection.execute("SELECT guild, blob FROM part ORDER BY guild").fetchall()
    connection.close()
    assert kept == [(1, b"acknowledged"), (2, b"works again")]


class Disk:
    """One that gives nothing while `broken`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.broken = True
        for name in ("_open", "_open_alone"):
            monkeypatch.setattr(stores, name, self._guarded(getattr(stores, name)))
        monkeypatch.setattr(keeping, "AGAIN_S", 0.02)
        monkeypatch.setattr(keeping, "AGAIN_AT_MOST_S", 0.02)

    def _guarded(self, opens: Any) -> Any:
        def opened(path: Path) -> sqlite3.Connection:
            if self.broken:
                raise sqlite3.OperationalError("disk I/O error")
            connection: sqlite3.Connection = opens(path)
            return connection

        return opened


OLD = tracks("old", "older")


async def leave_behind(folder: Path) -> None:
    """A guild that played in channel 100, from another process."""
    session = Session(Queue(OLD[0], OLD[1:], Loop.QUEUE), volume=50)
    connection = {"boot": "another", "channel_id": 100, "home_id": 100, "text_channel_id": 7}
    store = Store(folder / "state.sqlite3")
    store.open()
    await store.put(GUILD_ID, "player", encode(to_plain(session)), Position(OLD[0].id, 4000))
    await store.put(GUILD_ID, "connection", encode(connection))
    await store.aclose()


async def titles(guild: Guild) -> list[str]:
    """Of the current entry and of those that wait."""
    view: QueueView = await guild.ask(GetQueue())
    now = [] if view.now.track is None else [view.now.track.title]
    return now + [track.title for track in view.entries]


async def come_to(guild: Guild, wanted: list[str]) -> None:
    with anyio.fail_after(10):
        while await titles(guild) != wanted:  # noqa: ASYNC110 - asked, not told
            await anyio.sleep(0.01)


async def voice(guild: Guild) -> VoiceReport:
    report: VoiceReport = await guild.ask(GetVoice(), "connection")
    return report


async def in_voice(guild: Guild) -> int | None:
    with anyio.fail_after(10):
        while (seen := await voice(guild)).phase is not LinkPhase.READY:  # noqa: ASYNC110 - asked, not told
            await anyio.sleep(0.01)
    return seen.channel_id


async def test_a_guild_is_restored_as_soon_as_the_disk_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await leave_behind(tmp_path)
    disk = Disk(monkeypatch)
    async with open_guild(tmp_path) as guild:
        assert await titles(guild) == []
        with pytest.raises(StoreError):
            await guilds_to_restore(guild.store)
        disk.broken = False
        await come_to(guild, ["old", "older"])
        assert (await guild.ask(GetQueue())).now.position_s == 4.0
        assert await in_voice(guild) == 100


async def test_what_was_not_read_is_not_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await leave_behind(tmp_path)
    disk = Disk(monkeypatch)
    async with open_guild(tmp_path) as guild:
        assert not (await guild.ask(Enqueue(tracks("new", "newer")))).saved
        assert not (await guild.ask(SetVolume(70))).saved
        await guild.ask(Join(200, 7), "connection")
        assert await in_voice(guild) == 200
        monkeypatch.setattr(keeping, "AGAIN_S", 60.0)
        monkeypatch.setattr(keeping, "AGAIN_AT_MOST_S", 60.0)
        await anyio.sleep(0.1)  # the last short pauses are over: nobody asks for a minute
        disk.broken = False
        assert not (await guild.ask(SetVolume(60))).saved, "though the disk would take it"
        await guild.rooms.positions.collect()
        assert await guild.store.position(GUILD_ID) == Position(OLD[0].id, 4000)
        blob = await guild.store.get(GUILD_ID, "player")
        assert blob is not None
        assert decode("player", blob)["volume"] == 50
        incarnation = guild.incarnation("player")
        await guild.system.kill(f"guilds/{GUILD_ID}/player")
        await guild.until(lambda: guild.incarnation("player") > incarnation)
        await come_to(guild, ["new", "old", "older", "newer"])
        blob = await guild.store.get(GUILD_ID, "player")
        assert blob is not None
        state = decode("player", blob)
        assert (state["volume"], state["loop"], len(state["waiting"])) == (60, "queue", 3)
        assert await in_voice(guild) == 200


async def test_a_player_that_waits_for_the_disk_joins_what_it_did_to_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await leave_behind(tmp_path)
    disk = Disk(monkeypatch)
    async with open_guild(tmp_path) as guild:
        await guild.ask(Enqueue(tracks("new", "newer")))
        disk.broken = False
        await come_to(guild, ["new", "old", "older", "newer"])
        assert (await guild.ask(GetQueue())).now.volume == 50
        assert (await guild.ask(SetVolume(40))).saved


async def test_a_file_that_could_not_be_opened_is_looked_at_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "CHECK_S", 0.02)
    disk, store, verdict = Disk(monkeypatch), Store(tmp_path / "state.sqlite3"), Verdict()
    seen: list[str | None] = []
    store.on_change = seen.append
    spec = SupervisorSpec((ChildSpec("store", lambda: StoreRoom(store, verdict)),))
    async with open_system(spec):
        assert seen == ["disk I/O error"]
        disk.broken = False
        with anyio.fail_after(10):
            while store.problem is not None:  # noqa: ASYNC110 - nobody writes, nobody tells
                await anyio.sleep(0.01)
    assert seen == ["disk I/O error", None]


def test_nothing_is_lost_or_doubled_where_sessions_are_joined() -> None:
    stored = Session(Queue(OLD[0], OLD[1:]), volume=30, paused=True)
    assert joined(stored, Session()) == stored
    both = joined(stored, Session(Queue(OLD[1], tracks("new")), volume=80))
    assert [both.queue.current, *both.queue.waiting][:2] == [OLD[1], OLD[0]]
    assert (both.volume, both.paused, len(both.queue.waiting)) == (80, False, 2)


def test_the_pause_between_two_tries_grows_to_a_bound() -> None:
    pauses = [keeping.load_again_s(tries) for tries in (1, 2, 3, 4, 40)]
    assert pauses == sorted(pauses)
    assert pauses[-1] <= keeping.AGAIN_AT_MOST_S * 1.2
