"""Store and persistence actor: what was acknowledged is on disk, what is unreadable costs one part."""

from __future__ import annotations

import glob
import sqlite3
import threading
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given, strategies as st

from actors.messages import Load, Save
from actors.persistence import UnreadableError, decode, encode
from actors.store import Store, StoreError

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
    assert await store.guild_ids() == [1]


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


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=5), plain, max_size=5))
def test_encoding_is_lossless(state: dict[str, object]) -> None:
    assert decode(encode(state)) == state


def test_half_a_character_in_a_title_is_kept() -> None:
    state = {"title": "broken \ud83d"}
    assert decode(encode(state)) == state


@given(st.binary(max_size=100))
def test_no_bytes_crash_the_reader(blob: bytes) -> None:
    try:
        decode(blob)
    except UnreadableError:
        return


def test_a_later_schema_is_refused() -> None:
    import msgpack

    with pytest.raises(UnreadableError, match="schema version 99"):
        decode(msgpack.packb({"version": 99, "state": {}}))
