"""The collector in small steps, and everything as before afterwards."""

from __future__ import annotations

import gc
import weakref
from time import thread_time
from typing import TYPE_CHECKING

import pytest

from supervision import Collector, CollectorSettings, quiet_collector

if TYPE_CHECKING:
    from collections.abc import Iterator


class Node:
    """May hold itself."""

    def __init__(self) -> None:
        self.other: Node | None = None


def cycle() -> weakref.ref[Node]:
    """A cycle that nobody holds."""
    node = Node()
    node.other = node
    return weakref.ref(node)


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[tuple[int, int, int]]:
    """As they were, and that nothing stays behind."""
    gc.unfreeze()  # Python 3.12 itself sets something aside as it starts
    before = gc.get_threshold(), len(gc.callbacks), gc.get_freeze_count()
    yield before[0]
    assert (gc.get_threshold(), len(gc.callbacks), gc.get_freeze_count()) == before


def test_what_is_there_is_set_aside_and_given_back() -> None:
    """A full collection looks at nothing of it meanwhile."""
    keep = [Node() for _ in range(100)]

    with quiet_collector():
        assert gc.get_freeze_count() > 100
        assert all(not isinstance(each, Node) for each in gc.get_objects())
    assert sum(isinstance(each, Node) for each in gc.get_objects()) == len(keep)


def test_the_settings_are_the_thresholds() -> None:
    """And those of before come back."""
    with quiet_collector(CollectorSettings(young=123_456, middle=4, old=5)) as collector:
        assert gc.get_threshold() == (123_456, 4, 5)
        assert (collector.full, collector.set_aside, collector.worst_ms) == (0, 0, 0)


def test_it_is_undone_when_the_block_fails() -> None:
    """The autouse fixture sees to the rest."""
    with pytest.raises(KeyError), quiet_collector():
        raise KeyError


def test_a_tree_that_grows_is_looked_at_once() -> None:
    """Many full collections while 200,000 objects come, none of which meets them all again: the longest
    stays far below one of everything.
    """
    with quiet_collector(CollectorSettings(longest_ms=0.0)) as collector:
        keep = [[number] for number in range(200_000)]
        steps, longest_ms = collector.full, collector.worst_ms
        collector.sweep()
        gc.unfreeze()
        gc.collect()
        assert collector.worst_ms > 3 * longest_ms
    assert len(keep) == 200_000
    assert steps == collector.set_aside - 1 >= 10


def test_short_collections_set_nothing_aside() -> None:
    """So that what lives for a while is collected as ever."""
    with quiet_collector(CollectorSettings(longest_ms=1e9)) as collector:
        before = gc.get_freeze_count()
        dead = cycle()
        gc.collect()
        assert dead() is None
        assert (collector.full, collector.set_aside) == (1, 0)
        assert gc.get_freeze_count() <= before


def test_a_sweep_frees_what_died_after_it_was_set_aside() -> None:
    """That is what it is for; it is no pause of the collector's own making."""
    with quiet_collector(CollectorSettings(longest_ms=0.0)) as collector:
        node = Node()
        node.other = node
        dead = weakref.ref(node)
        gc.collect()
        worst_ms = collector.worst_ms
        del node
        gc.collect()
        assert dead() is not None
        assert collector.sweep() > 0
        assert dead() is None
        assert collector.worst_ms >= worst_ms
        assert gc.get_freeze_count() > 0


def test_there_is_one_collector_in_a_process() -> None:
    """A second block would undo the first one's settings."""
    with (
        quiet_collector(),
        pytest.raises(RuntimeError, match="quiet already"),
        quiet_collector(),
    ):
        pytest.fail("it must not be entered")
    with quiet_collector() as collector:
        assert isinstance(collector, Collector)


def test_milliseconds_of_processor_time_are_told() -> None:
    """Of a sweep, and of the longest collection: no more than what passed meanwhile, and most of that."""
    keep = [[number] for number in range(200_000)]
    with quiet_collector(CollectorSettings(young=10**6)) as collector:
        before = thread_time()
        swept_ms = collector.sweep()
        between = thread_time()
        gc.unfreeze()
        looked = thread_time()
        gc.collect()
        after = thread_time()
        assert (between - before) * 500 < swept_ms <= (between - before) * 1000
        assert (after - looked) * 500 < collector.worst_ms <= (after - looked) * 1000
    assert len(keep) == 200_000
