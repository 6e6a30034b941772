"""Where a worker puts finished frames: the spool's file, and a report to the bot now and then."""

from __future__ import annotations

import os
import struct
import time
from typing import TYPE_CHECKING, Any

from .errors import ErrorKind, MediaError
from .opus import MAX_PACKET

if TYPE_CHECKING:
    from collections.abc import Callable

_LENGTH = struct.Struct("!H")
_REPORT_S = 0.05
_REPORT_BYTES = 64 << 10
FRAMES_PER_MARK = 50


class Sink:
    """Appends records to `fd` from byte `size` on, and reports what is written: frames, bytes and the index.

    `max_frames` and `max_bytes` bound the spool; beyond them `append` raises MediaError (TOO_LONG). With
    `ring` nothing does: the file is one of so many bytes, written round and round.
    """

    def __init__(
        self,
        fd: int,
        report: Callable[[dict[str, Any]], None],
        *,
        frames: int = 0,
        size: int = 0,
        max_frames: int,
        max_bytes: int,
        ring: int | None = None,
    ) -> None:
        self.frames = frames
        self._fd = fd
        self._report = report
        self._written = size
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._ring = ring
        self._pending = bytearray()
        self._marks: list[int] = []
        self._reported_at = 0.0

    def append(self, frame: bytes) -> None:
        """One frame of 20 ms; raises MediaError (NOT_AUDIO) if it could not be sent in one datagram."""
        if not 0 < len(frame) <= MAX_PACKET:
            raise MediaError(ErrorKind.NOT_AUDIO, "The audio of this file is damaged.")
        if self._ring is None and self._is_full():
            self.flush()
            raise MediaError(ErrorKind.TOO_LONG, "The track is longer than this bot plays; it ends here.")
        self._pending += _LENGTH.pack(len(frame))
        self._pending += frame
        self.frames += 1
        if self.frames % FRAMES_PER_MARK == 0:
            self._marks.append(self._written + len(self._pending))
        if len(self._pending) >= _REPORT_BYTES or time.monotonic() - self._reported_at >= _REPORT_S:
            self.flush()

    def _is_full(self) -> bool:
        return self.frames >= self._max_frames or self._written + len(self._pending) >= self._max_bytes

    def flush(self) -> None:
        """Write and report what is pending."""
        if not self._pending:
            return
        self._write()
        self._report({"frames": self.frames, "bytes": self._written, "marks": self._marks})
        self._marks = []
        self._reported_at = time.monotonic()

    def _write(self) -> None:
        try:
            while self._pending:
                at = self._written if self._ring is None else self._written % self._ring
                room = len(self._pending) if self._ring is None else self._ring - at
                done = os.pwrite(self._fd, memoryview(self._pending)[:room], at)
                self._written += done
                del self._pending[:done]
        except OSError as error:
            raise MediaError(ErrorKind.DISK, "The disk is full: the track cannot be prepared.") from error
