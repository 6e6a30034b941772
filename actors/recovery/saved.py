"""Recovery and timeline as plain data, so that a restarted connection actor goes on where it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.recovery.incidents import Incident, Timeline
from actors.recovery.machine import Recovery, State
from actors.voice import Cause, Fault, cause_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLAIN = ("since", "series", "unknown", "told", "resting", "next_at")


def to_plain(recovery: Recovery, timeline: Timeline) -> dict[str, Any]:
    """For msgpack."""
    plain = {name: getattr(recovery, name) for name in _PLAIN}
    return plain | {
        "state": recovery.state.value,
        "incident": None if recovery.incident is None else recovery.incident.to_dict(),
        "cause": None if recovery.cause is None else recovery.cause.label,
        "timeline": timeline.to_list(),
    }


def from_plain(plain: Mapping[str, Any] | None) -> tuple[Recovery, Timeline]:
    """What `to_plain` was given; nothing at all if that cannot be read: it is no reason not to play."""
    if plain is None:
        return Recovery(), Timeline()
    try:
        incident = plain["incident"]
        recovery = Recovery(
            state=State(plain["state"]),
            incident=None if incident is None else Incident.from_dict(incident),
            cause=_cause(plain["cause"]),
            **{name: plain[name] for name in _PLAIN},
        )
        return recovery, Timeline.from_list(plain["timeline"])
    except (KeyError, TypeError, ValueError):
        return Recovery(), Timeline()


def _cause(label: str | None) -> Cause | None:
    if label is None:
        return None
    return cause_of(int(label)) if label.isdecimal() else cause_of(None, Fault(label))
