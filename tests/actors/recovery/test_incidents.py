"""Incidents and their timeline: bounded, and the same after a way through plain data."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given, strategies as st

from actors.recovery import CLOSURES, INCIDENTS, Incident, Outcome, Timeline
from actors.voice import CAUSES, Cause, cause_of

TIMES = st.floats(0, 4e9)
INCIDENTS_OF_ALL_KINDS = st.builds(
    lambda name, at, causes, end, outcome: _made(name, at, causes).silenced(at).ended(end, outcome),
    st.text(max_size=8),
    TIMES,
    st.lists(st.sampled_from(list(CAUSES.values())), max_size=3),
    TIMES,
    st.sampled_from(Outcome),
)


def _made(name: str, at: float, causes: list[Cause]) -> Incident:
    incident = Incident(name, at)
    for cause in causes:
        incident = incident.noted(at, cause)
    return incident


@given(st.lists(INCIDENTS_OF_ALL_KINDS, max_size=3))
def test_a_timeline_survives_the_disk(some: list[Incident]) -> None:
    timeline = Timeline(tuple(some))
    assert Timeline.from_list(msgpack.unpackb(msgpack.packb(timeline.to_list()))) == timeline


def test_a_timeline_keeps_the_latest() -> None:
    timeline = Timeline()
    for number in range(INCIDENTS + 3):
        timeline = timeline.recorded(Incident(str(number), float(number)))
    assert [one.id for one in timeline.incidents] == [str(number) for number in range(3, INCIDENTS + 3)]


def test_an_incident_keeps_its_first_cause_and_the_latest_ones() -> None:
    incident = Incident("a", 0.0)
    causes: list[Cause] = [cause_of(5000 + number) for number in range(CLOSURES + 3)]
    for cause in causes:
        incident = incident.noted(0.0, cause)
    labels = [each.label for each in incident.closures]
    assert labels == ["5000", *[cause.label for cause in causes[-CLOSURES + 1 :]]]


def test_silence_is_counted_from_its_begin() -> None:
    incident = Incident("a", 10.0).silenced(12.0).silenced(14.0).ended(15.5, Outcome.BACK)
    assert (incident.silent_s, incident.silent_since, incident.ended_at) == (3.5, None, 15.5)
    assert Incident("a", 10.0).ended(15.0, Outcome.BACK).silent_s == 0.0


@pytest.mark.parametrize("plain", [[{}], [{"id": "a"}], [None]])
def test_what_is_no_timeline_is_refused(plain: list[dict[str, object]]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Timeline.from_list(plain)
