"""What happens, counted: steps of the recovery of voice connections, and events of the supervision tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.recovery import Outcome, effects as does, events as happens
from supervision import ChildExited, ChildStarted, Crashed, IntensityExceeded, Overflowed

if TYPE_CHECKING:
    from actors.recovery import Incident, Step
    from actors.telemetry.meters import Meters
    from supervision import Event


def count_step(meters: Meters, step: Step) -> None:
    """A step of a guild's recovery. A closure counts once, whatever follows from it."""
    before = step.before
    match step.event:
        case happens.Broken(cause=cause) | happens.Failed(cause=cause):
            meters.count("voice_disconnect_total", cause.label)
        case happens.Over(cause=cause) if before.incident is None or cause != before.cause:
            meters.count("voice_disconnect_total", cause.label)
    for effect in step.wanted:
        if isinstance(effect, does.Record):
            _count_incident(meters, effect.incident)


def _count_incident(meters: Meters, incident: Incident) -> None:
    if incident.outcome is Outcome.BACK:
        meters.count("voice_reconnect_success_total")
        lasted_s = (incident.ended_at or incident.at) - incident.at
        meters.observe("voice_reconnect_duration_seconds", max(lasted_s, 0.0))
    else:
        meters.count("voice_reconnect_failure_total", incident.outcome.name.lower())


def kind_of(path: str) -> str:
    """`guilds/42/player` is a `player`, `guilds/42` is a `guild`, `voice/clock` is `voice/clock`."""
    parts = path.split("/")
    if parts[0] != "guilds" or len(parts) == 1:
        return path or "root"
    return "guild" if len(parts) == 2 else "/".join(parts[2:])


def count_event(meters: Meters, event: Event) -> None:
    """An event of the tree; most need no figure."""
    name = _figure_of(event)
    if name is not None:
        meters.count(name, kind_of(event.path))


def _figure_of(event: Event) -> str | None:
    match event:
        case ChildStarted(incarnation=incarnation) if incarnation > 1:
            return "ostinato_actor_restarts_total"
        case ChildExited(reason=Crashed()):
            return "ostinato_actor_crashes_total"
        case IntensityExceeded():
            return "ostinato_supervisors_gave_up_total"
        case Overflowed():
            return "ostinato_mailbox_overflows_total"
    return None
