"""What the operating system says of a player: processor time, threads, memory; and which core it has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

PLAYER_CORE: Final = 0
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def pin(pid: int, *, others: bool = False) -> None:
    """The player has a core for itself, everybody else shares the others."""
    cores = os.cpu_count() or 1
    if cores > 1:
        os.sched_setaffinity(pid, set(range(cores)) - {PLAYER_CORE} if others else {PLAYER_CORE})


def cpu_s(pid: int) -> float:
    """User and system time of the process and its children (media workers), in s."""
    total = 0.0
    for each in _family(pid):
        fields = _stat(each)
        total += (int(fields[11]) + int(fields[12])) / _TICKS  # utime, stime: proc(5)
    return total


def busy_s(pid: int) -> float:
    """Processor time of the threads that the process has, without its children, to the nanosecond, in s."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(each.read_text().split()[0]) for each in tasks) / 1e9


def threads(pid: int) -> int:
    """Of the process itself."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def memory_mib(pid: int) -> float:
    """Resident memory of the process itself."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * _PAGE / 2**20


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(each for child in children for each in _family(int(child)))]


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
