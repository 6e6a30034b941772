"""A client of Discord's voice gateway, version 8: one websocket, its opcodes, its heartbeat."""

from __future__ import annotations

import json
import socket
import struct
import time
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

import aiohttp
import anyio

from actors.voice import dave
from actors.voice.causes import Fault

_BINARY_HEAD = struct.Struct(">HB")  # sequence number, opcode
_BINARY_HEAD_SIZE: Final = 3
#: A websocket that is not open after this is given up.
OPEN_TIMEOUT_S: Final = 5.0
#: How long a close may wait for the server's own close frame.
_CLOSE_TIMEOUT_S: Final = 1.0
#: Never beat slower than this, whatever the server asks for: bindings of a NAT end.
_SLOWEST_BEAT_S: Final = 15.0
#: Never beat faster either: a broken interval must not keep the loop busy.
_FASTEST_BEAT_S: Final = 0.05
#: Close code of a websocket that ended without one (RFC 6455, 7.1.5), and ...
ABNORMAL: Final = 1006
#: ... of one that was closed without a status.
NO_STATUS: Final = 1005


class Op(IntEnum):
    """Opcodes (Discord, "Opcodes and Status Codes", *Voice Opcodes*)."""

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


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a voice session is identified with; state and server updates of the main gateway bring it.

    :ivar channel_id: the voice channel that they are for
    :ivar endpoint: host and port as given, the port included
    :ivar others: users who are in the channel too, as far as the main gateway has told
    """

    guild_id: int
    channel_id: int
    user_id: int
    session_id: str
    token: str
    endpoint: str
    others: frozenset[int] = field(default=frozenset(), compare=False)  # no part of what is good or void

    @property
    def url(self) -> str:
        return f"wss://{self.endpoint}/?v=8"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the server: `data` is parsed JSON, or bytes for a binary one."""

    op: int
    data: Any


class GatewayClosed(Exception):  # noqa: N818  (an end, not necessarily an error)
    """The websocket has ended, or is to be given up.

    :ivar code: its close code; 1006 if it ended without one
    :ivar fault: what is known beyond the code
    """

    def __init__(self, code: int, reason: str, fault: Fault | None = None) -> None:
        super().__init__(f"{code} {reason}".strip())
        self.code = code
        self.reason = reason
        self.fault = fault


class VoiceGateway:
    """One open websocket. `receive` must be called all the time, and `beat` every `beat_interval_s` at least.

    :ivar beat_interval_s: as the server wants it, within bounds
    :ivar seq_ack: number of the last numbered message; what a resume tells the server
    :ivar latency_ms: round trip of the last heartbeat that was acknowledged, None before the first
    """

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse, *, seq_ack: int = -1) -> None:
        self._websocket = websocket
        self._beat_sent: float | None = None  # time of the unacknowledged heartbeat
        self.beat_interval_s = _SLOWEST_BEAT_S
        self.seq_ack = seq_ack
        self.latency_ms: float | None = None
        self.last_ack = time.monotonic()

    @property
    def unanswered_s(self) -> float | None:
        """For how long the latest heartbeat has not been acknowledged, None once it is."""
        return None if self._beat_sent is None else time.monotonic() - self._beat_sent

    async def receive(self) -> Message:
        """The next message; numbering, hello and acknowledgements are noted on the way.

        :raises GatewayClosed: when the websocket ends
        """
        while True:
            raw = await self._websocket.receive()
            if raw.type is aiohttp.WSMsgType.TEXT:
                return self._parse(raw.data)
            if raw.type is aiohttp.WSMsgType.BINARY and len(raw.data) >= _BINARY_HEAD_SIZE:
                self.seq_ack, op = _BINARY_HEAD.unpack_from(raw.data)
                return Message(op, raw.data[_BINARY_HEAD_SIZE:])
            if raw.type is not aiohttp.WSMsgType.BINARY:
                raise self._ended(raw)

    async def identify(self, credentials: Credentials) -> None:
        """Ask for a new session."""
        await self.send(
            Op.IDENTIFY,
            {
                "server_id": str(credentials.guild_id),
                "user_id": str(credentials.user_id),
                "session_id": credentials.session_id,
                "token": credentials.token,
                "max_dave_protocol_version": dave.MAX_PROTOCOL_VERSION,
            },
        )

    async def resume(self, credentials: Credentials) -> None:
        """Ask to go on with the session that another websocket had."""
        await self.send(
            Op.RESUME,
            {
                "server_id": str(credentials.guild_id),
                "session_id": credentials.session_id,
                "token": credentials.token,
                "seq_ack": self.seq_ack,
            },
        )

    async def select_protocol(self, address: str, port: int, mode: str) -> None:
        """Say where packets come from and how they are sealed."""
        data = {"address": address, "port": port, "mode": mode}
        await self.send(Op.SELECT_PROTOCOL, {"protocol": "udp", "data": data})

    async def speaking(self, flag: bool, ssrc: int) -> None:
        """Announce that packets of `ssrc` flow, or no longer do."""
        await self.send(Op.SPEAKING, {"speaking": int(flag), "delay": 0, "ssrc": ssrc})

    async def beat(self) -> None:
        """Send a heartbeat.

        :raises GatewayClosed: if the one before was never acknowledged: the connection is half open
        """
        self.check_answer(within_s=0.0)
        self._beat_sent = time.monotonic()
        await self.send(Op.HEARTBEAT, {"t": time.time_ns() // 1_000_000, "seq_ack": self.seq_ack})

    def check_answer(self, within_s: float) -> None:
        """
        :raises GatewayClosed: if a heartbeat has not been acknowledged for so long
        """
        waited_s = self.unanswered_s
        if waited_s is not None and waited_s >= within_s:
            raise GatewayClosed(ABNORMAL, "the heartbeat was not acknowledged", Fault.HALF_OPEN)

    def forgive(self) -> None:
        """Forget an unacknowledged heartbeat: nobody has been listening for the answer for a while."""
        self._beat_sent = None

    def cut(self) -> None:
        """End the TCP connection without a word, as a network would: `receive` raises 1006."""
        link: socket.socket | None = self._websocket.get_extra_info("socket")
        if link is not None:
            link.shutdown(socket.SHUT_RDWR)

    async def aclose(self, code: int = 1000) -> None:
        """Close, even in a cancelled scope, without waiting long for the other side."""
        with anyio.move_on_after(_CLOSE_TIMEOUT_S, shield=True):
            await self._websocket.close(code=code)

    async def send(self, op: int, data: dict[str, Any] | bytes) -> None:
        """Send one message: JSON, or a binary one (opcode, body).

        On a websocket that has ended it is lost, and it is `receive` that tells so: only there is it known
        with which code, which may have come in already and wait to be read.
        """
        try:
            if isinstance(data, bytes):
                await self._websocket.send_bytes(bytes((op,)) + data)
            else:
                await self._websocket.send_str(json.dumps({"op": op, "d": data}))
        except (OSError, aiohttp.ClientError):
            pass

    def _parse(self, text: str) -> Message:
        try:
            return self._note(json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            raise malformed(error) from error

    def _note(self, message: dict[str, Any]) -> Message:
        self.seq_ack = whole_number(message.get("seq", self.seq_ack))
        op = whole_number(message["op"])
        data: Any = message.get("d")
        if op == Op.HELLO:
            interval_s = float(data["heartbeat_interval"]) / 1000
            self.beat_interval_s = min(max(_FASTEST_BEAT_S, interval_s), _SLOWEST_BEAT_S)
        elif op == Op.HEARTBEAT_ACK and self._beat_sent is not None:
            self.last_ack = time.monotonic()
            self.latency_ms = (self.last_ack - self._beat_sent) * 1000
            self._beat_sent = None
        return Message(op, data)

    def _ended(self, raw: aiohttp.WSMessage) -> GatewayClosed:
        """The end as the close frame has it: aiohttp's own `close_code` is 1006 where the server hangs up
        before the reply to its close frame has left.
        """
        reason = raw.extra if isinstance(raw.extra, str) else ""
        if raw.type is aiohttp.WSMsgType.CLOSE:
            return GatewayClosed(raw.data or NO_STATUS, reason)
        return GatewayClosed(self._websocket.close_code or ABNORMAL, reason)


def whole_number(value: object) -> int:
    """`value`, if it is an integer that is not negative, or -1 for "none yet".

    :raises ValueError: if it is not
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < -1:
        raise ValueError(f"no number: {value!r:.40}")
    return value


def malformed(error: Exception) -> GatewayClosed:
    """How a websocket ends on which something came that cannot be understood."""
    return GatewayClosed(ABNORMAL, f"unintelligible message: {error!r:.100}", Fault.MALFORMED)


async def open_gateway(
    http: aiohttp.ClientSession, credentials: Credentials, *, seq_ack: int = -1
) -> VoiceGateway:
    """Open a websocket to the endpoint of `credentials`.

    :raises GatewayClosed: 1006 if that fails or takes longer than 5 s
    """
    try:
        with anyio.fail_after(OPEN_TIMEOUT_S):
            websocket = await http.ws_connect(credentials.url, max_msg_size=1 << 20)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise GatewayClosed(
            ABNORMAL, f"cannot open the voice websocket: {error!r}", Fault.UNREACHABLE
        ) from error
    return VoiceGateway(websocket, seq_ack=seq_ack)
