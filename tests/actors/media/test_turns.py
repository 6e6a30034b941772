"""Who is next: what is due first, then guild by guild."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, strategies as st

from actors.media.turns import LAST, Line, Turn


def take(line: Line) -> Turn:
    turn = line.next()
    assert turn is not None
    line.leave(turn)
    line.served(turn)
    return turn


def test_what_is_due_goes_first_and_a_rank_may_change_while_it_waits() -> None:
    line = Line()
    later, due = Turn(1, 2), Turn(2, 0)
    for turn in (later, due):
        line.enter(turn)
    assert line.next() is due
    due.rank, later.rank = LAST, 0
    assert line.next() is later


def test_a_guild_with_a_long_queue_does_not_hold_up_another() -> None:
    line = Line()
    for asker in (1, 1, 1, 1, 2, 3, 2):
        line.enter(Turn(asker, 1))
    assert [take(line).asker for _ in range(7)] == [1, 2, 3, 1, 2, 1, 1]
    assert line.next() is None


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2)), max_size=40))
def test_within_a_rank_no_guild_gets_two_turns_more_than_another_that_waits(
    asked: list[tuple[int, int]],
) -> None:
    line = Line()
    for asker, rank in asked:
        line.enter(Turn(asker, rank))
    taken = [take(line) for _ in asked]
    assert [turn.rank for turn in taken] == sorted(rank for _, rank in asked)
    for rank in range(3):
        left = Counter(asker for asker, each in asked if each == rank)
        had: Counter[int] = Counter()
        for turn in (turn for turn in taken if turn.rank == rank):
            had[turn.asker] += 1
            left[turn.asker] -= 1
            assert all(had[turn.asker] - had[other] <= 1 for other in left if left[other] > 0)
