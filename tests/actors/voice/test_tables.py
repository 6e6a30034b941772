"""Tables and policies: close codes, pauses between attempts."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from actors.voice import CLOSE_CODES, Action, RetryPolicy, Severity, close_code

#: Discord's documented voice close codes.
DOCUMENTED = {4001, 4002, 4003, 4004, 4005, 4006, 4009, 4011, 4012, 4014, 4015, 4016} | {
    4017,
    4020,
    4021,
    4022,
}


def test_every_documented_code_has_a_row() -> None:
    assert set(CLOSE_CODES) >= DOCUMENTED
    assert all(row.code == code for code, row in CLOSE_CODES.items())


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
    assert close_code(code).action is action


def test_exactly_the_fatal_codes_end_the_link() -> None:
    rows = CLOSE_CODES.values()
    assert {row.code for row in rows if row.action is Action.CLOSE} == {
        row.code for row in rows if row.severity is Severity.FATAL
    }


def test_an_unknown_code_is_retried_with_new_credentials() -> None:
    row = close_code(4999)
    assert (row.code, row.severity, row.action) == (4999, Severity.UNKNOWN, Action.REJOIN)


def test_the_first_attempt_is_made_at_once() -> None:
    assert RetryPolicy().delay_s(0) == 0.0


@given(st.integers(1, 1000))
def test_pauses_double_up_to_the_clamp_and_are_spread_even_there(failures: int) -> None:
    step = min(2.0 * 2.0 ** min(failures - 1, 20), 300.0)
    assert RetryPolicy(spread=lambda low, _high: low).delay_s(failures) == pytest.approx(step * 0.7)
    assert RetryPolicy(spread=lambda _low, high: high).delay_s(failures) == pytest.approx(step * 1.3)
