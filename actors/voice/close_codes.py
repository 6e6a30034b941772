"""Voice close codes as data: what each means, how bad it is, and what the link does about it.

Sources: "Discord" is the table *Voice Close Event Codes* of Discord's documentation; "RFC 6455" its section
7.4.1; "measured" is what was seen on the wire (the project's facts about Discord).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Severity(Enum):
    """How bad a closure is."""

    TRANSIENT = "transient"  # put right at once, nobody need know
    SERIOUS = "serious"  # put right with new credentials, after retries if need be
    FATAL = "fatal"  # no automatic return
    UNKNOWN = "unknown"  # no such code is documented: retried with care, and recorded


class Action(Enum):
    """What the link does next."""

    RESUME = "resume"  # the session lives: a new websocket, same session; frames go on leaving
    IDENTIFY = "identify"  # a new session on the same server at once
    REJOIN = "rejoin"  # new credentials through the main gateway, then identify
    AWAIT_WORD = "await_word"  # the main gateway will say whether this was a kick, a move or a new server
    CLOSE = "close"  # no return


@dataclass(frozen=True, slots=True)
class CloseCode:
    """One row of the table."""

    code: int
    name: str
    severity: Severity
    action: Action
    source: str


_T, _S, _F = Severity.TRANSIENT, Severity.SERIOUS, Severity.FATAL
_ROWS: Final = (
    CloseCode(
        1000, "closed normally", _S, Action.IDENTIFY, "RFC 6455; a leave on purpose closes the link before"
    ),
    CloseCode(1001, "server going away", _T, Action.RESUME, "RFC 6455"),
    CloseCode(1005, "closed without a status", _T, Action.RESUME, "RFC 6455"),
    CloseCode(1006, "connection lost", _T, Action.RESUME, "RFC 6455: TCP reset, no close frame"),
    CloseCode(1011, "server error", _T, Action.RESUME, "RFC 6455"),
    CloseCode(1012, "server restarting", _T, Action.RESUME, "IANA registry of RFC 6455"),
    CloseCode(4001, "unknown opcode sent", _S, Action.REJOIN, "Discord"),
    CloseCode(4002, "invalid payload sent", _S, Action.REJOIN, "Discord"),
    CloseCode(4003, "not authenticated", _S, Action.REJOIN, "Discord"),
    CloseCode(4004, "authentication failed", _S, Action.REJOIN, "Discord: the token is no longer good"),
    CloseCode(4005, "already authenticated", _S, Action.REJOIN, "Discord"),
    CloseCode(4006, "session no longer valid", _T, Action.IDENTIFY, "Discord"),
    CloseCode(4009, "session timed out", _T, Action.IDENTIFY, "Discord"),
    CloseCode(4011, "voice server not found", _S, Action.REJOIN, "Discord"),
    CloseCode(4012, "unknown protocol", _S, Action.REJOIN, "Discord"),
    CloseCode(
        4014, "disconnected", _S, Action.AWAIT_WORD, "Discord: kicked, channel deleted or server changed"
    ),
    CloseCode(4015, "voice server crashed", _T, Action.RESUME, "Discord: try resuming"),
    CloseCode(4016, "unknown encryption mode", _S, Action.REJOIN, "Discord"),
    CloseCode(4017, "end-to-end encryption (DAVE) required", _F, Action.CLOSE, "Discord"),
    CloseCode(4020, "bad request", _S, Action.REJOIN, "Discord"),
    CloseCode(4021, "disconnected for rate limiting", _F, Action.CLOSE, "Discord: should not reconnect"),
    CloseCode(
        4022, "call terminated", _S, Action.AWAIT_WORD, "Discord: channel deleted or voice server changed"
    ),
)

#: Every known voice close code.
CLOSE_CODES: Final = {row.code: row for row in _ROWS}


def close_code(code: int | None) -> CloseCode:
    """The row of a code; unknown codes, and None for "no close at all", get a conservative one."""
    if code is None:
        return CLOSE_CODES[1006]
    known = CLOSE_CODES.get(code)
    return known or CloseCode(code, "unknown", Severity.UNKNOWN, Action.REJOIN, "not documented")
