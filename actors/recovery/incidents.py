"""The incident timeline of a guild: when its voice connection failed, why, and for how long nothing left."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actors.voice import Cause

INCIDENTS = 20
"""Incidents that are remembered."""

CLOSURES = 10
"""Causes that an incident remembers."""


class Outcome(Enum):
    """How an incident ended."""

    OPEN = "goes on"
    BACK = "back"
    GAVE_UP = "given up"
    FATAL = "ended"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Closure:
    """One thing that went wrong. `at` in seconds since the epoch, `label` and `name` as in `Cause`."""

    at: float
    label: str
    name: str


@dataclass(frozen=True, slots=True)
class Incident:
    """From the moment when the connection broke.

    :ivar id: the correlation id of all log lines about it
    :ivar at: when it began, in seconds since the epoch
    :ivar silent_since: when frames ceased to leave, None while they leave
    :ivar silent_s: for how long none has left, up to `silent_since`
    :ivar attempts: attempts that failed
    """

    id: str
    at: float
    closures: tuple[Closure, ...] = ()
    attempts: int = 0
    silent_since: float | None = None
    silent_s: float = 0.0
    outcome: Outcome = Outcome.OPEN
    ended_at: float | None = None

    def noted(self, at: float, cause: Cause) -> Incident:
        """One more thing that went wrong; the oldest are forgotten, but never the first."""
        closures = (*self.closures, Closure(at, cause.label, cause.name))
        if len(closures) > CLOSURES:
            closures = closures[:1] + closures[-CLOSURES + 1 :]
        return replace(self, closures=closures)

    def silenced(self, at: float) -> Incident:
        """Frames leave no more."""
        return self if self.silent_since is not None else replace(self, silent_since=at)

    def ended(self, at: float, outcome: Outcome) -> Incident:
        """It is over."""
        silent_s = self.silent_s
        if self.silent_since is not None:
            silent_s += max(at - self.silent_since, 0.0)
        return replace(self, outcome=outcome, ended_at=at, silent_since=None, silent_s=silent_s)

    def to_dict(self) -> dict[str, Any]:
        """For msgpack."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        plain["closures"] = [[each.at, each.label, each.name] for each in self.closures]
        return plain | {"outcome": self.outcome.value}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Incident:
        """What `to_dict` gave.

        :raises KeyError, TypeError, ValueError: for anything else
        """
        values = {name: plain[name] for name in cls.__slots__}
        values["closures"] = tuple(Closure(*each) for each in plain["closures"])
        return cls(**values | {"outcome": Outcome(plain["outcome"])})


@dataclass(frozen=True, slots=True)
class Timeline:
    """The latest incidents of a guild that are over, oldest first; bounded."""

    incidents: tuple[Incident, ...] = field(default=())

    def recorded(self, incident: Incident) -> Timeline:
        """With one more."""
        return Timeline((*self.incidents, incident)[-INCIDENTS:])

    def after(self, earlier: Timeline) -> Timeline:
        """With those of before."""
        return Timeline((*earlier.incidents, *self.incidents)[-INCIDENTS:])

    def to_list(self) -> list[dict[str, Any]]:
        """For msgpack."""
        return [incident.to_dict() for incident in self.incidents]

    @classmethod
    def from_list(cls, plain: Sequence[Mapping[str, Any]]) -> Timeline:
        """What `to_list` gave.

        :raises KeyError, TypeError, ValueError: for anything else
        """
        return cls(tuple(Incident.from_dict(each) for each in plain))
