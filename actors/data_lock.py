"""One process for each data folder: a lock that the operating system gives back however the process ends."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "lock"
"""The file in the data folder. It stays there: a lock file that is removed can be locked twice."""

_TAKEN = frozenset({errno.EAGAIN, errno.EACCES})


class DataFolderBusyError(Exception):
    """Another live process uses this data folder."""


@contextmanager
def hold_data_folder(folder: Path) -> Iterator[None]:
    """The folder is this process's own within the block. Children do not inherit the lock.

    Where a file system knows no locks (and on Windows) nothing is locked.

    :raises DataFolderBusyError: another process holds it
    :raises OSError: the folder cannot be written to
    """
    descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            raise DataFolderBusyError(f"another bot already uses the data folder {folder}") from None
        if error.errno not in {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS}:
            raise
