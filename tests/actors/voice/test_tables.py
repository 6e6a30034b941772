"""Tables and policies: causes, pauses between attempts."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from actors.voice import CAUSES, CLOSE_CODES, Action, Fault, RetryPolicy, Severity, cause_of

#: Discord's documented voice close codes.
DOCUMENTED = {4001, 4002, 4003, 4004, 4005, 4006, 4009, 4011, 4012, 4014, 4015, 4016} | {
    4017,
    4020,
    4021,
    4022,
}


def test_every_documented_code_and_every_fault_has_a_row() -> None:
    assert set(CLOSE_CODES) >= DOCUMENTED
    assert set(CAUSES) == set(CLOSE_CODES) | set(Fault)
    assert all(row.key == key for key, row in CAUSES.items())
    assert all(row.name and row.advice.endswith(".") and row.source for row in CAUSES.values())
    assert len({row.label for row in CAUSES.values()}) == len(CAUSES)


@pytest.mark.parametrize(
    ("code", "action"),
    [
        (4006, Action.IDENTIFY),
        (4009, Action.IDENTIFY),
        (1001, Action.RESUME),
        (1006, Action.RESUME),
        (4015, Action.RESUME),
        (4014, Action.AWAIT_WORD),
        (4022, Action.AWAIT_WORD),
        (4017, Action.CLOSE),
        (4021, Action.CLOSE),
        (None, Action.RESUME),
    ],
)
def test_what_is_done_about_a_code(code: int | None, action: Action) -> None:
    assert cause_of(code).action is action


def test_exactly_the_fatal_causes_end_the_link() -> None:
    assert {row.key for row in CAUSES.values() if row.action is Action.CLOSE} == {
        row.key for row in CAUSES.values() if row.fatal
    }


def test_a_fault_says_more_than_the_code_that_came_with_it() -> None:
    assert cause_of(4014, Fault.KICKED).fatal
    assert not cause_of(4014).fatal


def test_an_unknown_code_is_retried_with_new_credentials() -> None:
    row = cause_of(4999)
    assert (row.key, row.severity, row.action) == (4999, Severity.UNKNOWN, Action.REJOIN)


def test_the_first_attempt_is_made_at_once() -> None:
    assert RetryPolicy().delay_s(0) == 0.0


@given(st.integers(1, 1000), st.floats(1.0, 8.0))
def test_pauses_double_up_to_the_clamp_and_are_spread_even_there(failures: int, stretch: float) -> None:
    step = min(2.0 * 2.0 ** min(failures - 1, 20) * stretch, 300.0)
    low = RetryPolicy(spread=lambda low, _high: low, stretch=lambda: stretch)
    high = RetryPolicy(spread=lambda _low, high: high, stretch=lambda: stretch)
    assert low.delay_s(failures) == pytest.approx(step * 0.7)
    assert high.delay_s(failures) == pytest.approx(step * 1.3)


def after_lives(*lived_s: float) -> int:
    """As how many failures sessions of these lengths are taken."""
    policy, flaps = RetryPolicy(), 0.0
    for each in lived_s:
        flaps = policy.flaps_after(flaps, each)
    return policy.failures_of(flaps)


def test_sessions_that_die_at_once_again_and_again_are_replaced_with_pauses() -> None:
    assert after_lives(*[0.0] * 6) == 0
    assert after_lives(*[0.0] * 8) == 2


@given(st.integers(0, 30), st.integers(0, 50))
def test_a_stable_session_makes_up_for_all_that_died_soon(before: int, after: int) -> None:
    assert after_lives(*[0.0] * before, 600.0) == 0
    assert after_lives(*[0.0] * before, 600.0, *[10.0] * after) == 0
