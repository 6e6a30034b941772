"""What Linux says of a process: its memory, what it holds, who is below it, how long it was kept waiting."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
MIB: Final = 1024.0
"""KiB in one."""
_STEAL: Final = 8
"""In the row of a processor, which begins with its name."""


def descendants(pid: int) -> list[int]:
    """Processes below `pid`; one that ends meanwhile is left out."""
    found = []
    for thread in (_PROC / str(pid) / "task").glob("*"):
        try:
            children = [int(word) for word in (thread / "children").read_text().split()]
        except OSError:
            continue
        found += [one for child in children for one in (child, *descendants(child))]
    return found


def status(pid: int) -> dict[str, int]:
    """The figures of proc(5)'s `status`; nothing for a process that has ended."""
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":")[::2] for line in lines)
    return {
        name: int(value.split()[0])
        for name, value in pairs
        if value.split()[:1] and value.split()[0].isdigit()
    }


def descriptors(pid: int) -> int:
    """Open file descriptors; 0 for a process that has ended."""
    try:
        return sum(1 for _ in (_PROC / str(pid) / "fd").iterdir())
    except OSError:
        return 0


def memory_mib(pid: int) -> float:
    """Private memory (RssAnon)."""
    return status(pid).get("RssAnon", 0) / MIB


def waited_ns(pid: int) -> dict[int, int]:
    """For how long each thread was ready to run and no processor was free, since it began, by its number.

    From proc(5)'s `schedstat`; nothing where the kernel does not count it, and for a process that has ended.
    """
    found = {}
    for thread in (_PROC / str(pid) / "task").glob("*"):
        try:
            found[int(thread.name)] = int((thread / "schedstat").read_text().split()[1])
        except (OSError, IndexError, ValueError):
            continue
    return found


def stolen_ns() -> dict[str, int]:
    """For how long each processor was withheld from this machine by the one that it is a guest of.

    From proc(5)'s `stat`, in steps of 10 ms; nothing where there is no such file.
    """
    try:
        rows = [line.split() for line in (_PROC / "stat").read_text().splitlines()]
    except OSError:
        return {}
    tick_ns = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    return {row[0]: int(row[_STEAL]) * tick_ns for row in rows if row[0][:3] == "cpu" and row[0] != "cpu"}
