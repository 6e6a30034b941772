"""A child process by posix_spawn(3) of the C library, which holds up nobody but the thread that calls it.

Whoever starts a process stands still until the child has become the other program, and before that the child
has to get a processor: on a busy machine that takes from some to hundreds of ms. `subprocess` and
`os.posix_spawn` keep the interpreter's lock meanwhile, so that all threads stand still: here every stream of
every guild at once. A function that is called through ctypes gives the lock back.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_OPAQUE: Final = 1024
"""Bytes for `posix_spawnattr_t` (336 in glibc) or `posix_spawn_file_actions_t` (80), whatever is in them."""
_SETPGROUP: Final = 0x02
"""POSIX_SPAWN_SETPGROUP of <spawn.h>, on Linux and macOS."""
_NOWHERE: Final = os.devnull


def spawn(arguments: Sequence[str], environment: Mapping[str, str], *, stdin: int, stderr: int) -> int:
    """Start the program `arguments[0]` (a path), as the leader of a process group of its own.

    Of no session: Linux weighs those alike (autogroups), whatever their nice value. It gets the descriptors
    `stdin` and `stderr` and no other; its output goes nowhere. This blocks until the child has its program.

    :returns: the number of the process, which the caller has to reap
    :raises OSError: there is no such program, no memory, or there are too many processes
    """
    number = ctypes.c_int()
    with _filled("posix_spawn_file_actions") as actions, _filled("posix_spawnattr") as attributes:
        _arrange(actions, stdin, stderr)
        _call("posix_spawnattr_setflags", attributes, ctypes.c_short(_SETPGROUP))
        _call("posix_spawnattr_setpgroup", attributes, 0)
        _call(
            "posix_spawn",
            ctypes.byref(number),
            os.fsencode(arguments[0]),
            actions,
            attributes,
            _strings(arguments),
            _strings([f"{name}={value}" for name, value in environment.items()]),
        )
    return number.value


def _arrange(actions: ctypes.Array[ctypes.c_char], stdin: int, stderr: int) -> None:
    """Which descriptors the child has. Without the last one, those of Python are closed all the same."""
    _call("posix_spawn_file_actions_adddup2", actions, stdin, 0)
    _call("posix_spawn_file_actions_adddup2", actions, stderr, 2)
    _call("posix_spawn_file_actions_addopen", actions, 1, os.fsencode(_NOWHERE), os.O_WRONLY, 0)
    if hasattr(_libc(), "posix_spawn_file_actions_addclosefrom_np"):  # glibc 2.34
        _call("posix_spawn_file_actions_addclosefrom_np", actions, 3)


@contextmanager
def _filled(kind: str) -> Iterator[ctypes.Array[ctypes.c_char]]:
    """One of the structures of <spawn.h>, of which only the C library knows what is in it."""
    structure = ctypes.create_string_buffer(_OPAQUE)
    _call(f"{kind}_init", structure)
    try:
        yield structure
    finally:
        _call(f"{kind}_destroy", structure)


def _strings(words: Sequence[str]) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * (len(words) + 1))(*map(os.fsencode, words), None)


def _call(name: str, *arguments: Any) -> None:
    """These functions return the number of the error."""
    error = getattr(_libc(), name)(*arguments)
    if error:
        raise OSError(error, os.strerror(error))


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)
