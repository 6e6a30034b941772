"""The presentation language of MLS: numbers, and vectors whose length is a variable-size integer.

RFC 9420, section 2.1.2: the two highest bits of the length's first byte say whether it has 1, 2 or 4 bytes.
"""

from __future__ import annotations

from typing import Final

_LENGTH_BYTES: Final = {0: 1, 1: 2, 2: 4}
_SHORT: Final = 1 << 6
_MEDIUM: Final = 1 << 14


class MalformedError(ValueError):
    """The bytes are not what they should be: cut short, or of an unknown kind."""


def number(value: int, size: int) -> bytes:
    """``value`` as ``size`` bytes, big endian."""
    return value.to_bytes(size, "big")


def vector(content: bytes) -> bytes:
    """``content`` with its length in front."""
    length = len(content)
    if length < _SHORT:
        return number(length, 1) + content
    if length < _MEDIUM:
        return number(length | 1 << 14, 2) + content
    return number(length | 2 << 30, 4) + content


class Reader:
    """Reads one structure after the other. Everything raises :class:`MalformedError` beyond the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    @property
    def rest(self) -> bytes:
        """What has not been read yet."""
        return self._data[self.position :]

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        end = self.position + size
        if end > len(self._data):
            raise MalformedError(f"{size} bytes are due at {self.position} of {len(self._data)}")
        taken, self.position = self._data[self.position : end], end
        return taken

    def number(self, size: int) -> int:
        """The next ``size`` bytes as a number, big endian."""
        return int.from_bytes(self.take(size), "big")

    def vector(self) -> bytes:
        """The content of the vector that comes next."""
        first = self.number(1)
        size = _LENGTH_BYTES.get(first >> 6)
        if size is None:
            raise MalformedError("a length of an unknown size")
        length = (first & 0x3F) << 8 * (size - 1) | self.number(size - 1)
        return self.take(length)

    def since(self, position: int) -> bytes:
        """What was read from ``position`` on."""
        return self._data[position : self.position]

    def expect(self, size: int, wanted: int, what: str) -> None:
        """The next number must be ``wanted``."""
        found = self.number(size)
        if found != wanted:
            raise MalformedError(f"{what}: {found} instead of {wanted}")
