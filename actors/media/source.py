"""The bytes of a medium over HTTP, as a file that FFmpeg can read, and that a broken connection does not end.

FFmpeg's own HTTP cannot tell a cut connection from the end of the file, and its reconnect flags replay a
file from the start on servers without ranges. Here the end is where the server says that the file ends (RFC
9110, 14.4); a connection that ends before is made anew at the byte where it stopped.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

import urllib3

from .cache_file import Origin
from .errors import ErrorKind, MediaError
from .guard import refusal
from .identity import Identity, Prefix, changed
from .requester import Address, Requester
from .retry_after import asked_wait_s

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CHUNK = 10 << 20  # bytes of one ranged request; YouTube slows larger ones down
TIMEOUT_S = 5.0  # for a connection, and between two pieces of an answer
_SKIP = 128 << 10  # seeking ahead by less than this reads on instead of a new request
_BACKOFF_S = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)  # waits of failures in a row without a byte between them
_REFRESHES = 3
_MAX_TOLD = 200  # characters of a header that is remembered
_UNKNOWN = 1 << 62  # an end that no answer states
_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")
_NO_RANGE = re.compile(r"bytes \*/([0-9]{1,18})")
_SIZE = re.compile(r"[0-9]{1,18}")


class _FailedError(Exception):
    """This attempt did not work; another one may, not before `after_s`."""

    def __init__(self, reason: str, after_s: float = 0.0) -> None:
        self.after_s = after_s
        super().__init__(reason)


class HttpSource:
    """A readable, and if the server knows ranges seekable, file. Not for several threads, except `cancelled`.

    `refresh(status)` gives a new address when the present one was refused (401, 403, 404, 410), or raises.
    `backoff_s`: waits before the repetitions of a request, as many as there may be.
    """

    def __init__(
        self,
        address: Address,
        *,
        cancelled: threading.Event | None = None,
        refresh: Callable[[int], Address] | None = None,
        max_bytes: int = 4 << 30,
        chunk: int | None = None,
        timeout_s: float = TIMEOUT_S,
        backoff_s: Sequence[float] = _BACKOFF_S,
    ) -> None:
        self._cancelled = cancelled or threading.Event()
        self._refresh = refresh
        self._max_bytes = max_bytes
        self._chunk = min(chunk or CHUNK, CHUNK)
        self._backoff_s = backoff_s
        self._requester = Requester(address, timeout_s=timeout_s)
        self._response: urllib3.BaseHTTPResponse | None = None
        self._stop = 0  # where the present answer ends
        self._at = 0  # position of the present answer's next byte
        self._position = 0  # where FFmpeg wants to read
        self._furthest = 0  # how far it has read
        self._stated: int | None = None  # the size, as every answer says
        self._identity = Identity()
        self._failures = 0
        self._refreshes = 0
        self._ranges = True
        self._opened = False
        self.closed = False
        self.error: MediaError | None = None  # what ended it for good; FFmpeg takes some errors for an end
        self.size_was_stated = False  # else the end of an answer may be a cut, which nobody can tell
        self.received = 0  # bytes read from the network in all
        self.total: int | None = None  # size of the file, if the server has said it
        self.name = address.url  # FFmpeg resolves relative links of playlists against it

    # -- the file that FFmpeg sees

    def open(self) -> HttpSource:
        """Make the first request, so that `seekable` and `total` are known."""
        while not self._opened:
            self._attempt(self._connect)
        return self

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, at least one; empty only at the true end. Raises MediaError."""
        while self.error is None and not self._at_end():
            data: bytes = self._attempt(lambda: self._receive(size)) or b""
            if data:
                self._identity.note(self._position, data)
                self._position += len(data)
                self._furthest = max(self._furthest, self._position)
                self.received += len(data)
                self._failures = 0
                self._bound()
                return data
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Set the position; the next read makes the request."""
        base = {0: 0, 1: self._position, 2: self.total or 0}[whence]
        if whence == 2 and self.total is None:
            raise OSError("the size of the file is not known")
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """The position in bytes."""
        return self._position

    def seekable(self) -> bool:
        """Whether the server answers ranges. One that does not is read from the start to the end only."""
        return self._ranges

    def origin(self) -> Origin:
        """What the server says of the file, by which a changed one can be told."""
        return Origin(True, _told(self._identity.tag), _told(self._identity.modified), self.total)

    def abort(self) -> None:
        """Wake whoever waits for the server, from any thread; to be called after `cancelled` was set."""
        self._requester.abort()

    def close(self) -> None:
        """End the connection."""
        self.closed = True
        self._drop()
        self._requester.close()

    def _bound(self) -> None:
        """For answers that state no size; what is played seeks about, so some may come twice."""
        if self.total is None and self.received > self._max_bytes:
            self.error = MediaError(ErrorKind.TOO_LONG, "The file is too large.")
            raise self.error

    # -- positions

    def _at_end(self) -> bool:
        return self._opened and self.total is not None and self._position >= self.total

    def _align(self) -> None:
        """Make the present answer stand at the position, or have none: FFmpeg seeks about to ask the size."""
        ahead = self._position - self._at
        if self._response is None or not ahead:
            return
        if not 0 < ahead <= min(_SKIP, self._stop - self._at - 1):
            self._drop()
            return
        self._read_away(self._response, ahead)
        self._at = self._position

    # -- one attempt and what follows when it fails

    def _attempt(self, action: Callable[[], Any]) -> Any:
        try:
            self._check_cancelled()
            return action()
        except MediaError as error:
            self.error = error
            raise
        except (_FailedError, urllib3.exceptions.HTTPError, OSError) as error:
            self._drop()
            self.error = self._judge(error)
            if self.error is not None:
                raise self.error from error
            return None

    def _judge(self, error: Exception) -> MediaError | None:
        """The error that ends this source, or None, after a while, if the request is to be made again."""
        if (refused := refusal(error)) is not None:
            return refused
        if self._failures >= len(self._backoff_s):
            text = (
                "The connection to the media server was lost."
                if self.received
                else "The media server cannot be reached."
            )
            return MediaError(ErrorKind.UNAVAILABLE, text, retryable=True)
        after_s = error.after_s if isinstance(error, _FailedError) else 0.0
        self._cancelled.wait(max(after_s, self._backoff_s[self._failures]))
        self._failures += 1
        return None

    def _drop(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None

    def _receive(self, size: int) -> bytes:
        self._align()
        if self._response is None:
            self._connect()
        if self._response is None:  # 416 said that this is the end
            return b""
        data = self._response.read1(size)
        if not data:
            return self._end_of_answer()
        self._at += len(data)
        if self._at >= self._stop:  # used up: its connection serves the next range
            self._response.release_conn()
            self._response = None
        return data

    def _end_of_answer(self) -> bytes:
        self._drop()
        if self._stop == _UNKNOWN:  # neither a length nor ranges: the end of the answer is all there is
            self.total = self._position
            return b""
        raise _FailedError("the answer was shorter than announced")

    # -- requests

    def _connect(self) -> None:
        position = self._position
        response = self._requester.get(position, self._chunk, self._identity.condition if position else None)
        try:
            self._check(response, position)
        except BaseException:
            response.close()
            raise

    def _check(self, response: urllib3.BaseHTTPResponse, position: int) -> None:
        if response.headers.get("Content-Encoding", "identity").lower() not in {"identity", ""}:
            raise MediaError(
                ErrorKind.UNAVAILABLE, "The media server answers in a form that was not asked for."
            )
        handler = {206: self._take_part, 200: self._take_whole, 416: self._take_nothing}.get(response.status)
        if handler is None:
            self._refused(response.status)
            raise _FailedError(f"status {response.status}", asked_wait_s(response))
        handler(response, position)
        self._at = position
        self._opened = True

    def _take_part(self, response: urllib3.BaseHTTPResponse, position: int) -> None:
        match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if match is None or int(match[1]) != position:
            raise _FailedError("the answer is another part than was asked for")
        self._same_file(response, None if match[3] == "*" else int(match[3]))
        self._response, self._stop = response, int(match[2]) + 1

    def _take_whole(self, response: urllib3.BaseHTTPResponse, position: int) -> None:
        length = response.headers.get("Content-Length", "")
        size = int(length) if _SIZE.fullmatch(length) else None
        self._same_file(response, size)
        checked = self._identity.knows(position)
        if position and size is None and not checked:
            raise MediaError(ErrorKind.CHANGED, "The connection was lost, and the server cannot continue it.")
        self._ranges = False
        self._response, self._stop = response, _UNKNOWN if size is None else size
        prefix = self._identity.prefix() if checked else None
        self._read_away(response, position, prefix)

    def _read_away(self, response: urllib3.BaseHTTPResponse, size: int, prefix: Prefix | None = None) -> None:
        """Read and forget: what lies before the position must never be played a second time.

        :param prefix: what these bytes must be; others are of another file, or of a live stream
        """
        while size:
            data = response.read(min(size, 65536))
            if not data:
                raise _FailedError("the connection ended")
            size -= len(data)
            if prefix is not None:
                prefix.feed(data)
            self._check_cancelled()
        if prefix is not None:
            prefix.finish()

    def _check_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise MediaError(ErrorKind.CANCELLED, "Nobody wants this any more.")

    def _take_nothing(self, response: urllib3.BaseHTTPResponse, position: int) -> None:
        stated = _NO_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        end = position if stated is None else int(stated[1])
        if self.total is not None and position < self.total:
            if stated is None or not self._furthest <= end <= position:
                raise changed()
            self.size_was_stated = False  # it was stated wrongly before: the duration decides
        self.total = min(end, position)
        response.close()

    def _same_file(self, response: urllib3.BaseHTTPResponse, total: int | None) -> None:
        self._identity.take(response, first=not self._opened)
        if self._opened and total != self._stated:
            raise changed()
        if total is not None and total > self._max_bytes:
            raise MediaError(ErrorKind.TOO_LONG, "The file is too large.")
        if not self._opened:
            self.total = self._stated = total
            self.size_was_stated = total is not None

    def _refused(self, status: int) -> None:
        """Statuses that a repetition of the same request does not change."""
        if status not in {401, 403, 404, 410}:
            if 400 <= status < 500 and status not in {408, 425, 429}:
                raise MediaError(ErrorKind.UNAVAILABLE, f"The media server refuses (status {status}).")
            return
        if self._refresh is None or self._refreshes >= _REFRESHES:
            raise MediaError(
                ErrorKind.GONE, f"The media server does not hand the file out (status {status})."
            )
        self._refreshes += 1
        self._requester.address = self._refresh(status)
        self._identity.forget()
        self._failures = 0  # nothing is known against the new address


def _told(header: str | None) -> str | None:
    return header and header[:_MAX_TOLD]
