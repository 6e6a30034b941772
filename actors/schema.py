"""The layout of the state file, and the way from each older one to it.

`PRAGMA user_version` holds the number of the layout; a file of before that number was kept says 0. Each step
is one transaction with the number that it leads to, so that a process killed in the midst finds either layout
whole. A file of a later program is refused and left as it is: to open it with this one could only lose what
the other one knew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .envelope import NewerStateError, UnreadableError, decode, refuse_newer_blob

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

_PREFIX: Final = 32
"""Bytes of a blob that surely hold its version."""


def refuse_newer(connection: sqlite3.Connection) -> None:
    """Look at the file and at every blob in it, before anything is changed.

    :raises NewerStateError: a later program has written it
    """
    version = _version(connection)
    if version > VERSION:
        raise NewerStateError(
            f"the state file has layout {version}, and this version of the bot knows {VERSION} at most: "
            "run the version that wrote it, or restore a backup"
        )
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'part'").fetchone() is None:
        return
    statement = "SELECT guild, part, substr(blob, 1, ?) FROM part"
    for guild_id, part, prefix in connection.execute(statement, (_PREFIX,)):
        refuse_newer_blob(bytes(prefix), f"guild {guild_id}, {part}")


def bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Take the steps that the file lacks; one that is not refused.

    :raises sqlite3.Error: a step could not be taken; the file is as it was before that step
    """
    version = _version(connection)
    for number, step in enumerate(_STEPS[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            step(connection)
            connection.execute(f"PRAGMA user_version = {number}")
        except BaseException:
            connection.rollback()
            raise
        connection.commit()


def _version(connection: sqlite3.Connection) -> int:
    row: tuple[int] = connection.execute("PRAGMA user_version").fetchone()
    return row[0]


def _tables(connection: sqlite3.Connection) -> None:
    """To 1: what a file of before the numbers has already."""
    connection.execute(
        "CREATE TABLE IF NOT EXISTS part (guild INTEGER NOT NULL, part TEXT NOT NULL, blob BLOB NOT NULL, "
        "PRIMARY KEY (guild, part)) WITHOUT ROWID"
    )
    connection.execute(
        "CREATE TABLE IF NOT EXISTS set_aside (guild INTEGER NOT NULL, part TEXT NOT NULL, "
        "blob BLOB NOT NULL, at REAL NOT NULL)"
    )


def _positions(connection: sqlite3.Connection) -> None:
    """To 2: positions in a table of their own, as all of them are written together twice a second."""
    connection.execute(
        "CREATE TABLE position (guild INTEGER PRIMARY KEY, entry TEXT, position_ms INTEGER NOT NULL, "
        "seeking INTEGER NOT NULL)"
    )
    for guild_id, blob in connection.execute("SELECT guild, blob FROM part WHERE part = 'position'"):
        try:
            state = decode("position", blob)
            row = (guild_id, state["entry"], int(state["position_ms"]), bool(state.get("seeking")))
        except (UnreadableError, KeyError, TypeError, ValueError):
            continue  # the track begins anew
        connection.execute("INSERT INTO position VALUES (?, ?, ?, ?)", row)
    connection.execute("DELETE FROM part WHERE part = 'position'")


_STEPS: Final[tuple[Callable[[sqlite3.Connection], None], ...]] = (_tables, _positions)

VERSION: Final = len(_STEPS)
"""The number of the layout that this program writes."""
