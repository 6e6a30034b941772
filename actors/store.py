"""What is kept on disk: one row per guild and part, one position per guild, in SQLite, by one thread.

WAL with synchronous=NORMAL keeps what was acknowledged under SIGKILL of the process. All writes that wait are
one transaction. Where nothing can be written (disk full, read-only folder), each write raises StoreError and
the reason, and `on_change` is told; the store goes on and tries again with the next write. What is there is
read all the same: where to open the file as usual takes writing, it is opened without its shared index.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from dataclasses import dataclass
from itertools import groupby, islice
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import structlog

from .envelope import NewerStateError
from .schema import bring_up_to_date, refuse_newer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

T = TypeVar("T")

BATCH = 256
"""Jobs in one transaction at most."""

_ROWS = 200
"""Rows of one statement: SQLite takes 999 values in any version."""

log = structlog.get_logger(__name__)


class StoreError(Exception):
    """The disk did not take or give it; the text says why."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where in its queue a guild is.

    :ivar entry: id of the entry that is current, None without one
    :ivar position_ms: how far it was heard, or from where on it is to be
    :ivar seeking: the position was asked for and is yet to be reached
    """

    entry: str | None
    position_ms: int
    seeking: bool = False


@dataclass(slots=True)
class _Job(Generic[T]):
    """Work for the writer's connection, and the caller's future on the caller's loop."""

    work: Callable[[sqlite3.Connection], T]
    future: asyncio.Future[T]
    loop: asyncio.AbstractEventLoop
    writes: bool

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
    """The process-wide store; `open` starts its writer thread, `aclose` writes what waits and ends it.

    :ivar problem: why nothing can be written now; None while all is well
    :ivar on_change: called on the event loop when `problem` comes or goes
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None
        self._alone = False  # the connection is one of `_open_alone`
        self.problem: str | None = None
        self.on_change: Callable[[str | None], None] = _ignore

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

    async def check(self) -> None:
        """Open the file and bring it up to date.

        :raises NewerStateError: it was written by a later program; nothing of it will be read or changed
        :raises StoreError: it cannot be opened for writing now, which `problem` says from then on
        """
        await self._do(lambda _connection: None, writes=True)

    async def put(self, guild_id: int, part: str, blob: bytes, position: Position | None = None) -> None:
        """Returns when the blob, and the position if there is one, are committed together.

        :raises StoreError: if they are not.
        """

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO part VALUES (?, ?, ?)", (guild_id, part, blob))
            if position is not None:
                _put_positions(connection, {guild_id: position})

        await self._do(work, writes=True)

    async def put_positions(self, positions: Mapping[int, Position]) -> None:
        """Positions of many guilds, in one transaction.

        :raises StoreError: if they are not committed.
        """
        await self._do(lambda connection: _put_positions(connection, positions), writes=True)

    async def get(self, guild_id: int, part: str) -> bytes | None:
        """The last committed blob, or None.

        :raises StoreError: if the file cannot be read.
        """
        row = await self._do(lambda connection: _select(connection, guild_id, part))
        return None if row is None else bytes(row[0])

    async def position(self, guild_id: int) -> Position | None:
        """The last committed position, or None.

        :raises StoreError: if the file cannot be read.
        """
        statement = "SELECT entry, position_ms, seeking FROM position WHERE guild = ?"
        row = await self._do(lambda connection: connection.execute(statement, (guild_id,)).fetchone())
        return None if row is None else Position(row[0], row[1], bool(row[2]))

    async def blobs(self, part: str) -> Mapping[int, bytes]:
        """This part of every guild that has one.

        :raises StoreError: if the file cannot be read.
        """
        statement = "SELECT guild, blob FROM part WHERE part = ? ORDER BY guild"
        rows = await self._do(lambda connection: connection.execute(statement, (part,)).fetchall())
        return {guild_id: bytes(blob) for guild_id, blob in rows}

    async def current_entries(self) -> Mapping[int, str]:
        """The id of the current entry of every guild that has one.

        :raises StoreError: if the file cannot be read.
        """
        statement = "SELECT guild, entry FROM position WHERE entry IS NOT NULL"
        return dict(await self._do(lambda connection: connection.execute(statement).fetchall()))

    async def set_aside(self, guild_id: int, part: str) -> None:
        """Move a row that nobody can read out of the way, to the table `set_aside`.

        :raises StoreError: if it is still there.
        """
        await self._do(lambda connection: _set_aside(connection, guild_id, part), writes=True)

    async def _do(self, work: Callable[[sqlite3.Connection], T], *, writes: bool = False) -> T:
        if self._thread is None:
            raise StoreError("the store is closed")
        loop = asyncio.get_running_loop()
        job: _Job[T] = _Job(work, loop.create_future(), loop, writes)
        self._jobs.put(job)
        try:
            value = await job.future
        except StoreError as error:
            if writes:
                self._note(str(error))
            raise
        if writes:
            self._note(None)
        return value

    def _note(self, problem: str | None) -> None:
        """Tell once when writing begins to fail, and once when it works again."""
        before, self.problem = self.problem, problem
        if (before is None) is not (problem is None):
            self.on_change(problem)

    # Everything below runs in the writer thread.

    def _run(self) -> None:
        while (batch := self._batch()) is not None:
            self._transact(batch)
        self._close()

    def _close(self) -> None:
        connection, self._connection, self._alone = self._connection, None, False
        if connection is not None:
            connection.close()

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
        """In the order in which they came; writes next to each other are one transaction."""
        for writes, jobs in groupby(batch, key=lambda job: job.writes):
            group = list(jobs)
            if writes:
                self._close_alone()
                self._write(group)
            else:
                for job in group:  # what can be read is read, though nothing can be written
                    self._read(job)
        self._close_alone()

    def _close_alone(self) -> None:
        """Such a connection locks everybody else out, a backup too, and is not for writing."""
        if self._alone:
            self._close()

    def _read(self, job: _Job[Any]) -> None:
        self._settle([job], lambda connection: [job.work(connection)], self._connect_to_read)

    def _write(self, jobs: list[_Job[Any]]) -> None:
        def work(connection: sqlite3.Connection) -> list[Any]:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                return [job.work(connection) for job in jobs]

        self._settle(jobs, work, self._connect)

    def _settle(
        self,
        jobs: list[_Job[Any]],
        work: Callable[[sqlite3.Connection], list[Any]],
        connect: Callable[[], sqlite3.Connection],
    ) -> None:
        """Nothing ends the thread: every job is answered."""
        try:
            values = work(self._connection or connect())
        except NewerStateError as error:
            _fail(jobs, error)
        except (sqlite3.OperationalError, OSError) as error:  # of the place, not of what is written
            log.debug("store_failed", error=str(error), jobs=len(jobs))
            self._close()  # a file that was opened where nothing could be written stays unwritable
            _fail(jobs, StoreError(str(error)))
        except Exception as error:
            if len(jobs) > 1:  # one of them is not fit for the file; the others must not suffer for it
                for job in jobs:
                    self._write([job])
            else:
                log.exception("store_job_failed")
                _fail(jobs, StoreError(str(error) or type(error).__name__))
        else:
            for job, value in zip(jobs, values, strict=True):
                job.succeed(value)

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._connection = _open(self._path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise  # cannot be opened or written: not the content's fault
            aside = _move_aside(self._path)
            log.error("store_set_aside", file=aside.name, error=str(error))  # noqa: TRY400 - expected
            self._connection = _open(self._path)
        return self._connection

    def _connect_to_read(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.OperationalError as error:
            log.debug("store_read_alone", error=str(error))
            self._connection, self._alone = _open_alone(self._path), True
            return self._connection


def _open_alone(path: Path) -> sqlite3.Connection:
    """The file as it is, its log included, with nothing written beside it.

    After a kill SQLite begins with making the shared index of the log (-shm) anew, which a full disk refuses.
    With exclusive locking it keeps that index in its own memory (sqlite.org/wal.html, "Use of WAL Without
    Shared-Memory"). That suits a process that owns its data folder (`data_lock`), for as long as it must be.
    Opening it as immutable would be wrong: that leaves out the log, and with it what was saved last.
    """
    connection = sqlite3.connect(path, isolation_level=None, timeout=2.0)
    try:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        refuse_newer(connection)
    except (sqlite3.Error, NewerStateError):
        connection.close()
        raise
    return connection


def _open(path: Path) -> sqlite3.Connection:
    """The file in WAL mode and the present layout; transactions are begun by hand."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=2.0)
    try:
        refuse_newer(connection)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        bring_up_to_date(connection)
    except (sqlite3.Error, NewerStateError):
        connection.close()
        raise
    return connection


def _move_aside(path: Path) -> Path:
    """The whole file, with what SQLite keeps beside it: a log that stayed would be read into the new one."""
    aside = path.with_name(f"{path.name}.unreadable-{int(time.time())}")
    for ending in ("-wal", "-shm"):
        beside = path.with_name(path.name + ending)
        if beside.exists():
            beside.replace(aside.with_name(aside.name + ending))
    path.replace(aside)
    return aside


def _fail(jobs: list[_Job[Any]], error: Exception) -> None:
    for job in jobs:
        job.fail(error)


def _ignore(_problem: str | None) -> None:
    """Nobody wants to know."""


def _put_positions(connection: sqlite3.Connection, positions: Mapping[int, Position]) -> None:
    """A few statements for all: each one that the thread begins takes the interpreter from the clock."""
    left = iter(positions.items())
    while rows := tuple(islice(left, _ROWS)):
        places = ", ".join(["(?, ?, ?, ?)"] * len(rows))
        statement = f"INSERT OR REPLACE INTO position VALUES {places}"  # noqa: S608 - nothing but places
        values = [each for guild, at in rows for each in (guild, at.entry, at.position_ms, at.seeking)]
        connection.execute(statement, values)


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
