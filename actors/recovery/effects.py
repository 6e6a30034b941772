"""What the state machine of recovery wants to be done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from actors.recovery.incidents import Incident
    from actors.voice import Cause


class Timer(Enum):
    """A timer of the guild: each ends as the event of the same meaning."""

    PATIENCE = "patience"
    REST = "rest"


@dataclass(frozen=True, slots=True)
class Start:
    """Set a timer."""

    timer: Timer
    delay_s: float


@dataclass(frozen=True, slots=True)
class Cancel:
    """Take both timers back."""


@dataclass(frozen=True, slots=True)
class Connect:
    """Make a new link to the channel where the bot is meant to be."""


@dataclass(frozen=True, slots=True)
class Forget:
    """The bot is meant to be in no channel any more: no automatic return."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell the text channel how the incident stands: `incident.outcome` says whether it is over."""

    incident: Incident
    cause: Cause
    next_at: float | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """Keep the incident, which is over, in the timeline."""

    incident: Incident


@dataclass(frozen=True, slots=True)
class Alarm:
    """Undocumented close codes come again and again: whoever runs the bot should know."""

    cause: Cause
    count: int


Effect: TypeAlias = Start | Cancel | Connect | Forget | Tell | Record | Alarm
