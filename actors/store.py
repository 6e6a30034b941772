"""What is kept on disk: one row per guild and part, in SQLite, written by one thread.

WAL with synchronous=NORMAL keeps what was acknowledged under SIGKILL of the process. All writes that wait are
one transaction. Where nothing can be written (disk full, read-only folder), each write raises StoreError and
the reason; the store goes on and tries again with the next write.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")

BATCH = 256
"""Jobs in one transaction at most."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS part (
    guild INTEGER NOT NULL, part TEXT NOT NULL, blob BLOB NOT NULL, PRIMARY KEY (guild, part)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS set_aside (
    guild INTEGER NOT NULL, part TEXT NOT NULL, blob BLOB NOT NULL, at REAL NOT NULL
);
"""

log = structlog.get_logger(__name__)


class StoreError(Exception):
    """The disk did not take or give it; the text says why."""


@dataclass(slots=True)
class _Job(Generic[T]):
    """Work for the writer's connection, and the caller's future on the caller's loop."""

    work: Callable[[sqlite3.Connection], T]
    future: asyncio.Future[T]
    loop: asyncio.AbstractEventLoop

    def succeed(self, value: T) -> None:
        self._settle(lambda: self.future.set_result(value))

    def fail(self, error: Exception) -> None:
        self._settle(lambda: self.future.set_exception(error))

    def _settle(self, settle: Callable[[], None]) -> None:
        try:
            self.loop.call_soon_threadsafe(lambda: None if self.future.done() else settle())
        except RuntimeError:  # the loop has ended: nobody waits any more
            log.debug("store_answer_unwanted")


class Store:
    """The process-wide store; `open` starts its writer thread, `aclose` writes what waits and ends it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Start the writer thread; it opens the file by itself, with the first job."""
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    async def aclose(self) -> None:
        """Write what waits, close the file and end the thread."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._jobs.put(None)
        await asyncio.to_thread(thread.join)

    async def put(self, guild_id: int, part: str, blob: bytes) -> None:
        """Returns when the blob is committed.

        :raises StoreError: if it is not.
        """
        statement = "INSERT OR REPLACE INTO part VALUES (?, ?, ?)"
        await self._do(lambda connection: connection.execute(statement, (guild_id, part, blob)).rowcount)

    async def get(self, guild_id: int, part: str) -> bytes | None:
        """The last committed blob, or None.

        :raises StoreError: if the file cannot be read.
        """
        row = await self._do(lambda connection: _select(connection, guild_id, part))
        return None if row is None else bytes(row[0])

    async def set_aside(self, guild_id: int, part: str) -> None:
        """Move a row that nobody can read out of the way, to the table `set_aside`.

        :raises StoreError: if it is still there.
        """
        await self._do(lambda connection: _set_aside(connection, guild_id, part))

    async def guild_ids(self) -> list[int]:
        """The guilds that have any part.

        :raises StoreError: if the file cannot be read.
        """
        statement = "SELECT DISTINCT guild FROM part ORDER BY guild"
        return await self._do(lambda connection: [row[0] for row in connection.execute(statement)])

    async def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._thread is None:
            raise StoreError("the store is closed")
        loop = asyncio.get_running_loop()
        job: _Job[T] = _Job(work, loop.create_future(), loop)
        self._jobs.put(job)
        return await job.future

    # Everything below runs in the writer thread.

    def _run(self) -> None:
        while (batch := self._batch()) is not None:
            self._transact(batch)
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _batch(self) -> list[_Job[Any]] | None:
        """The job that came first and those that wait behind it; None at the end."""
        first = self._jobs.get()
        if first is None:
            return None
        batch = [first]
        while len(batch) < BATCH:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                break
            if job is None:
                self._jobs.put(None)
                break
            batch.append(job)
        return batch

    def _transact(self, batch: list[_Job[Any]]) -> None:
        try:
            connection = self._connection or self._connect()
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                values = [job.work(connection) for job in batch]
        except (sqlite3.Error, OSError) as error:
            log.error("store_failed", error=str(error), jobs=len(batch))  # noqa: TRY400 - expected
            for job in batch:
                job.fail(StoreError(str(error)))
            return
        for job, value in zip(batch, values, strict=True):
            job.succeed(value)

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._connection = _open(self._path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise  # cannot be opened or written: not the content's fault
            aside = self._path.with_name(f"{self._path.name}.unreadable-{int(time.time())}")
            self._path.replace(aside)
            log.error("store_set_aside", file=aside.name, error=str(error))  # noqa: TRY400 - expected
            self._connection = _open(self._path)
        return self._connection


def _open(path: Path) -> sqlite3.Connection:
    """The file in WAL mode with its tables; transactions are begun by hand."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=2.0)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.executescript(SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _select(connection: sqlite3.Connection, guild_id: int, part: str) -> tuple[bytes] | None:
    row: tuple[bytes] | None = connection.execute(
        "SELECT blob FROM part WHERE guild = ? AND part = ?", (guild_id, part)
    ).fetchone()
    return row


def _set_aside(connection: sqlite3.Connection, guild_id: int, part: str) -> None:
    where = (guild_id, part)
    connection.execute(
        "INSERT INTO set_aside SELECT guild, part, blob, ? FROM part WHERE guild = ? AND part = ?",
        (time.time(), *where),
    )
    connection.execute("DELETE FROM part WHERE guild = ? AND part = ?", where)
