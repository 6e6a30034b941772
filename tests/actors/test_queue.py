"""The pure queue, against properties that hold for every sequence of changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

import pytest
from hypothesis import given, strategies as st

from actors.queue import PAGE_SIZE, AmbiguousError, Loop, NoEntryError, Queue, QueueFullError


@dataclass(frozen=True)
class Entry:
    id: str


EMPTY: Queue[Entry] = Queue()

ids = st.lists(st.text("abcdefgh", min_size=1, max_size=3), max_size=25, unique=True)
loops = st.sampled_from(Loop)


@st.composite
def queues(draw: st.DrawFn) -> Queue[Entry]:
    """Any queue, with or without a current entry."""
    entries = [Entry(name) for name in draw(ids)]
    queue: Queue[Entry] = Queue(loop=draw(loops), capacity=30)
    queue = queue.add(entries)
    return queue.started() if draw(st.booleans()) else queue


def everything(queue: Queue[Entry]) -> list[str]:
    current = [] if queue.current is None else [queue.current.id]
    return current + [entry.id for entry in queue.waiting]


@given(queues())
def test_what_follows_is_what_becomes_current(queue: Queue[Entry]) -> None:
    if queue.current is None:
        return
    assert queue.advanced().current == queue.following()


@given(queues(), st.integers())
def test_a_shuffle_keeps_every_entry_and_the_current_one(queue: Queue[Entry], seed: int) -> None:
    shuffled = queue.shuffled(Random(seed))  # noqa: S311 - no secret
    assert shuffled.current == queue.current
    assert sorted(everything(shuffled)) == sorted(everything(queue))


@given(queues(), st.integers(-3, 40), st.data())
def test_a_move_keeps_every_entry_and_the_order_of_the_others(
    queue: Queue[Entry], number: int, data: st.DataObject
) -> None:
    if not queue.waiting:
        return
    entry = data.draw(st.sampled_from(queue.waiting))
    moved = queue.moved(entry.id, number)
    assert moved.current == queue.current
    assert moved.removed(entry.id) == queue.removed(entry.id)
    assert moved.waiting.index(entry) == min(max(number, 1), len(queue.waiting)) - 1
    assert queue.moved("no such entry", number) == queue


@given(queues())
def test_every_entry_is_found_by_its_number_and_by_its_id(queue: Queue[Entry]) -> None:
    for number, entry in enumerate(queue.waiting, 1):
        assert queue.find(f" {number} ") == entry
        fitting = [other for other in queue.waiting if other.id.startswith(entry.id)]
        if fitting == [entry]:
            assert queue.find(entry.id) == queue.find(f"#{entry.id.upper()}") == entry
        else:
            with pytest.raises(AmbiguousError):
                queue.find(entry.id)
    for name in ("0", str(len(queue.waiting) + 1), "", "#", "zz"):
        with pytest.raises(NoEntryError):
            queue.find(name)


def test_digits_after_a_sign_are_an_id() -> None:
    queue = EMPTY.add([Entry("b2"), Entry("1a")])
    assert queue.find("1").id == "b2"
    assert queue.find("#1").id == "1a"


@given(queues())
def test_a_looping_queue_loses_nothing(queue: Queue[Entry]) -> None:
    queue = queue.looping(Loop.QUEUE).started()
    before = everything(queue)
    for _ in before:
        queue = queue.advanced()
    assert everything(queue) == before


@given(queues())
def test_a_queue_that_does_not_loop_plays_each_once_in_order(queue: Queue[Entry]) -> None:
    queue = queue.looping(Loop.OFF).started()
    expected = everything(queue)
    heard = []
    while queue.current is not None:
        heard.append(queue.current.id)
        queue = queue.advanced()
    assert heard == expected


@given(queues())
def test_skip_leaves_a_looping_track(queue: Queue[Entry]) -> None:
    queue = queue.looping(Loop.TRACK).started()
    skipped = queue.skipped()
    assert skipped.current == (queue.waiting[0] if queue.waiting else None)


@given(queues())
def test_a_broken_entry_never_comes_back(queue: Queue[Entry]) -> None:
    queue = queue.started()
    if queue.current is None:
        return
    assert queue.current.id not in everything(queue.dropped())


@given(queues())
def test_any_known_entry_can_be_what_plays(queue: Queue[Entry]) -> None:
    for name in everything(queue):
        moved = queue.playing(name)
        assert moved is not None
        assert moved.current == Entry(name)
        assert len(set(everything(moved))) == len(everything(moved))
    assert queue.playing("unknown") is None


@given(queues())
def test_the_pages_together_are_the_queue(queue: Queue[Entry]) -> None:
    paged = [entry for number in range(1, queue.pages + 1) for entry in queue.page(number)]
    assert tuple(paged) == queue.waiting
    assert queue.page(queue.pages + 5) == queue.page(queue.pages)
    assert queue.page(-3) == queue.page(1)


def test_a_page_shows_ten() -> None:
    queue = EMPTY.add(Entry(str(number)) for number in range(25))
    assert len(queue.page(1)) == PAGE_SIZE == 10
    assert len(queue.page(3)) == 5


def test_the_queue_is_bounded() -> None:
    queue = replace(EMPTY, capacity=3).add(Entry(str(number)) for number in range(5))
    assert everything(queue) == ["0", "1", "2"]
    with pytest.raises(QueueFullError):
        queue.add([Entry("x")])


def test_clearing_keeps_the_loop_mode() -> None:
    queue = EMPTY.looping(Loop.QUEUE).add([Entry("a"), Entry("b")]).started().cleared()
    assert everything(queue) == []
    assert queue.loop is Loop.QUEUE
