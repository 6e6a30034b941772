"""What the voice server knows: the tokens it has issued and the sessions that were opened with them."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import struct
import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from loopback.voice.modes import KEY_BYTES, MODES, SessionCipher
from loopback.voice.protocol import SEQUENCE_MODULUS, CloseCode, CloseError, Op, VoiceSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loopback.dave.audience import Audience
    from loopback.voice.gateway import Connection

Address = tuple[str, int]

GONE_AFTER_S = 0.005
"""When the members of a call hear that a session has ended: its close frame is not to wait until those of
them who live in this process have made new keys.
"""

_BINARY_HEAD = struct.Struct(">HB")
"""In front of a binary message: sequence number, opcode."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A voice token as VOICE_SERVER_UPDATE carries it, and for whom it is good."""

    guild_id: int
    channel_id: int
    user_id: int
    session_id: str
    token: str
    server: int = 0
    """Which of the voice servers it is good for, from 0."""
    dave: bool = True
    """Whether the channel is to be encrypted end to end; stage channels are not."""


@dataclass(slots=True, eq=False)
class VoiceSession:
    """A user's voice connection in a guild, from IDENTIFY until it is dropped. Survives its websocket."""

    credential: Credential
    ssrc: int
    buffered_messages: int
    dave_version: int = 0
    """The highest DAVE version that the client has announced."""
    audience: Audience | None = None
    """Who listens, and with whom it shares its keys; None without DAVE."""
    connection: Connection | None = None
    orphaned_at: float | None = None
    address: Address | None = None
    mode: str | None = None
    key: bytes = b""
    cipher: SessionCipher | None = None
    number: int = 0
    """Which session key of its guild this is, from 1; 0 before the first session description."""
    reports: int = 0
    """RTCP receiver reports that the server has sent to it."""
    sequence: int = -1
    acknowledged: int = -1
    """The latest numbered message that a heartbeat of the client has named (seq_ack)."""
    buffer: deque[tuple[int, str | bytes]] = field(default_factory=deque)

    @property
    def guild_id(self) -> int:
        return self.credential.guild_id

    @property
    def user_id(self) -> int:
        return self.credential.user_id

    @property
    def server(self) -> int:
        """Which of the voice servers it is on, from 0."""
        return self.credential.server

    def describe(self, mode: str, number: int) -> None:
        """Make a fresh key for ``mode``."""
        self.mode, self.number = mode, number
        self.key = secrets.token_bytes(KEY_BYTES)
        self.cipher = SessionCipher(MODES[mode], self.key)

    @property
    def supports_dave(self) -> bool:
        return self.dave_version > 0

    def send_numbered(self, op: Op, data: object) -> None:
        """Send a message that a RESUME replays if it was missed: bytes as a binary one, else JSON."""
        self.sequence = (self.sequence + 1) % SEQUENCE_MODULUS
        message: str | bytes
        if isinstance(data, bytes):
            message = _BINARY_HEAD.pack(self.sequence, op) + data
        else:
            message = json.dumps({"op": op, "d": data, "seq": self.sequence})
        self.buffer.append((self.sequence, message))
        while len(self.buffer) > self.buffered_messages:
            self.buffer.popleft()
        if self.connection is not None:
            self.connection.send_message(message)

    tell = send_numbered
    """What the call says to a member, see :class:`loopback.dave.call.Port`."""

    def acknowledge(self, seq_ack: int) -> None:
        """The client has got every numbered message up to this one (-1: none). Raises :class:`CloseError`."""
        if 0 < (seq_ack - self.sequence) % SEQUENCE_MODULUS < SEQUENCE_MODULUS // 2:
            raise CloseError(CloseCode.DECODE_ERROR, f"message {seq_ack} is acknowledged and was never sent")
        self.acknowledged = seq_ack

    def missed_after(self, seq_ack: int) -> list[str | bytes]:
        """The numbered messages after ``seq_ack`` (-1: all). Raises :class:`CloseError` if some are gone."""
        missed = (self.sequence - seq_ack) % SEQUENCE_MODULUS if seq_ack >= 0 else self.sequence + 1
        if missed > len(self.buffer):
            raise CloseError(CloseCode.SESSION_INVALID, f"message {seq_ack} is not in the replay buffer")
        return [message for _, message in itertools.islice(self.buffer, len(self.buffer) - missed, None)]


class Sessions:
    """All credentials and sessions of one voice server. One of each for a user in a guild."""

    def __init__(self, settings: VoiceSettings) -> None:
        self._settings = settings
        self._credentials: dict[tuple[int, int], Credential] = {}
        self._last_server: dict[int, int] = {}
        self._by_owner: dict[tuple[int, int], VoiceSession] = {}
        self._by_ssrc: dict[int, VoiceSession] = {}
        self._by_address: dict[Address, VoiceSession] = {}
        self._ssrcs = itertools.count(secrets.randbelow(1 << 16) + 1)
        self.hushed: set[tuple[int, int]] = set()
        """(guild, user) whose packets nobody hears: they may not speak."""

    def __iter__(self) -> Iterator[VoiceSession]:
        return iter(list(self._by_owner.values()))

    def issue(
        self, guild_id: int, channel_id: int, user_id: int, session_id: str, *, dave: bool
    ) -> Credential:
        """A new token; it replaces an earlier one of the same user in the same guild.

        The first is for server 0, each later one for the next server, so that a move is one.
        """
        server = self._last_server.get(guild_id, -1) + 1
        self._last_server[guild_id] = server
        token, server = secrets.token_hex(8), server % self._settings.servers
        credential = Credential(guild_id, channel_id, user_id, session_id, token, server, dave)
        self._credentials[guild_id, user_id] = credential
        return credential

    def credential(self, guild_id: int, user_id: int) -> Credential | None:
        """The token of the user in that guild that is good now."""
        return self._credentials.get((guild_id, user_id))

    def withdraw(self, guild_id: int, user_id: int) -> None:
        """The user's token in that guild is good no longer."""
        self._credentials.pop((guild_id, user_id), None)

    def expire(self, session: VoiceSession) -> None:
        """The token with which the session was opened opens no other (4006)."""
        owner = session.guild_id, session.user_id
        if self._credentials.get(owner) is session.credential:
            self._credentials[owner] = replace(session.credential, session_id="")

    def open(self, guild_id: int, user_id: int, session_id: str, token: str) -> VoiceSession:
        """A fresh session for an IDENTIFY, not yet to be found. Raises :class:`CloseError`."""
        if all(guild != guild_id for guild, _ in self._credentials):
            raise CloseError(CloseCode.SERVER_NOT_FOUND, f"no voice in guild {guild_id}")
        credential = self._credentials.get((guild_id, user_id))
        if credential is None or not secrets.compare_digest(credential.token.encode(), token.encode()):
            raise CloseError(CloseCode.AUTHENTICATION_FAILED, "the token is not this user's")
        if credential.session_id != session_id:
            raise CloseError(CloseCode.SESSION_INVALID, "the token belongs to another session id")
        return VoiceSession(credential, next(self._ssrcs), self._settings.buffered_messages)

    def add(self, session: VoiceSession) -> None:
        """Let the session be found from now on."""
        self._by_owner[session.guild_id, session.user_id] = session
        self._by_ssrc[session.ssrc] = session

    def drop(self, session: VoiceSession) -> None:
        """The session and its UDP end."""
        if self._by_owner.get((session.guild_id, session.user_id)) is session:
            del self._by_owner[session.guild_id, session.user_id]
        self._by_ssrc.pop(session.ssrc, None)
        self._unbind(session)
        if session.audience is not None:
            leave = session.audience.call.leave
            asyncio.get_running_loop().call_later(GONE_AFTER_S, leave, session.user_id, session)

    def bind(self, session: VoiceSession, address: Address) -> None:
        """Packets of the session come from ``address`` from now on, and answers go there."""
        self._unbind(session)
        session.address = address
        self._by_address[address] = session

    def of(self, guild_id: int, user_id: int) -> VoiceSession | None:
        """The user's living session in that guild."""
        return self._living(self._by_owner.get((guild_id, user_id)))

    def by_ssrc(self, ssrc: int) -> VoiceSession | None:
        """The living session that sends with ``ssrc``."""
        return self._living(self._by_ssrc.get(ssrc))

    def by_address(self, address: Address) -> VoiceSession | None:
        """The living session whose packets come from ``address``."""
        return self._living(self._by_address.get(address))

    def resumable(self, guild_id: int, session_id: str, token: str) -> VoiceSession:
        """The session that a RESUME names. Raises :class:`CloseError`."""
        wanted = (guild_id, session_id, token)
        for session in self:
            held = session.credential
            if (held.guild_id, held.session_id, held.token) == wanted and self._living(session) is not None:
                return session
        raise CloseError(CloseCode.SESSION_INVALID, "no such session to resume")

    def _unbind(self, session: VoiceSession) -> None:
        if session.address is not None and self._by_address.get(session.address) is session:
            del self._by_address[session.address]

    def _living(self, session: VoiceSession | None) -> VoiceSession | None:
        """``session``, unless it has waited for a websocket beyond the resume window: then it is dropped."""
        if session is None or session.orphaned_at is None:
            return session
        if time.monotonic() - session.orphaned_at <= self._settings.resume_window_s:
            return session
        self.drop(session)
        return None
