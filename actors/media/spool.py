"""A track as ready Opus frames of 20 ms, in an anonymous file that a worker fills and the bot reads.

Records are `u16 length (network order) + payload`. The file has no name, so nothing is left of it when the
last descriptor is closed, whatever ends the process. A reader only ever sees what the worker has reported as
written.
"""

from __future__ import annotations

import os
import tempfile
from array import array
from typing import TYPE_CHECKING
from weakref import WeakSet

import anyio

from .effects import OFF
from .errors import ErrorKind, MediaError
from .opus import SILENCE
from .turns import Turn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .cache_file import Kept, Origin
    from .track import Track

FRAMES_PER_S = 50
FRAME_S = 0.02

_BLOCK = 8 * 1024  # bytes per read: half a second of music; a record has at most 1,277


class Spool:
    """The frames of `track` from frame `start_frame` of the medium on, at `volume` percent, with `effect`.

    `frames` are made so far and can be read; `complete` says that no more will come and all went well;
    `error` is set when the making has ended before the end of the track. `duration_s` is that of the whole
    medium. `ring`: bytes of its file, if that is written round and round (`LiveSpool`). `resumed`: it was
    being heard when the process ended. `turn`: whose turn it takes to be made.
    """

    ring: int | None = None

    def __init__(
        self, track: Track, work_dir: Path, *, start_frame: int = 0, volume: int = 100, effect: str = OFF
    ) -> None:
        self.track = track
        self.start_frame = start_frame
        self.volume = volume
        self.effect = effect
        self.title = track.title
        self.duration_s = track.duration_s
        self.frames = 0
        self.bytes = 0
        self.complete = False
        self.error: MediaError | None = None
        self.resumed = False
        self.turn = Turn()
        self.origin: Origin | None = None  # of the medium, once it was read to its end
        self._marks = array("Q", [0])  # where in the file each 50th frame begins
        self.fd = -1
        try:
            with tempfile.TemporaryFile(dir=work_dir, prefix="spool-") as file:
                self.fd = os.dup(file.fileno())
        except OSError as error:  # told like every other failure of this track: no disk, no descriptors
            self.error = MediaError(ErrorKind.DISK, f"The track cannot be prepared: {error.strerror}.")
        self._changed = anyio.Event()
        self._on_close: Callable[[], None] = _nothing
        self._cursors: WeakSet[Cursor] = WeakSet()

    def __del__(self) -> None:
        if getattr(self, "fd", -1) >= 0:  # forgotten by its owner: no file stays open for it
            os.close(self.fd)
            self.fd = -1

    @property
    def closed(self) -> bool:
        """Whether its file is freed; then its cursors have ended."""
        return self.fd < 0

    @property
    def finished(self) -> bool:
        """Whether no further frame will come."""
        return self.complete or self.error is not None or self.closed

    async def wait_ready(self, frames: int = 50) -> None:
        """Until that many frames are there, or all; raises MediaError if the making failed before."""
        while self.frames < frames and not self.complete:
            if self.error is not None:
                raise self.error
            await self._changed.wait()

    def covers(self, frame: int) -> bool:
        """Whether that frame of the track can be read from here now, and the second that follows it."""
        at = frame - self.start_frame
        return at >= 0 and (at + FRAMES_PER_S <= self.frames or (self.complete and at < self.frames))

    def place(self, frame: int) -> int:
        """Which frame of this spool is that frame of the track; it may begin before what was asked for."""
        return max(0, frame - self.start_frame)

    def cursor(self, at: int = 0, *, soft: bool = False) -> Cursor:
        """A reader from frame `at` of this spool on; any number of them, each on its own.

        `soft`: what was heard before is other music, see `Cursor`.
        """
        return Cursor(self, at, soft=soft)

    def watch(self, cursor: Cursor) -> None:
        """Have it end at once when the file is freed."""
        self._cursors.add(cursor)

    async def aclose(self) -> None:
        """End the making and free the file. Cursors end at once."""
        self.close()

    def close(self) -> None:
        """As `aclose`, for where nothing can be awaited."""
        if self.closed:
            return
        os.close(self.fd)
        self.fd = -1
        if not self.complete and self.error is None:
            self.error = MediaError(ErrorKind.CANCELLED, "The track was put away.")
        for cursor in self._cursors:
            cursor.drop()
        self._on_close()
        self._notify()

    def fileno(self) -> int:
        """The file's descriptor; raises MediaError (CANCELLED) if it is closed."""
        if self.closed:
            raise MediaError(ErrorKind.CANCELLED, "The track was put away.")
        return self.fd

    def read(self, size: int, offset: int) -> bytes:
        """Up to `size` bytes of what is made, from a position on."""
        return os.pread(self.fd, min(size, self.bytes - offset), offset)

    def offset_of(self, second: int) -> int:
        """Where the frame `second * 50` of this spool begins in the file."""
        return self._marks[second]

    @property
    def marks(self) -> bytes:
        """The index: where in the file each 50th frame begins, 8 bytes each."""
        return self._marks.tobytes()

    def adopt(self, fd: int, kept: Kept) -> None:
        """Be what the cache has kept, from the beginning of the track on; `fd` stays the caller's.

        For a spool of which nothing is made yet.
        """
        os.dup2(fd, self.fileno(), inheritable=False)
        self.start_frame, self._marks = 0, kept.marks
        self.describe(title=kept.about.title, duration_s=kept.about.duration_s)
        self.frames, self.bytes = kept.frames, kept.size
        self.finish(None)

    def on_close(self, callback: Callable[[], None] | None) -> None:
        """What is called when the spool is closed, by its maker's task."""
        self._on_close = callback or _nothing

    def describe(self, *, title: str | None, duration_s: float | None) -> None:
        """What the medium states of itself."""
        self.title = title or self.title
        self.duration_s = duration_s or self.duration_s
        self._notify()

    def grow(self, frames: int, size: int, marks: list[int]) -> None:
        """The worker has written `frames` frames in `size` bytes by now; `marks` go on with the index."""
        if frames < self.frames or size < self.bytes:
            raise ValueError("a spool does not shrink")
        self._marks.extend(marks)
        self.frames, self.bytes = frames, size
        self._notify()

    def finish(self, error: MediaError | None) -> None:
        """No further frame will come."""
        if not self.finished:
            self.error, self.complete = error, error is None
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


def _nothing() -> None: ...


class Cursor:
    """Reads a spool frame by frame: what a stream of the clock plays (a FrameSource).

    Half a second is read at once, and a frame is cut off when it is due. 1,000 streams do so 50,000 times a
    second: what counts is in how many places of memory a frame has been, and how little is looked at.

    A `soft` one gives silence for its first frame. A frame of Opus states the loudness of each band as a
    difference to the frame before; after other music than its own the sum may be much too loud. Silence is
    the least loudness that there is, from where the music comes up within 100 ms.
    """

    __slots__ = ("__weakref__", "_begin", "_block", "_offset", "_size", "_soft", "at", "spool")
    _begin: int  # in the block: of the next frame's record
    _size: int  # of the block

    def __init__(self, spool: Spool, at: int = 0, *, soft: bool = False) -> None:
        self.spool = spool
        spool.watch(self)
        self._soft = soft
        self.seek(at)

    def next_frame(self) -> bytes | None:
        """The next frame of 20 ms, or None: not made yet, or ended."""
        block, begin, size = self._block, self._begin, self._size
        if (start := begin + 2) <= size and (end := start + (block[begin] << 8 | block[begin + 1])) <= size:
            self._begin = end
            self.at += 1
            return block[start:end]
        return self._read_on()

    @property
    def ahead(self) -> int:
        """Frames that are made and not taken yet."""
        return max(0, self.spool.frames - self.at)

    @property
    def ended(self) -> bool:
        """Whether `next_frame` will never again give a frame."""
        return self.spool.closed or (self.spool.finished and self.at >= self.spool.frames)

    def seek(self, at: int) -> None:
        """Go on from frame `at` of the spool; it may lie ahead of what is made."""
        self.at = max(0, at)
        self._offset = -1  # in the file, of the block; -1: to be looked up
        self.drop()

    def drop(self) -> None:
        """Forget what was read ahead."""
        self._block = b""
        self._begin = self._size = 0

    def _read_on(self) -> bytes | None:
        """The next frame, from another block; None if it is not made."""
        spool = self.spool
        if spool.closed or self.at >= spool.frames:
            return None
        if self._offset < 0:
            self._look_up()
        else:
            self._read()
        frame = Cursor.next_frame(self)
        if self._soft:
            self._soft, frame = False, SILENCE
        return frame

    def _look_up(self) -> None:
        """Stand at the last mark, and pass by what comes before the frame."""
        second, before = divmod(self.at, FRAMES_PER_S)
        self._offset = self.spool.offset_of(second)
        self.at -= before
        soft, self._soft = self._soft, False
        for _ in range(before):
            Cursor.next_frame(self)
        self._soft = soft

    def _read(self) -> None:
        self._offset += self._begin
        block = self.spool.read(_BLOCK, self._offset)
        if len(block) < 2 or len(block) < 2 + (block[0] << 8) + block[1]:
            raise EOFError("the file of a spool is shorter than was reported")
        self._block, self._begin, self._size = block, 0, len(block)
