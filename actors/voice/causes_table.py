"""The one table of causes.

Sources: "Discord" is the table *Voice Close Event Codes* of Discord's documentation; "RFC 6455" its section
7.4.1; "measured" is what was seen on the wire (the project's facts about Discord); "policy" is this project's
choice.
"""

from __future__ import annotations

from typing import Final

from actors.voice.causes import Action, Cause, CauseKey, Fault, Severity

_T, _S, _F = Severity.TRANSIENT, Severity.SERIOUS, Severity.FATAL
_RESUME, _IDENTIFY, _REJOIN, _CLOSE = Action.RESUME, Action.IDENTIFY, Action.REJOIN, Action.CLOSE
_RENEW, _WORD = Action.RENEW, Action.AWAIT_WORD

_WAIT: Final = "Nothing need be done: the bot comes back by itself."
_REGION: Final = (
    "If it lasts, change the voice channel's region override, or ask an administrator to use reconnect."
)
_CALL: Final = "Use join or play to call the bot back."
_REPORT: Final = "Please report it, with the time: this should not happen."
_ROLE: Final = "Give the bot View Channel, Connect and Speak in the channel, then use join."
_OPERATOR: Final = "Whoever runs the bot can look at `ostinato doctor` and at the log."
_ROOM: Final = "Make room in the channel, or give the bot Move Members, which lets it in."

_CODES: Final = (
    Cause(1000, "the voice server said goodbye", _S, _IDENTIFY, _WAIT,
          "RFC 6455; after a leave on purpose the link is closed already (Fault.LEFT)"),
    Cause(1001, "the voice server is going away", _T, _RESUME, _WAIT, "RFC 6455"),
    Cause(1005, "closed without a status", _T, _RESUME, _WAIT, "RFC 6455"),
    Cause(1006, "the connection was lost", _T, _RESUME, _WAIT, "RFC 6455: TCP reset, no close frame"),
    Cause(1011, "error of the voice server", _T, _RESUME, _WAIT, "RFC 6455"),
    Cause(1012, "the voice server is restarting", _T, _RESUME, _WAIT, "IANA registry of RFC 6455"),
    Cause(4001, "unknown opcode sent", _S, _REJOIN, _REPORT, "Discord"),
    Cause(4002, "invalid payload sent", _S, _REJOIN, _REPORT, "Discord"),
    Cause(4003, "not authenticated", _S, _REJOIN, _REPORT, "Discord"),
    Cause(4004, "authentication failed", _S, _REJOIN, _REGION, "Discord: the token is no longer good"),
    Cause(4005, "already authenticated", _S, _REJOIN, _REPORT, "Discord"),
    Cause(4006, "session no longer valid", _T, _IDENTIFY, _REGION, "Discord: start a new session"),
    Cause(4009, "session timed out", _T, _IDENTIFY, _REGION, "Discord: start a new session"),
    Cause(4011, "voice server not found", _S, _REJOIN, _REGION, "Discord"),
    Cause(4012, "unknown protocol", _S, _REJOIN, _REPORT, "Discord"),
    Cause(4014, "disconnected", _S, _WORD, _CALL,
          "Discord: kicked, channel deleted or server changed; the main gateway says which"),
    Cause(4015, "the voice server crashed", _T, _RESUME, _REGION, "Discord: try resuming"),
    Cause(4016, "unknown encryption mode", _S, _REJOIN, _REPORT, "Discord"),
    Cause(4017, "end-to-end encryption (DAVE) required", _F, _CLOSE, _OPERATOR, "Discord"),
    Cause(4020, "bad request", _S, _REJOIN, _REPORT, "Discord"),
    Cause(4021, "disconnected for rate limiting", _F, _CLOSE, "Wait some minutes, then use join.",
          "Discord: should not reconnect"),
    Cause(4022, "the call was terminated", _S, _WORD, _CALL,
          "Discord: channel deleted or voice server changed; the main gateway says which"),
)  # fmt: skip

_FAULTS: Final = (
    Cause(Fault.KICKED, "somebody disconnected the bot from the channel", _F, _CLOSE, _CALL,
          "measured: voice state without a channel, unasked, around 4014"),
    Cause(Fault.LEFT, "left on purpose", _F, _CLOSE, _CALL, "policy: close 1000 of our own"),
    Cause(Fault.STOPPED, "the bot was stopped", _F, _CLOSE, _OPERATOR, "policy"),
    Cause(Fault.CHANNEL_DELETED, "the voice channel was deleted", _F, _CLOSE,
          "Use join or play from another voice channel.", "Discord: Channel Delete; the channel is unknown"),
    Cause(Fault.PERMISSION_LOST, "the bot may not be in the voice channel any more", _F, _CLOSE, _ROLE,
          "measured: op 4 without permission is ignored in silence"),
    Cause(Fault.CHANNEL_FULL, "the voice channel is full", _S, _REJOIN, _ROOM, "Discord: user_limit"),
    Cause(Fault.NEW_SERVER, "moved to another voice server", _T, _IDENTIFY, _WAIT,
          "Discord: Voice Server Update"),
    Cause(Fault.HALF_OPEN, "the voice websocket answers no more", _T, _RESUME, _WAIT,
          "policy: a heartbeat is not acknowledged within 3 s"),
    Cause(Fault.UNREACHABLE, "the voice server cannot be reached", _S, _REJOIN, _REGION, "policy"),
    Cause(Fault.UDP_HOLE, "voice packets do not arrive", _S, _RENEW, _REGION,
          "policy: keep-alives are not answered, though they were before: another server, if it lasts"),
    Cause(Fault.UDP_BLOCKED, "the voice server does not answer over UDP", _S, _REJOIN,
          "If it lasts, a firewall at the bot's end may forbid UDP.", "Discord: IP Discovery"),
    Cause(Fault.NO_ANSWER, "Discord did not answer the request to join", _S, _REJOIN, _REGION,
          "measured: op 4 is ignored in silence when it is not possible"),
    Cause(Fault.GATEWAY_AWAY, "the connection to Discord is away", _S, _REJOIN, _WAIT,
          "policy: op 4 needs the main gateway"),
    Cause(Fault.TIMEOUT, "no answer in time", _S, _REJOIN, _REGION, "policy: every step has a deadline"),
    Cause(Fault.MALFORMED, "the voice server sent what cannot be understood", _S, _REJOIN, _REGION,
          "policy: every message is checked before it is used"),
    Cause(Fault.INTERNAL, "something failed inside the bot", _S, _REJOIN, _OPERATOR, "policy"),
    Cause(Fault.RESTARTED, "the bot was restarted", _T, _REJOIN, _WAIT, "policy: it comes back"),
)  # fmt: skip

#: Every known voice close code.
CLOSE_CODES: Final = {int(row.label): row for row in _CODES}
#: Every known cause.
CAUSES: Final[dict[CauseKey, Cause]] = {row.key: row for row in (*_CODES, *_FAULTS)}


def cause_of(code: int | None, fault: Fault | None = None) -> Cause:
    """The row of a fault if there is one, else that of a close code.

    Unknown codes get a conservative row; "no close at all" that of a lost connection.
    """
    if fault is not None:
        return CAUSES[fault]
    if code is None:
        return CLOSE_CODES[1006]
    known = CLOSE_CODES.get(code)
    return known or Cause(code, "unknown close code", Severity.UNKNOWN, _REJOIN, _REGION, "not documented")
