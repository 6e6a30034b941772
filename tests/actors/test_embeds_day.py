"""The last day of a voice connection, in words and as a picture."""

from __future__ import annotations

from hypothesis import given, strategies as st

from actors.embeds_day import HOUR_S, HOURS, last_day
from actors.recovery import Incident
from actors.recovery.incidents import INCIDENTS, Outcome

NOW = 1_700_000_000.0


def incident(hours_ago: float, silent_s: float = 0.0, lasted_s: float = 60.0) -> Incident:
    at = NOW - hours_ago * HOUR_S
    return Incident("x", at, silent_s=silent_s, outcome=Outcome.BACK, ended_at=at + lasted_s)


def marks(shown: str) -> str:
    return shown.splitlines()[2]


def test_a_quiet_day_needs_no_picture() -> None:
    assert last_day([], NOW) == "Nothing happened."
    assert last_day([incident(25)], NOW) == "Nothing happened."


def test_each_hour_has_its_mark() -> None:
    day = [incident(23.5), incident(20.5, 3), incident(10.5, 5.5), incident(2.5, 40), incident(2.2, 50)]
    shown = last_day(day, NOW)
    assert shown.splitlines()[0] == "5 incidents, 1 min of silence."
    assert marks(shown) == "▂▁▁▃" + "▁" * 9 + "▅" + "▁" * 7 + "█▁▁"
    assert len(shown.splitlines()[3]) == HOURS
    assert shown.splitlines()[3].endswith("now")


def test_what_is_not_heard_is_said_to_be_not_heard() -> None:
    assert last_day([incident(1)], NOW).startswith("1 incident, nothing of it was heard.")
    assert last_day([incident(1, 0.4)], NOW).startswith("1 incident, less than a second of silence.")


def test_an_open_incident_lasts_until_now() -> None:
    at = NOW - 3.5 * HOUR_S
    shown = last_day([Incident("x", at, silent_since=at)], NOW)
    assert shown.startswith("1 incident, 3 h of silence.")
    assert marks(shown).endswith("▁████")


def test_one_that_began_before_counts_as_far_as_it_is_within() -> None:
    shown = last_day([incident(25, silent_s=7200, lasted_s=7200)], NOW)
    assert shown.startswith("1 incident, 1 h of silence.")
    assert marks(shown) == "█" + "▂" + "▁" * 22


def test_more_than_are_kept_leave_hours_that_nobody_knows() -> None:
    day = [incident(5.5 - number / 10, 1) for number in range(INCIDENTS)]
    shown = last_day(day, NOW)
    assert shown.startswith(f"At least {INCIDENTS} incidents, 20 s of silence.")
    assert marks(shown).startswith("?" * 18 + "▃")


@given(
    st.lists(
        st.tuples(st.floats(-1, 200), st.floats(0, 1e6), st.floats(0, 1e6), st.booleans()), max_size=INCIDENTS
    )
)
def test_it_always_fits_a_field_and_a_phone(days: list[tuple[float, float, float, bool]]) -> None:
    day = [incident(hours, silent_s, lasted_s) for hours, silent_s, lasted_s, _ in sorted(days, reverse=True)]
    shown = last_day(day, NOW)
    assert len(shown) <= 1024
    assert all(len(line) <= 51 for line in shown.splitlines())
