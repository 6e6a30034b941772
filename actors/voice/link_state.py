"""States of a link, the steps between them, and its status as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from actors.voice.causes import Action

if TYPE_CHECKING:
    from actors.voice.dave_messages import DaveStatus


class LinkState(Enum):
    """Where a link is."""

    CONNECTING = "connecting"
    READY = "ready"
    RECONNECTING = "reconnecting"
    CLOSED = "closed"


class Step(Enum):
    """How a round gets its websocket ready."""

    JOIN = "join"
    REJOIN = "rejoin"
    RENEW = "renew"
    IDENTIFY = "identify"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """A moment of a link.

    :ivar close_code: of the latest closure of the voice websocket, None before the first
    :ivar failures: failed attempts in a row
    :ivar next_attempt_s: seconds until the next attempt, None if none is waiting
    :ivar keep_alive_ms: round trip of the latest UDP keep-alive that was answered, None if none ever was:
        then a black hole cannot be noticed
    :ivar dave: end-to-end encryption of the session
    :ivar rtcp_in: RTCP packets that the voice server has sent in this session
    :ivar heartbeat_age_s: seconds since the last acknowledged heartbeat
    """

    guild_id: int
    channel_id: int
    state: LinkState
    mode: str | None
    endpoint: str | None
    latency_ms: float | None
    heartbeat_age_s: float | None
    keep_alive_ms: float | None
    close_code: int | None
    close_reason: str | None
    failures: int
    next_attempt_s: float | None
    identifies: int
    resumes: int
    packets: int
    dave: DaveStatus
    rtcp_in: int


#: The step that carries out what the table of causes says.
STEP_AFTER: Final = {
    Action.RESUME: Step.RESUME,
    Action.IDENTIFY: Step.IDENTIFY,
    Action.REJOIN: Step.REJOIN,
    Action.RENEW: Step.RENEW,
    Action.AWAIT_WORD: Step.REJOIN,
}
#: The step that follows one that failed.
FALLBACK: Final = {
    Step.RESUME: Step.IDENTIFY,
    Step.IDENTIFY: Step.REJOIN,
    Step.REJOIN: Step.REJOIN,
    Step.RENEW: Step.REJOIN,
    Step.JOIN: Step.REJOIN,
}
