"""What can happen to a guild's voice connection, for the state machine. Times in seconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from actors.voice import Cause


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody wants the bot in a channel, now: no cooldown counts any more."""

    at: float


@dataclass(frozen=True, slots=True)
class Broken:
    """The link has lost its websocket, or its session too; it recovers by itself.

    :ivar id: of the incident, if this begins one
    :ivar frames_leave: the listeners notice nothing so far
    """

    at: float
    cause: Cause
    frames_leave: bool
    id: str


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt did not succeed."""

    at: float
    cause: Cause


@dataclass(frozen=True, slots=True)
class Pausing:
    """The link waits before its next attempt."""

    at: float
    delay_s: float


@dataclass(frozen=True, slots=True)
class Back:
    """Frames can leave."""

    at: float


@dataclass(frozen=True, slots=True)
class Over:
    """There is no link any more.

    :ivar id: of the incident, if this begins one
    :ivar waited_for: somebody is in the channel
    :ivar stretch: factor on the cooldown while Discord as a whole has trouble
    """

    at: float
    cause: Cause
    id: str
    waited_for: bool = True
    stretch: float = 1.0


@dataclass(frozen=True, slots=True)
class Rested:
    """The cooldown is over."""

    at: float


@dataclass(frozen=True, slots=True)
class Patience:
    """It has lasted too long to say nothing."""

    at: float


@dataclass(frozen=True, slots=True)
class Left:
    """The bot has left on purpose."""

    at: float


Event: TypeAlias = Asked | Broken | Failed | Pausing | Back | Over | Rested | Patience | Left
