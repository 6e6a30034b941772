"""Numbers of the main gateway, version 10, and the ways its messages are packed.

Source: Discord documentation, "Gateway" and "Opcodes and Status Codes".
"""

from __future__ import annotations

import json
import zlib
from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loopback.world.model import Payload

VERSIONS = ("9", "10")
COMPRESSIONS = (None, "zlib-stream")
MAX_PAYLOAD_BYTES = 4096


class Op(IntEnum):
    """Gateway opcodes."""

    DISPATCH = 0
    HEARTBEAT = 1
    IDENTIFY = 2
    PRESENCE_UPDATE = 3
    VOICE_STATE_UPDATE = 4
    RESUME = 6
    RECONNECT = 7
    REQUEST_GUILD_MEMBERS = 8
    INVALID_SESSION = 9
    HELLO = 10
    HEARTBEAT_ACK = 11


class CloseCode(IntEnum):
    """Why the gateway closes a connection."""

    NORMAL = 1000
    GOING_AWAY = 1001
    UNKNOWN_ERROR = 4000
    UNKNOWN_OPCODE = 4001
    DECODE_ERROR = 4002
    NOT_AUTHENTICATED = 4003
    AUTHENTICATION_FAILED = 4004
    ALREADY_AUTHENTICATED = 4005
    INVALID_SEQ = 4007
    RATE_LIMITED = 4008
    SESSION_TIMED_OUT = 4009
    INVALID_SHARD = 4010
    SHARDING_REQUIRED = 4011
    INVALID_VERSION = 4012
    INVALID_INTENTS = 4013
    DISALLOWED_INTENTS = 4014


class GatewayError(Exception):
    """The client broke the protocol: its connection is closed with `code`."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{int(code)}: {reason}")
        self.code = code
        self.reason = reason


def message(op: Op, data: Any = None, *, name: str | None = None, sequence: int | None = None) -> Payload:
    """A gateway message; only events have a name and a sequence number."""
    return {"t": name, "s": sequence, "op": int(op), "d": data}


def refusal(query: Mapping[str, str]) -> str | None:
    """Why a connection with this query is not spoken with; None if it is."""
    if query.get("encoding", "json") != "json":
        return "only the encoding json is spoken here"
    if query.get("compress") not in COMPRESSIONS:
        return f"compress={query.get('compress')} is not spoken here; zlib-stream is, and none"
    return None


class Packing:
    """How messages of one connection go over the wire: text, or one zlib stream flushed after every
    message.
    """

    def __init__(self, compress: str | None) -> None:
        self._stream = zlib.compressobj() if compress == "zlib-stream" else None

    def pack(self, content: Payload) -> str | bytes:
        text = json.dumps(content, separators=(",", ":"))
        if self._stream is None:
            return text
        return self._stream.compress(text.encode()) + self._stream.flush(zlib.Z_SYNC_FLUSH)


def unpack(text: str | bytes) -> tuple[int, Any]:
    """(opcode, data) of a client's message. Raises GatewayError."""
    if len(text) > MAX_PAYLOAD_BYTES:
        raise GatewayError(CloseCode.DECODE_ERROR, f"more than {MAX_PAYLOAD_BYTES} bytes")
    try:
        content = json.loads(text)
        return int(content["op"]), content.get("d")
    except (ValueError, KeyError, TypeError) as broken:
        raise GatewayError(CloseCode.DECODE_ERROR, "not a gateway message") from broken
