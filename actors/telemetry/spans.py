"""Spans of OpenTelemetry around commands, resolves and reconnects.

Only its API is used: where that is not installed nothing is imported, and where nobody has set up an exporter
its spans go nowhere. Of what is over when it is heard of (resolves), or may last longer than the actor that
sees to it (reconnects), the times are stated, so that nothing has to be wrapped. Attributes have the names of
the log's fields.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from actors.correlation import current
from actors.recovery import Outcome, effects as does, events as happens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Span, Tracer

    from actors.correlation import Correlation
    from actors.recovery import Incident, Step

NAME: Final = "ostinato"


class Spans:
    """One per process. Without a tracer every method does nothing."""

    def __init__(self, tracer: Tracer | None = None) -> None:
        self._tracer = tracer
        self._reconnects: dict[int, tuple[str, Span]] = {}  # by guild: id of the incident that goes on there

    @classmethod
    def where_installed(cls) -> Spans:
        """By the tracer of whichever provider the process has, or gets."""
        if find_spec("opentelemetry") is None or find_spec("opentelemetry.trace") is None:
            return cls()
        from opentelemetry.trace import get_tracer

        return cls(get_tracer(NAME))

    @contextmanager
    def command(
        self, name: str, correlation: Correlation, *, guild_id: int, kind: str
    ) -> Iterator[Correlation]:
        """A command while it is carried out; what is yielded knows the span that the others are below."""
        if self._tracer is None:
            yield correlation
            return
        from opentelemetry.context import get_current

        about = {"guild_id": str(guild_id), "kind": kind, **_follows(correlation)}
        began_ns = time.time_ns() - round(1e6 * correlation.age_ms)
        with self._tracer.start_as_current_span(f"command {name}", attributes=about, start_time=began_ns):
            yield replace(correlation, trace=get_current())

    def resolved(self, outcome: str, took_s: float) -> None:
        """A site was asked for a track or a stream; `outcome` is `ok` or an error's kind."""
        if self._tracer is None:
            return
        correlation, now_ns = current(), time.time_ns()
        about = {"outcome": outcome} | _follows(correlation)
        context = None if correlation is None else correlation.trace
        span = self._tracer.start_span(
            "resolve", context, attributes=about, start_time=now_ns - round(1e9 * took_s)
        )
        _mark(span, None if outcome == "ok" else outcome)
        span.end(now_ns)

    def stepped(self, step: Step) -> None:
        """A step of a guild's recovery. A reconnect is a span from the first closure to the outcome; failed
        attempts, and pauses with their jitter, are its events.
        """
        over = next((effect.incident for effect in step.wanted if isinstance(effect, does.Record)), None)
        incident = over or step.after.incident
        if self._tracer is None or incident is None:
            return
        known, span = self._reconnects.get(step.guild_id, (None, None))
        if span is None or known != incident.id:
            span = _begin(self._tracer, step.guild_id, incident)
            self._reconnects[step.guild_id] = incident.id, span
        _note(span, step)
        if over is not None:
            del self._reconnects[step.guild_id]
            _end(span, over)


def _begin(tracer: Tracer, guild_id: int, incident: Incident) -> Span:
    about = {"guild_id": str(guild_id), "incident": incident.id}
    return tracer.start_span("reconnect", attributes=about, start_time=_ns(incident.at))


def _note(span: Span, step: Step) -> None:
    event, at = step.event, _ns(step.event.at)
    match event:
        case happens.Broken(cause=cause) | happens.Failed(cause=cause) | happens.Over(cause=cause):
            span.add_event(type(event).__name__.lower(), {"cause": cause.label}, at)
        case happens.Pausing(delay_s=delay_s):
            span.add_event("pause", {"delay_s": delay_s}, at)
    for effect in step.wanted:
        if isinstance(effect, does.Start) and effect.timer is does.Timer.REST:
            span.add_event("cooldown", {"delay_s": effect.delay_s}, at)


def _end(span: Span, incident: Incident) -> None:
    span.set_attributes(
        {
            "outcome": incident.outcome.name.lower(),
            "failed_attempts": incident.attempts,
            "silent_s": round(incident.silent_s, 3),
            "causes": [closure.label for closure in incident.closures],
        }
    )
    _mark(span, None if incident.outcome in (Outcome.BACK, Outcome.LEFT) else incident.outcome.value)
    span.end(_ns(incident.ended_at or incident.at))


def _mark(span: Span, problem: str | None) -> None:
    if problem is not None:
        from opentelemetry.trace import StatusCode

        span.set_status(StatusCode.ERROR, problem)


def _follows(correlation: Correlation | None) -> dict[str, str]:
    return {} if correlation is None else {"command_id": correlation.id}


def _ns(at: float) -> int:
    """Nanoseconds since the epoch, of seconds."""
    return round(at * 1e9)
