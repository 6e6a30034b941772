"""What a process holds at a moment, as Linux and asyncio count it."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import Final

from loopback.processes import descendants, descriptors, memory_mib, status


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
    return Sample(
        at_h,
        memory=memory_mib(own),
        descriptors=descriptors(own) - 1,  # one is that of the listing
        threads=status(own).get("Threads", 0),
        tasks=tasks,
        processes=1 + len(below),
        workers=sum(memory_mib(pid) for pid in below),
    )
