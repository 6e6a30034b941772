"""Log lines are written by a thread of their own.

A terminal that is held (Ctrl-S) or a full pipe blocks the writer of a line for as long as it likes. In the
loop's thread that would stop the music; here lines wait, and are dropped and counted when too many wait.
"""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

CAPACITY_LINES = 10_000
CLOSE_TIMEOUT_S = 2.0


class LineWriter:
    """Writes lines to a stream, in order, without ever blocking the caller. ``close`` ends its thread."""

    def __init__(self, stream: TextIO, capacity: int = CAPACITY_LINES) -> None:
        self._stream = stream
        self._capacity = capacity
        self._told = 0
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._rejected = 0  # counted by the callers, whom the handler's lock keeps one at a time
        self._refused = 0  # counted by the thread
        # A daemon: a stream that blocks for ever must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Queue a line; drop and count it if too many wait."""
        if self._lines.qsize() < self._capacity:
            self._lines.put(line)
        else:
            self._rejected += 1

    @property
    def dropped(self) -> int:
        """Lines that were never written: too many waited, or the stream refused them."""
        return self._rejected + self._refused

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> bool:
        """Write what waits and end the thread; False if the stream still blocked after the timeout."""
        self._lines.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            if not self._write(line):
                self._refused += 1
            if self._lines.empty():
                self._tell_loss()
        self._tell_loss()

    def _tell_loss(self) -> None:
        lost = self.dropped - self._told
        if lost and self._write(f"log: {lost} lines were dropped"):
            self._told += lost

    def _write(self, line: str) -> bool:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (
            OSError,
            ValueError,
        ):  # disk full, the reader is gone, the stream is closed: the music goes on
            return False
        return True


class WriterHandler(logging.Handler):
    """Formats a record in the caller's thread, redacts it, and hands the line to the writer."""

    def __init__(self, writer: LineWriter, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._writer = writer
        self._redact = redact

    def emit(self, record: logging.LogRecord) -> None:
        """Called by ``logging``; an error in formatting is told as a line, never raised."""
        try:
            line = self.format(record)
        except Exception as error:  # a field's __repr__ may raise anything; a log call must not
            line = f"log: a record of {record.name}, line {record.lineno}, cannot be formatted: {error!r}"
        self._writer.put(self._redact(line))
