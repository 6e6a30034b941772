"""The last day of a guild's voice connection: a sentence, and a small picture with a character an hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .durations import duration
from .recovery.incidents import INCIDENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .recovery import Incident

HOURS = 24
HOUR_S = 3600.0

LEVELS = ((60.0, "█"), (5.0, "▅"), (0.0, "▃"))
"""More than so many seconds of silence in an hour; the marks differ at a glance on a phone too."""

QUIET, UNHEARD, UNKNOWN = "▁", "▂", "?"
LEGEND = "▂ not heard · ▃ silent · ▅ over 5 s · █ over 1 min"
AXIS = "24 h ago" + "now".rjust(HOURS - len("24 h ago"))


def last_day(incidents: Sequence[Incident], now: float) -> str:
    """What happened in the last 24 hours, in words and as a picture, the oldest hour first.

    :param incidents: oldest first; if as many as are kept, what was before the oldest is not known
    :param now: seconds since the epoch
    """
    begin = now - HOURS * HOUR_S
    known_from = incidents[0].at if len(incidents) >= INCIDENTS else begin
    hours = [begin + HOUR_S * hour for hour in range(HOURS)]
    marks = [_mark(incidents, at, now) if at + HOUR_S > known_from else UNKNOWN for at in hours]
    words = _words([each for each in incidents if _end(each, now) > begin], begin, now)
    if known_from > begin:
        words = f"At least {words}"
    picture = f"\n```\n{''.join(marks)}\n{AXIS}\n```\n{LEGEND}"
    return words + (picture if set(marks) != {QUIET} else "")


def _words(recent: Sequence[Incident], begin: float, now: float) -> str:
    if not recent:
        return "Nothing happened."
    silent_s = sum(_silent_s(each, begin, now, now) for each in recent)
    count = "1 incident" if len(recent) == 1 else f"{len(recent)} incidents"
    return f"{count}, {_heard(silent_s)}."


def _heard(silent_s: float) -> str:
    if silent_s <= 0:
        return "nothing of it was heard"
    return f"{duration(silent_s)} of silence" if silent_s >= 1 else "less than a second of silence"


def _mark(incidents: Sequence[Incident], begin: float, now: float) -> str:
    """Of the hour that begins then."""
    end = begin + HOUR_S
    here = [each for each in incidents if each.at < end and _end(each, now) >= begin]
    if not here:
        return QUIET
    silent_s = sum(_silent_s(each, begin, end, now) for each in here)
    return next((mark for above_s, mark in LEVELS if silent_s > above_s), UNHEARD)


def _silent_s(incident: Incident, begin: float, end: float, now: float) -> float:
    """Seconds of its silence in that span: it is told in sum, and taken to be spread over the incident."""
    since = incident.silent_since
    total_s = incident.silent_s + (0.0 if since is None else max(0.0, now - since))
    last = _end(incident, now)
    if last <= incident.at:
        return total_s if begin <= incident.at < end else 0.0
    overlap_s = min(end, last) - max(begin, incident.at)
    return total_s * max(0.0, overlap_s) / (last - incident.at)


def _end(incident: Incident, now: float) -> float:
    return now if incident.ended_at is None else incident.ended_at
