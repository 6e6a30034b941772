"""What was found: one play whose lines are not those that were foretold, made as small as it gets."""

from __future__ import annotations

import re
import signal
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count, zip_longest
from time import monotonic
from typing import TYPE_CHECKING

from tests.supervision.reference.loops import VIRTUAL
from tests.supervision.reference.performance import perform
from tests.supervision.reference.plays import BEAT, Branch, Play
from tests.supervision.reference.rules import foretell
from tests.supervision.reference.timeline import Ambiguous, Line

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Real seconds after which a play hangs; one takes some milliseconds.
PATIENCE_S = 20
#: Real seconds spent on making a counter-example smaller.
SHRINKING_S = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """A counter-example.

    :ivar expected: the first line that was foretold and did not come, or None
    :ivar got: what came instead, or the exception, or None
    """

    play: Play
    loop: str
    expected: Line | None
    got: Line | str | None

    def __str__(self) -> str:
        return "\n".join(
            (
                f"on {self.loop}, the smallest play that shows it:",
                f"    {as_python(self.play)}",
                f"    foretold: {as_text(self.expected)}",
                f"    came:     {as_text(self.got)}",
            )
        )


def as_text(line: Line | str | None) -> str:
    return f"{line.at / BEAT:.3f} beats: {line.path!r} {line.text}" if isinstance(line, Line) else str(line)


def as_python(play: Play) -> str:
    """A play as an expression that can be pasted into a test."""
    return re.sub(r"<(\w+\.\w+): [^>]*>", r"\1", repr(play))


@contextmanager
def patience() -> Iterator[None]:
    """Raise TimeoutError in the main thread if the block hangs.

    Seconds are counted one by one: what a process sleeps through that somebody has stopped (SIGSTOP) is one.
    """
    seconds = count(1)

    def ring(*_: object) -> None:
        if next(seconds) >= PATIENCE_S:
            raise TimeoutError(f"the play did not end within {PATIENCE_S} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def examine(play: Play, loop: str) -> Finding | None:
    """Perform a play and compare.

    :raises Ambiguous: if the rules leave open what happens first
    """
    expected = foretell(play).lines
    try:
        with patience():
            got = perform(play, VIRTUAL[loop]())
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return Finding(play, loop, None, f"{type(error).__name__}: {error}")
    for want, line in zip_longest(expected, got):
        if want != line:
            return Finding(play, loop, want, line)
    return None


def smallest(finding: Finding, within_s: float = SHRINKING_S) -> Finding:
    """Leave out steps and children for as long as anything is still found."""
    end = monotonic() + within_s
    smaller: Finding | None = finding
    while smaller is not None and monotonic() < end:
        finding = smaller
        smaller = next(
            (found for play in smaller_plays(finding.play) if (found := _try(play, finding.loop))), None
        )
    return finding


def _try(play: Play, loop: str) -> Finding | None:
    try:
        return examine(play, loop)
    except Ambiguous:
        return None


def smaller_plays(play: Play) -> Iterator[Play]:
    """Big cuts first."""
    steps, length = play.steps, len(play.steps)
    size = length
    while size:
        for start in range(0, length, size):
            yield replace(play, steps=steps[:start] + steps[start + size :])
        size //= 2
    for root in smaller_branches(play.root):
        yield replace(play, root=root)
    if play.cause != "leave":
        yield replace(play, cause="leave")


def smaller_branches(branch: Branch) -> Iterator[Branch]:
    """With one child less, anywhere below."""
    for place, child in enumerate(branch.children):
        before, behind = branch.children[:place], branch.children[place + 1 :]
        yield replace(branch, children=before + behind)
        if isinstance(child, Branch):
            for smaller in smaller_branches(child):
                yield replace(branch, children=(*before, smaller, *behind))
