"""Why a voice connection fails, as data: how bad each cause is, what is done about it, and what people are
told.

A cause is a close code of the voice websocket, or a `Fault` that has none. The rows stand in
`causes_table`; nothing else decides by a code.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Severity(Enum):
    """How bad a cause is."""

    TRANSIENT = "transient"  # put right at once, nobody need know
    SERIOUS = "serious"  # put right with new credentials, after retries if need be
    FATAL = "fatal"  # no automatic return
    UNKNOWN = "unknown"  # no such code is documented: retried with care, and recorded


class Action(Enum):
    """What the link does next."""

    RESUME = "resume"  # the session lives: a new websocket, same session; frames go on leaving
    IDENTIFY = "identify"  # a new session on the same server at once
    REJOIN = "rejoin"  # new credentials through the main gateway, then identify
    RENEW = "renew"  # leave and join again, which may bring another voice server, then identify
    AWAIT_WORD = "await_word"  # the main gateway will say whether this was a kick, a move or a new server
    CLOSE = "close"  # no return


class Fault(Enum):
    """A cause that is no close code, or that says more than the close code which came with it."""

    KICKED = "kicked"
    LEFT = "left"
    STOPPED = "stopped"
    CHANNEL_DELETED = "channel_deleted"
    PERMISSION_LOST = "permission_lost"
    CHANNEL_FULL = "channel_full"
    NEW_SERVER = "new_server"
    HALF_OPEN = "half_open"
    UNREACHABLE = "unreachable"
    UDP_HOLE = "udp_hole"
    UDP_BLOCKED = "udp_blocked"
    NO_ANSWER = "no_answer"
    GATEWAY_AWAY = "gateway_away"
    TIMEOUT = "timeout"
    MALFORMED = "malformed"
    INTERNAL = "internal"
    RESTARTED = "restarted"


CauseKey: TypeAlias = int | Fault


@dataclass(frozen=True, slots=True)
class Cause:
    """One row of the table.

    :ivar key: the close code, or the fault
    :ivar name: what has happened, in words that fit behind "because:"
    :ivar advice: what those who listen can do about it
    :ivar source: where the meaning and the action come from
    """

    key: CauseKey
    name: str
    severity: Severity
    action: Action
    advice: str
    source: str

    @property
    def fatal(self) -> bool:
        """The bot does not come back by itself."""
        return self.severity is Severity.FATAL

    @property
    def label(self) -> str:
        """The code or the fault's name, for logs and records."""
        return str(self.key) if isinstance(self.key, int) else self.key.value
