"""Store and persistence actor: what was acknowledged is on disk, what is unreadable costs one part."""

from __future__ import annotations

import glob
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import anyio
import msgpack
import pytest
from hypothesis import given, strategies as st

from actors import persistence, schema
from actors.envelope import NewerStateError, UnreadableError, decode, encode
from actors.messages import Load, Save
from actors.store import Position, Store, StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from actors.testing import Guild

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(tmp_path / "state.sqlite3")
    store.open()
    yield store
    await store.aclose()


def rows(path: Path, table: str = "part") -> list[tuple[int, str, bytes]]:
    """What another process would see."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(f"SELECT guild, part, blob FROM {table}").fetchall()  # noqa: S608 - own names
    finally:
        connection.close()


async def test_what_was_put_is_on_disk_when_put_returns(store: Store, tmp_path: Path) -> None:
    await store.put(1, "player", b"a")
    assert rows(tmp_path / "state.sqlite3") == [(1, "player", b"a")]
    await store.put(1, "player", b"b")
    assert rows(tmp_path / "state.sqlite3") == [(1, "player", b"b")]
    assert await store.get(1, "player") == b"b"
    assert await store.get(1, "other") is None
    assert await store.blobs("player") == {1: b"b"}


async def test_many_writers_at_once_are_all_kept(store: Store, tmp_path: Path) -> None:
    async with anyio.create_task_group() as tasks:
        for guild_id in range(100):
            tasks.start_soon(store.put, guild_id, "player", bytes([guild_id]))
    assert len(rows(tmp_path / "state.sqlite3")) == 100


async def test_the_writer_thread_ends_with_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.sqlite3")
    store.open()
    await store.put(1, "player", b"a")
    assert "store" in {thread.name for thread in threading.enumerate()}
    await store.aclose()
    assert "store" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(StoreError, match="closed"):
        await store.put(1, "player", b"a")


async def test_a_place_that_cannot_be_written_is_an_error_and_gets_another_try(tmp_path: Path) -> None:
    blocked = tmp_path / "folder"
    blocked.write_text("a file where the folder should be")
    store = Store(blocked / "state.sqlite3")
    store.open()
    with pytest.raises(StoreError):
        await store.put(1, "player", b"a")
    blocked.unlink()
    await store.put(1, "player", b"a")
    assert await store.get(1, "player") == b"a"
    await store.aclose()


async def test_a_full_disk_is_an_error_and_passes(store: Store, tmp_path: Path) -> None:
    await store.put(1, "player", b"a")
    await store._do(lambda connection: connection.execute("PRAGMA max_page_count = 1").fetchone())
    with pytest.raises(StoreError, match="full"):
        await store.put(1, "player", b"x" * 100_000)
    assert await store.get(1, "player") == b"a"
    await store._do(lambda connection: connection.execute("PRAGMA max_page_count = 10000").fetchone())
    await store.put(1, "player", b"x" * 100_000)


async def test_a_file_that_is_no_database_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite3"
    path.write_bytes(b"no database at all" * 100)
    store = Store(path)
    store.open()
    await store.put(1, "player", b"a")
    assert await store.get(1, "player") == b"a"
    await store.aclose()
    aside = glob.glob(f"{path}.unreadable-*")  # noqa: PTH207 - a test may block
    assert len(aside) == 1


async def test_a_corrupt_row_is_set_aside_and_costs_its_part_only(guild: Guild, tmp_path: Path) -> None:
    await guild.store.put(42, "broken", b"\xc1 not msgpack")
    await guild.ask(Save("sound", {"a": 1}), "persistence")
    assert (await guild.ask(Load("broken"), "persistence")).state is None
    assert (await guild.ask(Load("sound"), "persistence")).state == {"a": 1}
    assert await guild.store.get(42, "broken") is None
    assert rows(tmp_path / "state.sqlite3", "set_aside")[0][:2] == (42, "broken")
    assert guild.incarnation("persistence") == 1


async def test_state_is_read_from_disk_by_a_restarted_actor(guild: Guild) -> None:
    await guild.ask(Save("part", {"text": "ü", "list": [1, None, True]}), "persistence")
    await guild.system.kill("guilds/42/persistence")
    loaded = await guild.ask(Load("part"), "persistence")
    assert loaded.state == {"text": "ü", "list": [1, None, True]}


async def test_reading_goes_on_where_nothing_can_be_written(store: Store, tmp_path: Path) -> None:
    told: list[str | None] = []
    store.on_change = told.append
    await store.put(1, "player", b"a", Position("x", 20))
    await store._do(lambda connection: connection.execute("PRAGMA query_only = 1").fetchone())
    with pytest.raises(StoreError, match="readonly"):
        await store.put(1, "player", b"b")
    assert store.problem is not None
    assert await store.get(1, "player") == b"a"
    assert await store.position(1) == Position("x", 20)
    await store.put(1, "player", b"b")  # by a new connection: the place can be written again
    assert len(told) == 2
    assert told[1] is None


async def test_what_does_not_fit_the_file_costs_nobody_else(store: Store, tmp_path: Path) -> None:
    """Waiting writes are one transaction; a guild id beyond 64 bits fits none."""
    outcomes: dict[int, object] = {}

    async def put(guild_id: int) -> None:
        try:
            await store.put(guild_id, "player", b"a")
        except StoreError as error:
            outcomes[guild_id] = error

    gate = threading.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(store._do, lambda _connection: gate.wait(10))
        await anyio.sleep(0.01)
        for guild_id in (1, 2**70, 2):
            tasks.start_soon(put, guild_id)
        await anyio.sleep(0.01)
        gate.set()
    assert list(outcomes) == [2**70]
    assert [row[0] for row in rows(tmp_path / "state.sqlite3")] == [1, 2]


OLD_TABLES = """
CREATE TABLE part (guild INTEGER NOT NULL, part TEXT NOT NULL, blob BLOB NOT NULL,
    PRIMARY KEY (guild, part)) WITHOUT ROWID;
CREATE TABLE set_aside (guild INTEGER NOT NULL, part TEXT NOT NULL, blob BLOB NOT NULL, at REAL NOT NULL);
"""
OLD_CONNECTION = {"boot": "b", "channel_id": 5, "home_id": 5, "text_channel_id": 7, "recovery": None}


def old_file(path: Path, version: int = 1) -> None:
    """As the first version of the program wrote it, with one unreadable position."""
    states = {
        (1, "connection"): OLD_CONNECTION,
        (1, "position"): {"entry": "e", "position_ms": 1500, "seeking": True},
        (2, "player"): {"current": None},
    }
    with sqlite3.connect(path) as connection:
        connection.executescript(OLD_TABLES)
        for (guild_id, part), state in states.items():
            blob = msgpack.packb({"version": version, "state": state})
            connection.execute("INSERT INTO part VALUES (?, ?, ?)", (guild_id, part, blob))
        connection.execute("INSERT INTO part VALUES (3, 'position', x'c1')")
    connection.close()


async def test_a_file_of_the_first_version_is_brought_up_to_date(store: Store, tmp_path: Path) -> None:
    old_file(tmp_path / "state.sqlite3")
    assert await store.position(1) == Position("e", 1500, seeking=True)
    assert await store.position(3) is None
    assert {row[:2] for row in rows(tmp_path / "state.sqlite3")} == {(1, "connection"), (2, "player")}
    blob = await store.get(1, "connection")
    assert blob is not None
    assert decode("connection", blob) == {**OLD_CONNECTION, "override": False, "health": {}}
    await store.aclose()
    again = Store(tmp_path / "state.sqlite3")
    again.open()
    assert await again.position(1) == Position("e", 1500, seeking=True), "the steps are taken once"
    await again.aclose()


async def test_a_step_that_fails_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM part")
        raise sqlite3.OperationalError("database or disk is full")

    path = tmp_path / "state.sqlite3"
    old_file(path)
    before = rows(path)
    connection = sqlite3.connect(path, isolation_level=None)
    monkeypatch.setattr(schema, "_STEPS", (schema._STEPS[0], broken))
    with pytest.raises(sqlite3.OperationalError):
        schema.bring_up_to_date(connection)
    connection.close()
    assert rows(path) == before
    monkeypatch.undo()
    store = Store(path)
    store.open()
    assert await store.position(1) == Position("e", 1500, seeking=True)
    await store.aclose()


@pytest.mark.parametrize("what", ["file", "blob"])
async def test_what_a_later_program_wrote_is_refused_and_left_as_it_is(tmp_path: Path, what: str) -> None:
    path = tmp_path / "state.sqlite3"
    old_file(path, version=99 if what == "blob" else 1)
    if what == "file":
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA user_version = 99")
        connection.close()
    before = rows(path)
    store = Store(path)
    store.open()
    for attempt in (store.check(), store.put(1, "player", b"a"), store.blobs("player")):
        with pytest.raises(NewerStateError, match=r"99.*run the version that wrote it"):
            await attempt
    await store.aclose()
    assert rows(path) == before


async def test_a_corrupt_session_is_told_in_its_channel_and_costs_its_part_only(
    guild: Guild, tmp_path: Path
) -> None:
    await guild.ask(Save("connection", {"text_channel_id": 7}), "persistence")
    await guild.store.put(42, "player", encode({"current": "no track"}))
    await guild.system.kill("guilds/42/persistence")
    await guild.system.kill("guilds/42/player")
    await guild.until(lambda: len(guild.port.notices) == 1)
    assert "could not be read" in guild.port.notices[0]
    assert rows(tmp_path / "state.sqlite3", "set_aside")[0][:2] == (42, "player")
    assert (await guild.ask(Load("connection"), "persistence")).state == {"text_channel_id": 7}
    await guild.until(lambda: guild.incarnation("player") == 2)


async def test_what_was_only_done_is_saved_as_soon_as_that_works(
    guild: Guild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persistence, "RETRY_S", 0.01)
    file = tmp_path / "state.sqlite3"
    await guild.ask(Save("part", {"a": 1}), "persistence")
    put, refusing = guild.store.put, True

    async def refuse(*arguments: Any) -> None:
        if refusing:
            raise StoreError("database or disk is full")
        await put(*arguments)

    monkeypatch.setattr(guild.store, "put", refuse)
    saved = await guild.ask(Save("part", {"a": 2}), "persistence")
    assert (saved.ok, saved.problem) == (False, "database or disk is full")
    assert (await guild.ask(Load("part"), "persistence")).state == {"a": 2}
    refusing = False
    await guild.until(lambda: decode("part", rows(file)[-1][2]) == {"a": 2})


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=5), plain, max_size=5))
def test_encoding_is_lossless(state: dict[str, object]) -> None:
    assert decode("part", encode(state)) == state


def test_half_a_character_in_a_title_is_kept() -> None:
    state = {"title": "broken \ud83d"}
    assert decode("part", encode(state)) == state


@given(st.binary(max_size=100))
def test_no_bytes_crash_the_reader(blob: bytes) -> None:
    try:
        decode("player", blob)
    except UnreadableError:
        return


def test_a_later_version_is_refused_by_name() -> None:
    with pytest.raises(NewerStateError, match="version 99"):
        decode("player", msgpack.packb({"version": 99, "state": {}}))


async def test_positions_of_many_guilds_are_written_at_once(store: Store) -> None:
    written = {guild_id: Position(f"e{guild_id}", guild_id * 20) for guild_id in range(1, 451)}
    await store.put_positions(written)
    assert {guild_id: await store.position(guild_id) for guild_id in written} == written
    await store.put_positions({450: Position("f", 0, seeking=True)})
    assert await store.position(450) == Position("f", 0, seeking=True)
    assert await store.position(449) == Position("e449", 449 * 20)
