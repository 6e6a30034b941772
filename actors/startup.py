"""How long the start of the process took until music was heard again, part by part, in one log line."""

from __future__ import annotations

import os
import sys
import time
from typing import Final

import structlog

PARTS: Final = ("imports", "login", "ready", "voice", "first_frame")
"""In the order in which they end: the program is loaded; Discord has taken the token; it has told of a
restored guild; a voice connection stands; a frame has left."""

log = structlog.get_logger(__name__)


class Startup:
    """One per process. Whoever ends a part marks it; the first mark of each counts."""

    def __init__(self, began: float | None = None) -> None:
        """
        :param began: when the process was started (s since the epoch); as the system says, if None
        """
        self._began = _process_start() if began is None else began
        self._ends: dict[str, float] = {}
        self._expected = False

    def expect_music(self) -> None:
        """There is music to go on with: the line will be written."""
        self._expected = True

    def mark(self, part: str) -> None:
        """That part is over; with the last one all are told."""
        if part in self._ends:
            return
        self._ends[part] = time.time()
        if part == PARTS[-1] and self._expected:
            log.info("music_again", **self.parts_s())

    def parts_s(self) -> dict[str, float]:
        """How long each part took (s), and all of them together; parts that overlap an earlier one took 0."""
        took, before = {}, self._began
        for part in PARTS:
            end = max(self._ends.get(part, before), before)
            took[f"{part}_s"] = round(end - before, 3)
            before = end
        return took | {"total_s": round(before - self._began, 3)}


def _process_start() -> float:
    """As Linux tells it (proc_pid_stat(5), to 10 ms), else now."""
    if sys.platform != "linux":
        return time.time()
    try:
        with open("/proc/self/stat", encoding="ascii") as file:  # noqa: PTH123 - no path of anybody's
            ticks = int(file.read().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return time.time()
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")
