"""What is kept of an exception."""

from __future__ import annotations

import gc
import weakref

import pytest

from supervision import Crashed
from supervision._exit import crashed
from supervision._trace import DEPTH, INNER_FRAMES, LINKS, OUTER_FRAMES, TEXT, trace_of


class Local:
    """Something big in a frame."""


class Mute(Exception):  # noqa: N818 - it fails to speak
    def __str__(self) -> str:
        raise RuntimeError("no words")


def caught(function: object, *args: object) -> Exception:
    try:
        function(*args)  # type: ignore[operator]  # a function
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def fail(text: str = "deep") -> None:
    raise ValueError(text)


AT_MAX = ValueError("at MAX")


def reach() -> None:
    raise AT_MAX


def dive(depth: int) -> None:
    if depth == 0:
        fail()
    dive(depth - 1)


def test_it_reads_like_a_traceback() -> None:
    """Files, lines, names, source lines, the error last."""
    lines = trace_of(caught(fail)).to_text().splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-3].endswith("in fail")
    assert lines[-2].strip() == "raise ValueError(text)"
    assert lines[-1] == "ValueError: deep"
    lines = trace_of(caught(reach)).to_text().splitlines()
    assert [lines[-2].strip(), lines[-1]] == ["raise AT_MAX", "ValueError: at MAX"]


def test_the_reason_is_the_first_line() -> None:
    """The notes, and more lines of the text, are in the trace."""
    error = caught(fail, "deep\ndown")
    error.add_note("at night")
    reason = crashed(error)
    assert reason.error == "ValueError: deep"
    assert reason.traceback.splitlines()[-3:] == ["ValueError: deep", "down", "at night"]


def test_it_keeps_no_frame() -> None:
    """What stood in the frames is collectable while the reason is kept."""

    def hold() -> None:
        local = Local()
        seen.append(weakref.ref(local))
        fail()

    seen: list[weakref.ref[Local]] = []
    reason = crashed(caught(hold))
    gc.collect()
    assert seen[0]() is None
    assert "in hold" in reason.traceback


def test_causes_contexts_notes_and_groups_are_told() -> None:
    """Each with the words that introduce it."""

    def chained() -> None:
        try:
            fail("first")
        except ValueError as error:
            raise KeyError("second") from error

    def while_handling() -> None:
        try:
            chained()
        except KeyError:
            raise OSError("third")  # noqa: B904 - the context is what is tested

    error = caught(while_handling)
    error.add_note("a note")
    text = trace_of(ExceptionGroup("many", [error, TypeError("fourth")])).to_text()
    told = ["One of the group:", "OSError: third\na note", "While this was handled:", "KeyError: 'second'"]
    for words in [*told, "Directly caused by:", "ValueError: first", "TypeError: fourth"]:
        assert words in text


def test_a_recursion_is_cut_in_the_middle() -> None:
    """The way in and the place of the failure remain."""
    trace = trace_of(caught(dive, 500))
    assert len(trace.steps) == OUTER_FRAMES + 1 + INNER_FRAMES
    assert trace.steps[OUTER_FRAMES] is None
    assert "  ..." in trace.to_text().splitlines()
    assert trace.steps[-1] is not None
    assert trace.steps[-1][0] is fail.__code__
    just = OUTER_FRAMES + INNER_FRAMES  # beside dive(0) there are caught and fail
    assert None not in trace_of(caught(dive, just - 3)).steps
    assert None in trace_of(caught(dive, just - 2)).steps


def test_text_is_bounded_and_may_fail() -> None:
    """A megabyte of text, a thousand members, an exception whose text raises."""
    assert len(crashed(ValueError("x" * 10**6)).error) == TEXT
    assert len(trace_of(ExceptionGroup("g", [ValueError()] * 1000)).links) == LINKS
    assert [crashed(ValueError(text)).error for text in ("", "so: ")] == ["ValueError", "ValueError: so"]
    assert crashed(Mute()).error == "Mute: <its text failed with RuntimeError>"


def test_a_chain_is_bounded() -> None:
    """Each retry that raises from the one before makes it longer."""
    error = ValueError("0")
    for number in range(1, 100):
        after = ValueError(str(number))
        after.__cause__ = error
        error = after
    assert trace_of(error).to_text().count("Directly caused by:") == 4


def test_contexts_and_groups_are_bounded_too() -> None:
    """Each way down counts."""
    context, group = ValueError("0"), ExceptionGroup[Exception]("0", [ValueError("0")])
    for number in range(1, 10):
        after = ValueError(str(number))
        after.__context__, context = context, after
        group = ExceptionGroup(str(number), [group])
    assert trace_of(context).to_text().count("While this was handled:") == DEPTH
    assert trace_of(group).to_text().count("One of the group:") == DEPTH


@pytest.mark.parametrize(("other", "equal"), [(Crashed("a"), True), (Crashed("b"), False)])
def test_reasons_compare_by_their_line(other: Crashed, equal: bool) -> None:
    """Where it happened does not count."""
    assert (Crashed("a", trace_of(caught(fail))) == other) is equal
    assert Crashed("a").traceback == ""
