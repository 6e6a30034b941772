"""What a process holds at a moment, as Linux and asyncio count it."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
MIB: Final = 1024.0
"""KiB in one."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at the bot.

    :ivar at_h: hours of playback (of the process's own clock)
    :ivar memory: private memory of the bot's process, MiB (RssAnon)
    :ivar descriptors: open file descriptors
    :ivar threads: of the bot's process
    :ivar tasks: asyncio tasks that are not done
    :ivar processes: the bot's own and all below it
    :ivar workers: private memory of the processes below it, MiB
    """

    at_h: float
    memory: float
    descriptors: float
    threads: float
    tasks: float
    processes: float
    workers: float


COUNTED: Final = ("descriptors", "threads", "tasks", "processes")
NAMES: Final = tuple(field.name for field in fields(Sample))


def look(at_h: float, tasks: int) -> Sample:
    """The process that calls, now."""
    own, below = os.getpid(), descendants(os.getpid())
    status = _status(own)
    return Sample(
        at_h,
        memory=status.get("RssAnon", 0) / MIB,
        descriptors=sum(1 for _ in Path("/proc/self/fd").iterdir()) - 1,  # one is that of the listing
        threads=status.get("Threads", 0),
        tasks=tasks,
        processes=1 + len(below),
        workers=sum(_status(pid).get("RssAnon", 0) for pid in below) / MIB,
    )


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


def _status(pid: int) -> dict[str, int]:
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
