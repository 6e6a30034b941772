"""Messages between the bot and its workers: a length of four bytes (network order), then msgpack."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import msgpack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_MESSAGE_BYTES = 1 << 20  # a playlist of 50 entries with every string at its bound is well below

_LENGTH = struct.Struct("!I")


class WireError(Exception):
    """The other side sent what is no message; the connection is of no further use."""


def encode(message: Mapping[str, Any]) -> bytes:
    """One message as bytes; raises WireError if it is larger than the other side accepts.

    Half a surrogate pair, which JSON can state and UTF-8 cannot, becomes a question mark.
    """
    body: bytes = msgpack.packb(message, unicode_errors="replace")
    if len(body) > MAX_MESSAGE_BYTES:
        raise WireError(f"a message of {len(body)} bytes is too large")
    return _LENGTH.pack(len(body)) + body


class Decoder:
    """Puts messages together from whatever pieces a stream delivers."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """The messages that are complete with this piece."""
        self._pending += data
        while (body := self._next()) is not None:
            yield _unpack(body)

    def _next(self) -> bytes | None:
        if len(self._pending) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._pending)
        if length > MAX_MESSAGE_BYTES:
            raise WireError(f"a message of {length} bytes was announced")
        end = _LENGTH.size + length
        if len(self._pending) < end:
            return None
        body = bytes(self._pending[_LENGTH.size : end])
        del self._pending[:end]
        return body


def _unpack(body: bytes) -> dict[str, Any]:
    try:
        message = msgpack.unpackb(body)
    except Exception as error:  # msgpack raises a family of unrelated classes on damaged input
        raise WireError("a message could not be read") from error
    if not isinstance(message, dict):
        raise WireError("a message is not a map")
    return message
