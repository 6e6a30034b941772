"""What is counted, what is read, and that the table of metrics says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from actors.recovery import Outcome, Recovery, Step, step
from actors.recovery.events import Asked, Back, Broken, Failed, Left, Over
from actors.telemetry.counting import count_event, count_step, kind_of
from actors.telemetry.meters import Meters
from actors.telemetry.table import METRICS, Kind
from actors.voice import Fault, cause_of
from supervision import ChildExited, ChildStarted, Crashed, IntensityExceeded, Killed, Overflowed

if TYPE_CHECKING:
    from actors.recovery.events import Event
    from supervision import Event as TreeEvent

DROPPED, KICKED = cause_of(4006), cause_of(4014, Fault.KICKED)


def samples(meters: Meters, **reading: dict[tuple[str, ...], float]) -> dict[tuple[str, str], float]:
    """Values by name and labels, as whoever fetches the metrics reads them."""
    families = text_string_to_metric_families(meters.text(reading).decode())
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def play(meters: Meters, *events: Event) -> None:
    """The steps of one guild's recovery."""
    state = Recovery()
    for event in events:
        after, wanted = step(state, event)
        count_step(meters, Step(1, state, event, after, wanted))
        state = after


def test_a_closure_that_is_put_right() -> None:
    """Each attempt that fails counts with its code; the incident counts once, with its duration."""
    meters = Meters()
    play(meters, Asked(0.0), Back(1.0), Broken(10.0, DROPPED, False, "a"), Failed(10.1, DROPPED), Back(12.0))
    found = samples(meters)
    assert found["voice_disconnect_total", "4006"] == 2
    assert found["voice_reconnect_success_total", ""] == 1
    assert found["voice_reconnect_duration_seconds_sum", ""] == 2.0
    assert found["voice_reconnect_duration_seconds_bucket", "2.5"] == 1
    assert found["voice_reconnect_duration_seconds_bucket", "1.0"] == 0


def test_a_kick_and_a_leave() -> None:
    """A kick is a closure and an incident that did not end well; a leave is neither."""
    meters = Meters()
    play(meters, Asked(0.0), Back(1.0), Over(5.0, KICKED, "a"), Asked(6.0), Back(7.0), Left(9.0))
    found = samples(meters)
    assert found["voice_disconnect_total", "kicked"] == 1
    assert found["voice_reconnect_failure_total", "fatal"] == 1
    assert found["voice_reconnect_success_total", ""] == 0


@pytest.mark.parametrize(
    ("event", "name", "label"),
    [
        (ChildStarted("guilds/7/player", 2), "ostinato_actor_restarts_total", "player"),
        (ChildExited("voice/clock", 1, Crashed("ValueError: x"), started=True),
         "ostinato_actor_crashes_total", "voice/clock"),
        (IntensityExceeded("guilds/7", 8, 10.0), "ostinato_supervisors_gave_up_total", "guild"),
        (Overflowed("guilds/7/display", "drop_oldest", 32), "ostinato_mailbox_overflows_total", "display"),
    ],
)  # fmt: skip
def test_events_of_the_tree(event: TreeEvent, name: str, label: str) -> None:
    """By kind of actor, as a thousand guilds have the same five."""
    meters = Meters()
    count_event(meters, event)
    assert samples(meters)[name, label] == 1


@pytest.mark.parametrize("event", [ChildStarted("a", 1), ChildExited("a", 1, Killed(), started=True)])
def test_what_is_no_trouble_is_not_counted(event: TreeEvent) -> None:
    """A first start, and an end by order."""
    meters = Meters()
    before = samples(meters)
    count_event(meters, event)
    assert {key for key in samples(meters) if key[0].startswith("ostinato")} == {
        key for key in before if key[0].startswith("ostinato")
    }


def test_kinds_of_actors() -> None:
    """Labels stay few, whatever the guilds."""
    paths = ("", "store", "voice/links", "guilds", "guilds/42", "guilds/42/player")
    assert [kind_of(path) for path in paths] == ["root", "store", "voice/links", "guilds", "guild", "player"]


def test_what_is_read_has_its_form_from_the_table() -> None:
    """Gauges and counters that are read, with and without labels."""
    found = samples(
        Meters(),
        ostinato_frames_sent_total={(): 50.0},
        voice_latency_ms={("42",): 12.5, ("43",): 30.0},
    )
    assert found["ostinato_frames_sent_total", ""] == 50.0
    assert found["voice_latency_ms", "42"] == 12.5
    with pytest.raises(KeyError):
        Meters().text({"ostinato_unknown": {(): 1.0}})


def test_the_table_is_sound() -> None:
    """Names once; counters end as Prometheus wants; only histograms have buckets, and gauges are read."""
    names = [row.name for row in METRICS]
    assert len(names) == len(set(names))
    for row in METRICS:
        assert row.name.endswith("_total") == (row.kind is Kind.COUNTER), row
        assert bool(row.buckets) == (row.kind is Kind.HISTOGRAM), row
        assert row.read or row.kind is not Kind.GAUGE, row


def test_what_alerts_wait_for_begins_at_nothing() -> None:
    """A series that begins with 1 has not risen, for Prometheus."""
    found = samples(Meters())
    assert found["voice_disconnect_total", "4006"] == 0
    assert {label for name, label in found if name == "voice_reconnect_failure_total"} == {
        outcome.name.lower() for outcome in Outcome if outcome not in (Outcome.OPEN, Outcome.BACK)
    }
    assert found["ostinato_supervisors_gave_up_total", "guild"] == 0
