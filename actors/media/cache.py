"""The cache: complete spools on disk, bounded in bytes, the least recently used given up first.

It belongs to one process, as the data folder does. The index is in memory and made from the folder at the
start; when a file was last used stands in its modification time, so that a restart forgets nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from typing import TYPE_CHECKING, Final

import structlog

from .cache_file import PART, BadFileError, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO
    from pathlib import Path

    from .cache_file import Kept, Sound

DISK_RESERVE: Final = 256 << 20
"""Bytes of the disk that the cache leaves free."""

_NAME: Final = re.compile(r"[0-9a-f]{32}\.spool")

log = structlog.get_logger(__name__)


class Cache:
    """Files in `folder`, `max_bytes` in all; 0 keeps nothing. Every fault of the disk means: not cached."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._sizes: dict[str, int] = {}  # by name of the file; the least recently used first
        self.max_bytes = max_bytes
        self.hits = 0
        self.misses = 0
        self.evicted = 0
        self.damaged = 0
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._sweep()
            self.make_room(0)
        except OSError as error:
            log.warning("cache_off", folder=str(folder), error=str(error))
            self.max_bytes = 0

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(self._sizes.values())

    def path(self, sound: Sound) -> Path:
        """Where that sound is kept, or would be."""
        name = hashlib.sha256(f"{sound.volume} {sound.effect} {sound.url}".encode()).hexdigest()[:32]
        return self._folder / f"{name}.spool"

    def holds(self, sound: Sound) -> bool:
        """Whether there is a file of it, which may yet turn out to be damaged."""
        return self.path(sound).name in self._sizes

    def read(self, sound: Sound) -> tuple[FileIO, Kept] | None:
        """Its file, open and found whole, or None. Reads the whole file: to be called in a thread."""
        try:
            file, kept = read(self.path(sound))
        except (OSError, BadFileError):
            return None
        if kept.about.sound == sound:
            return file, kept
        file.close()
        return None

    def used(self, sound: Sound) -> None:
        """It is the most recently used one now."""
        name = self.path(sound).name
        if name in self._sizes:
            self._sizes[name] = self._sizes.pop(name)
        try:
            os.utime(self._folder / name)
        except OSError:
            pass  # then it counts as older after a restart

    def make_room(self, size: int) -> bool:
        """Give up what was not used for longest until `size` bytes more fit; False if they cannot."""
        if size > self.max_bytes or not self._disk_allows(size):
            return False
        while self._sizes and self.bytes + size > self.max_bytes:
            self.drop(next(iter(self._sizes)))
            self.evicted += 1
        return True

    def keep(self, sound: Sound, size: int) -> None:
        """There is a whole file of it now, of so many bytes."""
        name = self.path(sound).name
        self._sizes.pop(name, None)
        self._sizes[name] = size

    def forget(self, sound: Sound) -> None:
        """It is not what it should be: throw it away."""
        self.drop(self.path(sound).name)

    def drop(self, name: str) -> None:
        """Remove a file; who reads it goes on reading."""
        self._sizes.pop(name, None)
        try:
            (self._folder / name).unlink(missing_ok=True)
        except OSError as error:
            log.warning("cache_file_stays", file=name, error=str(error))

    def _disk_allows(self, size: int) -> bool:
        try:
            return shutil.disk_usage(self._folder).free >= size + DISK_RESERVE
        except OSError:
            return False

    def _sweep(self) -> None:
        """Find what a predecessor has kept; what it was writing when it was killed goes."""
        found = sorted(self._found())
        self._sizes = {name: size for _, name, size in found}

    def _found(self) -> Iterator[tuple[float, str, int]]:
        for path in list(self._folder.iterdir()):
            if path.name.endswith(PART):
                path.unlink(missing_ok=True)
            elif _NAME.fullmatch(path.name):
                state = path.stat()
                yield min(state.st_mtime, time.time()), path.name, state.st_size
