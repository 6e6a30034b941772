"""Runs a module with a wall clock that somebody else may step, as a wrong NTP server or a person would.

`python stepped_clock.py FILE MODULE ARGUMENT...` makes `time.time` and `time.time_ns` of this process wrong
by the seconds that stand in the first eight bytes of FILE (a double), and then is that module. Not a line of
the module knows of it. What `datetime` says and what child processes see stays right, and so do monotonic
clocks, which no step moves. Only the standard library, as this runs before anything else is imported.
"""

from __future__ import annotations

import mmap
import runpy
import struct
import sys
import time
from pathlib import Path

STEP = struct.Struct("=d")


def set_step(file: Path, seconds: float) -> None:
    """Let the clocks of those who run with this file be wrong by so many seconds from now on."""
    if not file.exists():
        file.write_bytes(STEP.pack(0.0))
    with file.open("r+b") as handle:
        handle.write(STEP.pack(seconds))


def step_clocks(file: Path) -> None:
    """Replace the clocks of this process."""
    true, true_ns = time.time, time.time_ns
    with file.open("rb") as handle:
        shared = mmap.mmap(handle.fileno(), STEP.size, access=mmap.ACCESS_READ)

    def wrong_s() -> float:
        seconds: float = STEP.unpack_from(shared)[0]
        return seconds

    setattr(time, "time", lambda: true() + wrong_s())  # noqa: B010 - mypy holds a module's function for fixed
    setattr(time, "time_ns", lambda: true_ns() + int(wrong_s() * 1e9))  # noqa: B010 - the same


def main(file: str, module: str, *arguments: str) -> None:
    """Become the module."""
    step_clocks(Path(file))
    sys.path[0] = ""  # where this file lies is no place to import from
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
