"""What a connection actor remembers of a recovery is the same after a way through plain data."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given, strategies as st

from actors.recovery import Incident, Outcome, Recovery, State, Timeline, from_plain, to_plain
from actors.voice import CAUSES, Cause, cause_of

CAUSES_AND_NONE = st.one_of(st.none(), st.sampled_from(list(CAUSES.values())), st.just(cause_of(4998)))


TIMES = st.one_of(st.none(), st.floats(0, 4e9))


@given(st.sampled_from(State), CAUSES_AND_NONE, st.integers(0, 9), st.booleans(), TIMES)
def test_it_survives_the_disk(
    state: State, cause: Cause | None, series: int, told: bool, next_at: float | None
) -> None:
    open_one = Incident("a", 5.0).silenced(6.0) if told else None
    recovery = Recovery(state, 4.0, open_one, cause, series, 1, told, told, next_at)
    timeline = Timeline().recorded(Incident("b", 1.0).noted(1.0, cause_of(4006)).ended(2.0, Outcome.BACK))
    plain = msgpack.unpackb(msgpack.packb(to_plain(recovery, timeline)))
    assert from_plain(plain) == (recovery, timeline)


@pytest.mark.parametrize(
    "plain", [None, {}, {"state": "dancing"}, to_plain(Recovery(), Timeline()) | {"cause": "no such cause"}]
)
def test_what_cannot_be_read_is_no_reason_not_to_play(plain: dict[str, Any] | None) -> None:
    assert from_plain(plain) == (Recovery(), Timeline())
