"""A track as ready Opus frames of 20 ms, in an anonymous file that a worker fills and the bot reads.

Records are `u16 length (network order) + payload`. The file has no name, so nothing is left of it when the
last descriptor is closed, whatever ends the process. A reader only ever sees what the worker has reported as
written.
"""

from __future__ import annotations

import os
import tempfile
from array import array
from collections import deque
from typing import TYPE_CHECKING

import anyio

from .effects import OFF
from .errors import ErrorKind, MediaError
from .opus import SILENCE

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
    medium. `ring`: bytes of its file, if that is written round and round (`LiveSpool`).
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

    Half a second of frames is read at once and cut up, so that a frame that is due costs no more than taking
    it; 1,000 streams do so 50,000 times a second.

    A `soft` one gives silence for its first frame. A frame of Opus states the loudness of each band as a
    difference to the frame before; after other music than its own the sum may be much too loud. Silence is
    the least loudness that there is, from where the music comes up within 100 ms.
    """

    def __init__(self, spool: Spool, at: int = 0, *, soft: bool = False) -> None:
        self.spool = spool
        self.at = max(0, at)
        self._soft = soft
        self._ready: deque[bytes] = deque()  # the frames from `at` on
        self._offset = -1  # in the file, of the first frame behind those; -1: to be looked up

    def next_frame(self) -> bytes | None:
        """The next frame of 20 ms, or None: not made yet, or ended."""
        spool, ready = self.spool, self._ready
        if spool.fd < 0:
            return None
        if not ready:
            if self.at >= spool.frames:
                return None
            self._read_on()
        self.at += 1
        return ready.popleft()

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
        self._ready.clear()
        self._offset = -1

    def _read_on(self) -> None:
        """At least one frame more; there is one."""
        if self._offset < 0:
            self._look_up()
        while not self._ready:
            self._read()
        if self._soft:
            self._soft = False
            self._ready[0] = SILENCE

    def _look_up(self) -> None:
        """Read from the last mark on, and drop what comes before `at`."""
        self._offset = self.spool.offset_of(self.at // FRAMES_PER_S)
        before = self.at % FRAMES_PER_S
        while before:
            self._read()
            dropped = min(before, len(self._ready))
            for _ in range(dropped):
                self._ready.popleft()
            before -= dropped

    def _read(self) -> None:
        block = self.spool.read(_BLOCK, self._offset)
        begin, size = 0, len(block)
        while begin + 2 <= size and (end := begin + 2 + (block[begin] << 8) + block[begin + 1]) <= size:
            self._ready.append(block[begin + 2 : end])
            begin = end
        if not begin:
            raise EOFError("the file of a spool is shorter than was reported")
        self._offset += begin
