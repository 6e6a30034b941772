"""The transport encryption modes that Discord's voice servers offer today, both of the ``rtpsize`` kind.

A packet is ``RTP header | ciphertext | tag (16 bytes) | nonce counter (4 bytes, big endian)``. The counter
stands left-aligned in the cipher's nonce, the rest is zero; the header in clear is the additional data
(https://discord.com/developers/docs/topics/voice-connections).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError

if TYPE_CHECKING:
    from collections.abc import Callable

KEY_BYTES = 32
TAG_BYTES = 16
COUNTER_BYTES = 4


class UndecryptableError(ValueError):
    """The packet is too short for its tag, or it was not sealed with this key and header."""


class Cipher(Protocol):
    """An AEAD with a fixed key, in the shape that ``cryptography`` gives its own."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes: ...


class XChaCha20Poly1305:
    """libsodium's XChaCha20-Poly1305 (IETF): 24 bytes of nonce."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        return crypto_aead_xchacha20poly1305_ietf_encrypt(data, associated_data, nonce, self._key)

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        return crypto_aead_xchacha20poly1305_ietf_decrypt(data, associated_data, nonce, self._key)


@dataclass(frozen=True, slots=True)
class Mode:
    """One mode: its name in select protocol, the nonce's length in bytes, and how to key its cipher."""

    name: str
    nonce_bytes: int
    cipher: Callable[[bytes], Cipher]


AES256_GCM = Mode("aead_aes256_gcm_rtpsize", 12, AESGCM)
XCHACHA20_POLY1305 = Mode("aead_xchacha20_poly1305_rtpsize", 24, XChaCha20Poly1305)

MODES = {mode.name: mode for mode in (AES256_GCM, XCHACHA20_POLY1305)}
"""Every mode by name, the one that Discord prefers first."""


class SessionCipher:
    """Seals and opens the packets of one voice session key."""

    __slots__ = ("_cipher", "_nonce_bytes")

    def __init__(self, mode: Mode, key: bytes) -> None:
        self._cipher = mode.cipher(key)
        self._nonce_bytes = mode.nonce_bytes

    def seal(self, header: bytes, plaintext: bytes, counter: int) -> bytes:
        """A whole packet. ``counter`` must never repeat under one key."""
        suffix = counter.to_bytes(COUNTER_BYTES, "big")
        return header + self._cipher.encrypt(self._nonce(suffix), plaintext, header) + suffix

    def open(self, packet: bytes, header_bytes: int) -> tuple[int, bytes]:
        """The nonce counter and the plaintext of ``packet``. Raises :class:`UndecryptableError`."""
        if len(packet) < header_bytes + TAG_BYTES + COUNTER_BYTES:
            raise UndecryptableError(f"{len(packet)} bytes are too few for header, tag and nonce")
        header, suffix = packet[:header_bytes], packet[-COUNTER_BYTES:]
        sealed = packet[header_bytes:-COUNTER_BYTES]
        try:
            plaintext = self._cipher.decrypt(self._nonce(suffix), sealed, header)
        except (InvalidTag, CryptoError) as error:
            raise UndecryptableError("the tag does not fit key, nonce and header") from error
        return int.from_bytes(suffix, "big"), plaintext

    def _nonce(self, suffix: bytes) -> bytes:
        return suffix.ljust(self._nonce_bytes, b"\0")
