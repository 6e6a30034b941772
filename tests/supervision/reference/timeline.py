"""A pure simulation of concurrent lives: generators that say what they wait for, and a clock of ticks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import NamedTuple


class Line(NamedTuple):
    """What is compared: something that happened to somebody at some time."""

    at: int
    path: str
    stream: str
    text: str


class Ambiguous(Exception):  # noqa: N818 - a property of the play, not a fault
    """Two unrelated things are due in the same tick; the rules leave their order open."""


class Cut(Exception):  # noqa: N818 - the simulated cancellation
    """The wait was cancelled.

    :ivar native: by foreign code, which cannot be shielded against
    """

    def __init__(self, native: bool = False) -> None:
        self.native = native


@dataclass(slots=True)
class Wait:
    """Until the condition holds or the time has come; answered by whether the condition holds.

    :ivar of: whom the time belongs to: two of the same tick and different owners are ambiguous
    :ivar shield: only a native cancel cuts it
    """

    of: str
    until: int | None = None
    condition: Callable[[], bool] = lambda: False
    shield: bool = False


Life = Generator[Wait, bool, None]


class Task:
    """A generator that runs on a timeline.

    :ivar cut: whether a wait without shield is to be cut
    :ivar native: a native cancel is under way; it strikes once
    """

    __slots__ = ("cut", "life", "native", "wait")

    def __init__(self, life: Life, cut: Callable[[], bool]) -> None:
        self.life = life
        self.cut = cut
        self.native = False
        self.wait: Wait | None = None

    def begin(self) -> None:
        self._resume(lambda: next(self.life))

    def step(self, now: int) -> bool:
        """Go on if there is a reason to; whether it did."""
        wait = self.wait
        if wait is None:
            return False
        if self.native or (not wait.shield and self.cut()):
            cut, self.native = Cut(self.native), False
            self._resume(lambda: self.life.throw(cut))
        elif wait.condition():
            self._resume(lambda: self.life.send(True))
        elif wait.until is not None and wait.until <= now:
            self._resume(lambda: self.life.send(False))
        else:
            return False
        return True

    def _resume(self, go_on: Callable[[], Wait]) -> None:
        self.wait = None
        try:
            self.wait = go_on()
        except StopIteration:
            pass


class Timeline:
    """The clock and the tasks.

    :ivar now: in ticks
    """

    def __init__(self) -> None:
        self.now = 0
        self.lines: list[Line] = []
        self._fresh: deque[Task] = deque()
        self._tasks: list[Task] = []

    def note(self, path: str, stream: str, text: str) -> None:
        self.lines.append(Line(self.now, path, stream, text))

    def spawn(self, life: Life, cut: Callable[[], bool] = lambda: False) -> Task:
        """Start a life; its first step comes as soon as whoever spawned it waits."""
        task = Task(life, cut)
        self._fresh.append(task)
        return task

    def run(self) -> None:
        """Until nobody waits for anything any more.

        :raises Ambiguous: see there
        """
        while True:
            self._settle()
            due = [task.wait for task in self._tasks if task.wait is not None and task.wait.until is not None]
            if not due:
                return
            self.now = min(wait.until or 0 for wait in due)
            if len({wait.of for wait in due if wait.until == self.now}) > 1:
                raise Ambiguous

    def _settle(self) -> None:
        """All that happens in this tick."""
        moved = True
        while moved:
            moved = bool(self._fresh)
            while self._fresh:
                self._tasks.append(self._fresh.popleft())
                self._tasks[-1].begin()
            # children were born after their supervisors: their own limits strike first
            moved = sum(task.step(self.now) for task in reversed(self._tasks)) > 0 or moved
        self._tasks = [task for task in self._tasks if task.wait is not None]
