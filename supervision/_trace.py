"""What is worth keeping of an exception: names and line numbers, made into text when somebody reads it.

A kept exception keeps its frames, and with them the dead incarnation. Formatting it at once costs more
than the restart, most of it for source lines that nobody may ever look at.
"""

from __future__ import annotations

from traceback import FrameSummary, StackSummary
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, TracebackType

#: Kept of one traceback: the first ones and the last ones; a recursion has a thousand.
OUTER_FRAMES, INNER_FRAMES = 16, 32
#: Kept of causes and members of groups, and how deep.
LINKS, DEPTH = 8, 4
#: Characters kept of the text of an exception.
TEXT = 2_000


class Trace(NamedTuple):
    """One exception without its frames.

    :ivar head: ``Type: text`` and the notes
    :ivar steps: code and line of each frame, outermost first; ``None`` where some were left out
    :ivar links: the exceptions behind it or in it, each with the words that introduce it
    """

    head: str
    steps: tuple[tuple[CodeType, int] | None, ...]
    links: tuple[tuple[str, Trace], ...]

    def to_text(self) -> str:
        """As Python prints it, the exceptions behind it after it."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        if self.steps:
            yield "Traceback (most recent call last):"
        for step in self.steps:
            yield "  ..." if step is None else _line(*step)
        yield self.head
        for words, link in self.links:
            yield f"\n{words}:\n"
            yield from link._lines()


def trace_of(error: BaseException, depth: int = DEPTH) -> Trace:
    """Keep what is worth keeping; costs about two microseconds."""
    head = one_line(error)
    if notes := getattr(error, "__notes__", None):
        head = "\n".join([head, *map(str, notes[:LINKS])])[:TEXT]
    alone = (
        error.__context__ is None and error.__cause__ is None and not isinstance(error, BaseExceptionGroup)
    )
    links = () if alone or not depth else tuple(_links(error, depth - 1))
    return Trace(head, tuple(_steps(error.__traceback__)), links)


def one_line(error: BaseException) -> str:
    """``Type: text``."""
    try:
        text = str(error)
    except Exception as failure:  # somebody's __str__; it must not take the supervisor with it
        text = f"<its text failed with {type(failure).__name__}>"
    return f"{type(error).__name__}: {text}".rstrip(": ")[:TEXT]


def _links(error: BaseException, depth: int) -> Iterator[tuple[str, Trace]]:
    if error.__cause__ is not None:
        yield "Directly caused by", trace_of(error.__cause__, depth)
    elif error.__context__ is not None and not error.__suppress_context__:
        yield "While this was handled", trace_of(error.__context__, depth)
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions[:LINKS]:
            yield "One of the group", trace_of(member, depth)


def _steps(trace: TracebackType | None) -> list[tuple[CodeType, int] | None]:
    steps: list[tuple[CodeType, int] | None] = []
    while trace is not None:
        steps.append((trace.tb_frame.f_code, trace.tb_lineno))
        trace = trace.tb_next
    if len(steps) > OUTER_FRAMES + INNER_FRAMES:
        steps[OUTER_FRAMES:-INNER_FRAMES] = [None]
    return steps


def _line(code: CodeType, number: int) -> str:
    summary = FrameSummary(code.co_filename, number, code.co_name)
    return StackSummary.from_list([summary]).format()[0].rstrip("\n")
