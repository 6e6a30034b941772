"""Who goes first among the jobs of one worker: a track that somebody waits for, before those well ahead."""

from __future__ import annotations

import threading

HURRY_FRAMES = 500  # the first 10 s of a spool are made before anything else
_PATIENCE_S = 0.25  # at most so long for each report, so that a slow server of one track stops no other


class Courtesy:
    """Shared by the jobs of a process. A job is in a hurry from `begin` to `made_enough`."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._hurried: set[int] = set()

    def begin(self, job: int) -> None:
        """A job has nothing yet."""
        with self._condition:
            self._hurried.add(job)

    def made_enough(self, job: int) -> None:
        """A job has some seconds in advance, or has ended. Safe to call again."""
        with self._condition:
            self._hurried.discard(job)
            self._condition.notify_all()

    def give_way(self) -> None:
        """Wait a little while others are in a hurry."""
        with self._condition:
            self._condition.wait_for(lambda: not self._hurried, _PATIENCE_S)

    def report(self, job: int, made: int) -> None:
        """A job has made that many frames so far: it stays in its hurry, or gives way."""
        if made >= HURRY_FRAMES:
            self.made_enough(job)
            self.give_way()
