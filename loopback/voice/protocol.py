"""Names and numbers of Discord's voice gateway, version 8.

Source: https://discord.com/developers/docs/topics/voice-connections and
https://discord.com/developers/docs/topics/opcodes-and-status-codes#voice.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum

from loopback.voice.modes import MODES

GATEWAY_VERSION = 8
SEQUENCE_MODULUS = 1 << 16
"""Numbered messages carry 16 bits, as the binary ones do."""


class Op(IntEnum):
    """Opcodes. Messages are JSON, but for those of MLS from 25 to 30, which are binary."""

    IDENTIFY = 0
    SELECT_PROTOCOL = 1
    READY = 2
    HEARTBEAT = 3
    SESSION_DESCRIPTION = 4
    SPEAKING = 5
    HEARTBEAT_ACK = 6
    RESUME = 7
    HELLO = 8
    RESUMED = 9
    CLIENTS_CONNECT = 11
    VIDEO = 12
    CLIENT_DISCONNECT = 13
    SESSION_UPDATE = 14
    MEDIA_SINK_WANTS = 15
    VOICE_BACKEND_VERSION = 16
    CLIENT_PLATFORM = 20
    DAVE_PREPARE_TRANSITION = 21
    DAVE_EXECUTE_TRANSITION = 22
    DAVE_TRANSITION_READY = 23
    DAVE_PREPARE_EPOCH = 24
    DAVE_MLS_EXTERNAL_SENDER = 25
    DAVE_MLS_KEY_PACKAGE = 26
    DAVE_MLS_PROPOSALS = 27
    DAVE_MLS_COMMIT_WELCOME = 28
    DAVE_MLS_ANNOUNCE_COMMIT_TRANSITION = 29
    DAVE_MLS_WELCOME = 30
    DAVE_MLS_INVALID_COMMIT_WELCOME = 31


class CloseCode(IntEnum):
    """Why the voice server closes a websocket."""

    NORMAL = 1000
    GOING_AWAY = 1001
    ABNORMAL = 1006
    UNKNOWN_OPCODE = 4001
    DECODE_ERROR = 4002
    NOT_AUTHENTICATED = 4003
    AUTHENTICATION_FAILED = 4004
    ALREADY_AUTHENTICATED = 4005
    SESSION_INVALID = 4006
    SESSION_TIMEOUT = 4009
    SERVER_NOT_FOUND = 4011
    UNKNOWN_PROTOCOL = 4012
    DISCONNECTED = 4014
    SERVER_CRASHED = 4015
    UNKNOWN_ENCRYPTION_MODE = 4016
    DAVE_REQUIRED = 4017
    BAD_REQUEST = 4020


class CloseError(Exception):
    """The peer broke the protocol: its websocket is closed with ``code``."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class DavePolicy(Enum):
    """What a voice server does with DAVE, the end-to-end encryption.

    ``ON``: whoever supports it uses it, and one who does not brings the channel down to version 0, as
    Discord did until March 2026. ``REQUIRED``: who does not support it is closed with 4017, as Discord does
    since. ``OFF``: version 0 for everybody, as in stage channels.
    """

    OFF = "off"
    ON = "on"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class VoiceSettings:
    """What is assumed about the real voice servers, each value with its reason.

    - ``heartbeat_interval_ms``: 13750 has been seen on Discord.
    - ``heartbeat_grace``: a connection without a heartbeat for this many intervals is closed with 4009; the
      real tolerance is not documented.
    - ``resume_window_s``: how long a session without a websocket waits for a RESUME and goes on taking its
      UDP; the real time is not documented.
    - ``resumable_codes``: the closures that keep the session; every other one drops session and UDP at once.
    - ``token_outlives_session``: whether a token still opens a session after its first one was dropped, so
      that IDENTIFY alone is enough; otherwise such an IDENTIFY is closed with 4006, and a client has to ask
      the main gateway for another token. Which of both Discord does is not documented.
    - ``buffered_messages``: numbered messages kept for a replay.
    - ``modes``: offered in READY, the preferred first.
    - ``keep_alive_echo``: whether keep-alives come back; discord.py and the browser clients rely on it.
    - ``rtcp_interval_s``: how often the server sends RTCP unasked, None = never. What Discord sends to a bot
      that nobody disturbs is not known, and with none a client's own liveness check has the harder task.
    - ``versions``: of the voice gateway; others are refused, as Discord does with old ones. For a sender
      version 4 differs in its heartbeats only.
    - ``servers``: how many voice servers there are, each with a name and a UDP port of its own; every new
      token of a guild is for the next one. Discord chooses by region and load: the nearest is often the same.
    - ``dave``: end-to-end encryption; ``ON`` by default, so that clients without it can be tried too.
    - ``dave_latency_ms``: from the voice server to a listener and back; people have 20-100, 0 keeps tests
      quick.
    - ``dave_first_at_once``: whether the first group of a channel is in force as soon as it is announced
      (transition 0), as has been seen; else its members say that they are ready, as for every later one.
    - A session that waits for a RESUME stays in its group, and gets what it has missed by the replay; whether
      Discord does so is not documented.
    - ``udp_address``: where clients are told to send their UDP, if another process receives it (a bench).
    """

    heartbeat_interval_ms: float = 13750.0
    heartbeat_grace: float = 2.0
    resume_window_s: float = 60.0
    resumable_codes: frozenset[int] = frozenset(
        {CloseCode.GOING_AWAY, CloseCode.ABNORMAL, CloseCode.SERVER_CRASHED}
    )
    token_outlives_session: bool = True
    buffered_messages: int = 512
    modes: tuple[str, ...] = tuple(MODES)
    keep_alive_echo: bool = True
    rtcp_interval_s: float | None = None
    servers: int = 3
    dave: DavePolicy = DavePolicy.ON
    dave_latency_ms: float = 0.0
    dave_first_at_once: bool = True
    versions: frozenset[str] = frozenset({str(GATEWAY_VERSION)})
    udp_address: tuple[str, int] | None = None

    @property
    def heartbeat_deadline_s(self) -> float:
        """Seconds without a heartbeat after which a session is timed out."""
        return self.heartbeat_interval_ms * self.heartbeat_grace / 1000
