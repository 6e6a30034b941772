"""Spans, as OpenTelemetry's own SDK exports them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from actors.correlation import Correlation, follow
from actors.recovery import Recovery, Step, step
from actors.recovery.events import Asked, Back, Broken, Failed, Over, Pausing
from actors.telemetry import Spans
from actors.voice import Fault, cause_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.recovery.events import Event

DROPPED, KICKED = cause_of(4006), cause_of(4014, Fault.KICKED)
GUILD = 42


class Exported:
    """A tracer of our own, and what it exports."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.spans = Spans(self.provider.get_tracer("test"))

    @property
    def all(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self._exporter.get_finished_spans()}

    def recover(self, *events: Event) -> None:
        """The steps of one guild's recovery."""
        before = Recovery()
        for event in events:
            after, wanted = step(before, event)
            self.spans.stepped(Step(GUILD, before, event, after, wanted))
            before = after


@pytest.fixture
def exported() -> Iterator[Exported]:
    opened = Exported()
    yield opened
    opened.provider.shutdown()


def seconds(span: ReadableSpan) -> float:
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.end_time - span.start_time) / 1e9


def events(span: ReadableSpan) -> list[tuple[str, dict[str, Any]]]:
    return [(event.name, dict(event.attributes or {})) for event in span.events]


def test_resolves_are_below_the_command_that_they_follow_from(exported: Exported) -> None:
    """Also in another task, long after the command's end: what counts is the correlation."""
    command = Correlation()
    with exported.spans.command("play", command, guild_id=GUILD, kind="slash") as known:
        pass
    with follow(known):
        exported.spans.resolved("ok", 0.5)
    found = exported.all
    below, above = found["resolve"], found["command play"]
    assert below.parent is not None
    assert above.context is not None
    assert below.parent.span_id == above.context.span_id
    assert dict(above.attributes or {}) == {"guild_id": "42", "kind": "slash", "command_id": command.id}
    assert dict(below.attributes or {}) == {"outcome": "ok", "command_id": command.id}
    assert seconds(below) == pytest.approx(0.5)
    assert below.status.status_code is StatusCode.UNSET


def test_a_resolve_that_nobody_commanded_and_that_failed(exported: Exported) -> None:
    exported.spans.resolved("timeout", 30.0)
    span = exported.all["resolve"]
    assert span.parent is None
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "timeout")


def test_a_command_that_fails_is_marked_so(exported: Exported) -> None:
    with (
        pytest.raises(ValueError, match="no"),
        exported.spans.command("play", Correlation(), guild_id=GUILD, kind="text"),
    ):
        raise ValueError("no")
    assert exported.all["command play"].status.status_code is StatusCode.ERROR


def test_a_reconnect_has_its_attempts_its_pauses_and_its_outcome(exported: Exported) -> None:
    exported.recover(
        Asked(0.0), Back(1.0), Broken(10.0, DROPPED, False, "a"), Failed(10.5, DROPPED), Pausing(10.5, 2.3),
        Back(13.0),
    )  # fmt: skip
    span = exported.all["reconnect"]
    assert (span.start_time, seconds(span)) == (10_000_000_000, 3.0)
    assert events(span) == [
        ("broken", {"cause": "4006"}), ("failed", {"cause": "4006"}), ("pause", {"delay_s": 2.3})
    ]  # fmt: skip
    attributes = dict(span.attributes or {})
    assert (attributes["outcome"], attributes["failed_attempts"], attributes["guild_id"]) == ("back", 1, "42")
    assert span.status.status_code is StatusCode.UNSET


def test_a_kick_ends_its_span_and_the_next_incident_has_another(exported: Exported) -> None:
    exported.recover(Asked(0.0), Back(1.0), Over(5.0, KICKED, "a"), Asked(6.0), Back(7.0))
    assert exported.all["reconnect"].status.status_code is StatusCode.ERROR
    exported.recover(Asked(0.0), Back(1.0), Broken(20.0, DROPPED, True, "b"), Back(20.1))
    assert (exported.all["reconnect"].attributes or {})["incident"] == "b"


def test_without_the_package_nothing_is_imported_and_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "opentelemetry"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("actors.telemetry.spans.find_spec", lambda _name: None)
    spans, command = Spans.where_installed(), Correlation()
    with spans.command("play", command, guild_id=GUILD, kind="slash") as known:
        assert known is command
    spans.resolved("timeout", 1.0)
    before = Recovery()
    after, wanted = step(before, Over(5.0, KICKED, "a"))
    spans.stepped(Step(GUILD, before, Over(5.0, KICKED, "a"), after, wanted))
    assert not [name for name in sys.modules if name.startswith("opentelemetry")]


def test_with_the_package_there_is_a_tracer() -> None:
    """Without a provider its spans go nowhere, at next to no cost."""
    with Spans.where_installed().command("play", Correlation(), guild_id=1, kind="text") as known:
        assert known.trace is not None
