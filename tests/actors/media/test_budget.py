"""Sites are asked so and so often an hour, and the rest is kept for what plays."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from actors.media import ErrorKind, MediaError
from actors.media.budget import HOUR_S, Budget
from tests.actors.media.moment import Moment


def refused(budget: Budget, *, due: bool) -> str:
    with pytest.raises(MediaError) as caught:
        budget.take(due=due)
    assert (caught.value.kind, caught.value.retryable) == (ErrorKind.LIMITED, False)
    return caught.value.message


def test_a_fifth_is_kept_for_tracks_whose_turn_has_come() -> None:
    budget = Budget(10, Moment())
    for _ in range(8):
        budget.take(due=False)
    assert "10 times an hour" in refused(budget, due=False)
    for _ in range(2):
        budget.take(due=True)
    refused(budget, due=True)


def test_the_refusal_says_when_there_is_room_and_then_there_is() -> None:
    now = Moment()
    budget = Budget(10, now)
    for _ in range(8):
        budget.take(due=False)
        now.seconds += 60
    assert "in 52 minutes" in refused(budget, due=False)
    now.seconds += 52 * 60 + 1
    budget.take(due=False)
    refused(budget, due=False)


def test_what_asked_no_site_is_not_counted() -> None:
    budget = Budget(10, Moment())
    for _ in range(50):
        budget.give_back(budget.take(due=False))
    assert budget.spent == []


def test_a_restart_does_not_begin_the_hour_anew() -> None:
    now = Moment()
    before = Budget(10, now)
    for _ in range(10):
        now.seconds += 1
        before.take(due=True)
    after = Budget(10, now)
    after.remember([*before.spent, now.seconds + 5, now.seconds - HOUR_S])
    assert after.spent == before.spent
    refused(after, due=True)


@given(st.lists(st.tuples(st.floats(0, 2000), st.booleans()), max_size=80))
def test_no_hour_has_more_than_its_share(asked: list[tuple[float, bool]]) -> None:
    now, taken = Moment(), list[float]()
    budget = Budget(10, now)
    for wait_s, due in asked:
        now.seconds += wait_s
        try:
            taken.append(budget.take(due=due))
        except MediaError:
            continue
    assert all(sum(at - HOUR_S < each <= at for each in taken) <= 10 for at in taken)
