"""Tells whether a server still has the file of which part was read: by what it says, else by the bytes."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from .errors import ErrorKind, MediaError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

_HEAD: Final = 16 << 10  # bytes at the start that are kept: a live stream, say, is told at once


def changed() -> MediaError:
    """The file is another one than before; it can be opened anew, at the time where it stopped."""
    return MediaError(ErrorKind.CHANGED, "The file on the server has changed.")


class Identity:
    """`tag` and `modified` as the server says (ETag, Last-Modified); `note` is told every byte handed out."""

    def __init__(self) -> None:
        self.tag: str | None = None
        self.modified: str | None = None
        self._head = b""
        self._upto, self._sum = 0, 0  # a checksum of the file up to there, as long as it is read in one go

    @property
    def condition(self) -> str | None:
        """For If-Range (RFC 9110, 13.1.5); a weak tag is no promise of the same bytes."""
        return None if self.tag is None or self.tag.startswith("W/") else self.tag

    def take(self, response: BaseHTTPResponse, *, first: bool) -> None:
        """What this answer says of the file; raises MediaError (CHANGED) if it is another one."""
        tag, modified = response.headers.get("ETag"), response.headers.get("Last-Modified")
        pairs = ((tag, self.tag), (modified, self.modified))  # the tag says more than the time
        now, before = next((pair for pair in pairs if None not in pair), (None, None))
        if not first and now != before:
            raise changed()
        self.tag, self.modified = tag, modified

    def forget(self) -> None:
        """Another server is asked from now on, which may tag the same file otherwise."""
        self.tag = self.modified = None

    def note(self, position: int, data: bytes) -> None:
        """These bytes from that position on were handed out."""
        if position == self._upto:
            self._upto, self._sum = position + len(data), zlib.crc32(data, self._sum)
            self._head += data[: max(0, _HEAD - position)]

    def knows(self, position: int) -> bool:
        """Whether the bytes before that position can be checked."""
        return position == self._upto

    def prefix(self) -> Prefix:
        """For bytes that are read once more from the start up to the known position."""
        return Prefix(self._head, self._sum)


class Prefix:
    """Compares bytes with those that were handed out before."""

    def __init__(self, head: bytes, checksum: int) -> None:
        self._head = head
        self._wanted = checksum
        self._sum = 0
        self._at = 0

    def feed(self, data: bytes) -> None:
        """The next bytes; raises MediaError (CHANGED) as soon as they cannot be the same."""
        known = self._head[self._at : self._at + len(data)]
        if data[: len(known)] != known:
            raise changed()
        self._at, self._sum = self._at + len(data), zlib.crc32(data, self._sum)

    def finish(self) -> None:
        """All has been read; raises MediaError (CHANGED) if it was something else."""
        if self._sum != self._wanted:
            raise changed()
