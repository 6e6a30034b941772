"""The recovery of one guild's voice connection as a state machine: `step` is a pure function.

    IDLE --Asked--> RETRYING --Back--> STABLE
    STABLE --Broken, Over--> RETRYING        RETRYING --Over (fatal, given up)--> IDLE
    any --Left--> IDLE

Events say what has happened, at which time (seconds since the epoch); effects say what is to be done about
it. Nothing here waits, tells or draws random numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from functools import singledispatch
from typing import TYPE_CHECKING, TypeAlias

from actors.recovery.effects import (
    Alarm,
    Cancel,
    Connect,
    Effect,
    Forget,
    Record,
    Start,
    Tell,
    Timer,
)
from actors.recovery.events import Asked, Back, Broken, Event, Failed, Left, Over, Patience, Pausing, Rested
from actors.recovery.incidents import Incident, Outcome
from actors.recovery.policy import POLICY, RecoveryPolicy
from actors.voice import Severity

if TYPE_CHECKING:
    from actors.voice import Cause


class State(Enum):
    """Where the recovery of a guild is."""

    IDLE = "idle"  # the bot is nowhere, and does not come back by itself
    RETRYING = "retrying"  # a connection is being made, or made again
    STABLE = "stable"  # frames can leave


@dataclass(frozen=True, slots=True)
class Recovery:
    """
    :ivar since: when the state was entered
    :ivar incident: what is being recovered from; None while all is well, and while somebody who asked for a
        connection waits for it (and is told by the answer)
    :ivar cause: the latest cause
    :ivar series: series of attempts that failed since the counters were reset
    :ivar unknown: undocumented close codes in a row
    :ivar told: the text channel knows of the incident
    :ivar resting: a cooldown runs
    :ivar next_at: when the next attempt is made, if a pause runs
    """

    state: State = State.IDLE
    since: float = 0.0
    incident: Incident | None = None
    cause: Cause | None = None
    series: int = 0
    unknown: int = 0
    told: bool = False
    resting: bool = False
    next_at: float | None = None


Step: TypeAlias = tuple[Recovery, tuple[Effect, ...]]


def step(recovery: Recovery, event: Event, policy: RecoveryPolicy = POLICY) -> Step:
    """What an event makes of a state, and what is to be done."""
    return _step(event, recovery, policy)


@singledispatch
def _step(_event: Event, recovery: Recovery, _policy: RecoveryPolicy) -> Step:
    return recovery, ()


@_step.register
def _asked(event: Asked, before: Recovery, _policy: RecoveryPolicy) -> Step:
    """An incident that is open stays so: if this fails too, the recovery goes on."""
    after = replace(before, state=State.RETRYING, since=event.at, series=0, resting=False, next_at=None)
    return after, (Cancel(), Connect(), *_update(after))


@_step.register
def _broken(event: Broken, before: Recovery, policy: RecoveryPolicy) -> Step:
    if before.state is State.IDLE:
        return before, ()
    after = _begin(before, event.at, event.id, policy)
    after, alarm = _note(after, event.at, event.cause, policy)
    after, patience = (after, ()) if event.frames_leave else _silence(after, event.at, policy)
    return after, (*alarm, *patience)


@_step.register
def _failed(event: Failed, before: Recovery, policy: RecoveryPolicy) -> Step:
    if before.state is not State.RETRYING or before.incident is None:
        return before, ()
    incident = replace(before.incident, attempts=before.incident.attempts + 1)
    return _note(replace(before, incident=incident), event.at, event.cause, policy)


@_step.register
def _pausing(event: Pausing, before: Recovery, _policy: RecoveryPolicy) -> Step:
    if before.state is not State.RETRYING:
        return before, ()
    after = replace(before, next_at=event.at + event.delay_s)
    return after, _update(after)


@_step.register
def _back(event: Back, before: Recovery, _policy: RecoveryPolicy) -> Step:
    if before.state is not State.RETRYING:
        return before, ()
    after = replace(before, state=State.STABLE, since=event.at, resting=False, next_at=None)
    return _end(after, event.at, Outcome.BACK)


@_step.register
def _over(event: Over, before: Recovery, policy: RecoveryPolicy) -> Step:
    if before.state is State.IDLE:
        return before, ()
    asked = before.state is State.RETRYING and before.incident is None
    if asked:  # whoever asked is told by the answer
        return _rest_of(before, event.at), (Cancel(), Forget())
    fresh = before.incident is None  # nothing has been tried yet
    after = _begin(before, event.at, event.id, policy)
    said = not fresh and event.cause == before.cause  # by the attempt that failed last
    after, alarm = (after, ()) if said else _note(after, event.at, event.cause, policy)
    after, patience = _silence(after, event.at, policy)
    if event.cause.fatal:
        return _give_up(after, event.at, Outcome.FATAL)
    if fresh:
        return after, (*alarm, *patience, Connect())
    return _rest(after, event, policy)


def _rest(before: Recovery, event: Over, policy: RecoveryPolicy) -> Step:
    """A series has failed."""
    series = before.series + 1
    if policy.lasting(series) and not event.waited_for:
        return _give_up(before, event.at, Outcome.GAVE_UP)
    delay_s = policy.cooldown_s(series, event.stretch)
    after = replace(before, series=series, resting=True, told=True, next_at=event.at + delay_s)
    return after, (Cancel(), Start(Timer.REST, delay_s), *_update(after))


@_step.register
def _rested(event: Rested, before: Recovery, _policy: RecoveryPolicy) -> Step:
    del event
    if not before.resting:
        return before, ()
    return replace(before, resting=False, next_at=None), (Connect(),)


@_step.register
def _patience(event: Patience, before: Recovery, _policy: RecoveryPolicy) -> Step:
    del event
    if before.state is not State.RETRYING or before.incident is None or before.told:
        return before, ()
    after = replace(before, told=True)
    return after, _update(after)


@_step.register
def _left(event: Left, before: Recovery, _policy: RecoveryPolicy) -> Step:
    after, effects = _end(before, event.at, Outcome.LEFT)
    return _rest_of(after, event.at), effects or (Cancel(),)


# --- parts --------------------------------------------------------------------------------------------------


def _begin(before: Recovery, at: float, incident_id: str, policy: RecoveryPolicy) -> Recovery:
    """An incident begins, unless one is open. A long stable time before it resets the counters."""
    if before.incident is not None:
        return before
    stable = before.state is State.STABLE and at - before.since >= policy.stable_s
    kept = replace(before, series=0, unknown=0) if stable else before
    incident = Incident(incident_id, at)
    return replace(kept, state=State.RETRYING, since=at, incident=incident, told=False, next_at=None)


def _note(before: Recovery, at: float, cause: Cause, policy: RecoveryPolicy) -> Step:
    """Write the cause down, and count undocumented ones."""
    incident = None if before.incident is None else before.incident.noted(at, cause)
    unknown = before.unknown + 1 if cause.severity is Severity.UNKNOWN else 0
    after = replace(before, incident=incident, cause=cause, unknown=unknown)
    alarming = unknown > 0 and unknown % policy.unknown == 0
    return after, (Alarm(cause, unknown),) if alarming else ()


def _silence(before: Recovery, at: float, policy: RecoveryPolicy) -> Step:
    """From now on nothing is heard: people are told if that lasts."""
    if before.incident is None or before.incident.silent_since is not None:
        return before, ()
    after = replace(before, incident=before.incident.silenced(at))
    return after, () if before.told else (Start(Timer.PATIENCE, policy.tell_after_s),)


def _update(after: Recovery) -> tuple[Effect, ...]:
    """What the text channel has been told is kept true."""
    if not after.told or after.incident is None or after.cause is None:
        return ()
    return (Tell(after.incident, after.cause, after.next_at),)


def _end(before: Recovery, at: float, outcome: Outcome) -> Step:
    """The incident is over, if there is one."""
    after = replace(before, incident=None, told=False)
    if before.incident is None:
        return after, (Cancel(),)
    incident = before.incident.ended(at, outcome)
    told = before.told or outcome in (Outcome.FATAL, Outcome.GAVE_UP)
    tell = (Tell(incident, before.cause),) if told and before.cause is not None else ()
    return after, (Cancel(), Record(incident), *tell)


def _give_up(before: Recovery, at: float, outcome: Outcome) -> Step:
    after, ending = _end(before, at, outcome)
    return _rest_of(after, at), (*ending, Forget())


def _rest_of(before: Recovery, at: float) -> Recovery:
    """Idle, with cooldown and counters cleared."""
    return Recovery(since=at, cause=before.cause)
