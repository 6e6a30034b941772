"""A complete spool as a file of the cache: its records, then what is known of them, then a footer.

    records       `u16 length + payload`, from byte 0 on, as in a spool: the file is read as one
    description   a msgpack map: what it is the sound of, frames, bytes, checksum, index, title ...
    footer        magic, version, bytes and checksum of the description

A file is written under another name and renamed when it is whole; whatever is cut off, changed or of another
version is no cache file, and `read` says so before a single frame of it is used. So nothing need be waited
for to reach the disk (fsync): what a loss of power leaves behind is told by the checksums.
"""

from __future__ import annotations

import os
import struct
import time
import zlib
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgpack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from io import FileIO
    from pathlib import Path

VERSION: Final = 1
MAGIC: Final = b"OSTI"
PART: Final = ".part"
"""The ending of a file that is being written."""

_FOOTER: Final = struct.Struct("!4sHII")
_BLOCK: Final = 1 << 20
_MAX_DESCRIPTION: Final = 1 << 20  # the index of six hours takes 170 KB


class BadFileError(Exception):
    """This is no whole file of the cache."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What a spool is the sound of, from the track's beginning on: address, volume in percent, effect."""

    url: str
    volume: int
    effect: str


@dataclass(frozen=True, slots=True)
class Origin:
    """What the medium was when it was read, to tell a changed one: only a `direct` link can change.

    `etag`, `last_modified` (RFC 9110, section 8.8) and `size` in bytes, as far as the server states them.
    """

    direct: bool = False
    etag: str | None = None
    last_modified: str | None = None
    size: int | None = None

    @property
    def known(self) -> bool:
        """Whether a change would be noticed."""
        return not self.direct or (self.etag, self.last_modified, self.size) != (None, None, None)


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a kept spool. `duration_s` is the medium's; `made_at`: seconds since the epoch."""

    sound: Sound
    origin: Origin
    title: str
    duration_s: float | None
    made_at: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of the cache that was found whole. `marks`: where each 50th frame begins."""

    about: About
    frames: int
    size: int
    marks: array[int]


def about_to_plain(about: About) -> dict[str, Any]:
    """For msgpack."""
    sound, origin = about.sound, about.origin
    return {
        "sound": [sound.url, sound.volume, sound.effect],
        "origin": [origin.direct, origin.etag, origin.last_modified, origin.size],
        "title": about.title,
        "duration_s": about.duration_s,
        "made_at": about.made_at,
    }


def about_from_plain(plain: Mapping[str, Any]) -> About:
    """What `about_to_plain` was given; raises KeyError, TypeError or ValueError for anything else."""
    return About(
        Sound(*plain["sound"]),
        Origin(*plain["origin"]),
        str(plain["title"]),
        None if plain["duration_s"] is None else float(plain["duration_s"]),
        float(plain["made_at"]),
    )


def write(records: int, path: Path, about: Mapping[str, Any], frames: int, size: int, marks: bytes) -> int:
    """Make `path` of the first `size` bytes of the spool with descriptor `records`; the file's bytes.

    Raises OSError; then nothing is left of it. Readable by nobody else (mode 0600).
    """
    part = path.with_name(path.name + PART)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            crc = 0
            for block in _blocks(records, size):
                crc = zlib.crc32(block, crc)
                file.write(block)
            file.write(_ending({**about, "frames": frames, "size": size, "crc": crc, "marks": marks}))
            whole = file.tell()
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return whole


def _ending(description: Mapping[str, Any]) -> bytes:
    text: bytes = msgpack.packb(description, unicode_errors="replace")
    return text + _FOOTER.pack(MAGIC, VERSION, len(text), zlib.crc32(text))


def _blocks(fd: int, size: int) -> Iterator[bytes]:
    at = 0
    while at < size:
        block = os.pread(fd, min(_BLOCK, size - at), at)
        if not block:
            raise BadFileError("the file is shorter than it should be")
        yield block
        at += len(block)


def read(path: Path) -> tuple[FileIO, Kept]:
    """The open file and what is in it: every byte was looked at.

    Takes some milliseconds for a song: not for the event loop. Raises OSError, or BadFileError.
    """
    file = path.open("rb", buffering=0)
    try:
        return file, _checked(file.fileno())
    except BaseException:
        file.close()
        raise


def _checked(fd: int) -> Kept:
    whole = os.fstat(fd).st_size
    footer = os.pread(fd, _FOOTER.size, max(0, whole - _FOOTER.size))
    try:
        magic, version, length, crc = _FOOTER.unpack(footer)
        if (magic, version) != (MAGIC, VERSION) or length > _MAX_DESCRIPTION:
            raise BadFileError("no file of the cache, or of another version")
        text = os.pread(fd, length, whole - _FOOTER.size - length)
        if zlib.crc32(text) != crc:
            raise BadFileError("the description is damaged")
        found = msgpack.unpackb(text)
        marks = array("Q", found["marks"])
        kept = Kept(about_from_plain(found), int(found["frames"]), int(found["size"]), marks)
    except (struct.error, ValueError, TypeError, KeyError, OSError, msgpack.UnpackException) as error:
        raise BadFileError("no file of the cache") from error
    if kept.size + length + _FOOTER.size != whole or _crc(fd, kept.size) != found["crc"]:
        raise BadFileError("the sound is damaged")
    return kept


def _crc(fd: int, size: int) -> int:
    crc = 0
    for block in _blocks(fd, size):
        crc = zlib.crc32(block, crc)
    return crc
