"""RTP packets of Discord's voice: the header, and both current ways to seal a packet.

A packet is ``header (12 bytes) | sealed Opus frame | 4 bytes of the nonce counter``. The header is
authenticated and not encrypted; the counter is the head of the nonce, which is filled up with zeros
(Discord, "Voice Connections", *Transport Encryption and Sending Voice*; RFC 3550 for the header).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, TypeAlias

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)

#: Samples of 48 kHz in one frame of 20 ms: the step of the RTP timestamp.
FRAME_SAMPLES: Final = 960
#: One frame of Opus silence (Discord, "Voice Connections", *Voice Data Interpolation*).
SILENCE: Final = b"\xf8\xff\xfe"
#: Frames of silence after the last frame, so that decoders do not interpolate into the pause (same source).
SILENCE_FRAMES: Final = 5

AES_GCM: Final = "aead_aes256_gcm_rtpsize"
XCHACHA20: Final = "aead_xchacha20_poly1305_rtpsize"
#: Modes that are spoken here, the preferred first: GCM costs a fifth of XChaCha20 on machines with AES
#: instructions.
MODES: Final = (AES_GCM, XCHACHA20)

_pack_header = struct.Struct(">HHII").pack
_pack_counter = struct.Struct(">I").pack
_VERSION_AND_TYPE: Final = 0x8078  # version 2, no padding, no extension, no CSRC; payload type 120
_MASK_16: Final = 0xFFFF
_MASK_32: Final = 0xFFFFFFFF

#: Seals one frame: (nonce, frame, header) -> ciphertext with its tag.
Seal: TypeAlias = Callable[[bytes, bytes, bytes], bytes]


class NonceExhaustedError(Exception):
    """The 32-bit nonce counter of a key is used up, after 2.7 years of frames."""


def _gcm(key: bytes) -> Seal:
    return AESGCM(key).encrypt


def _xchacha20(key: bytes) -> Seal:
    encrypt = crypto_aead_xchacha20poly1305_ietf_encrypt

    def seal(nonce: bytes, frame: bytes, header: bytes) -> bytes:
        return encrypt(frame, header, nonce, key)

    return seal


#: How each mode seals, and what fills its nonce up behind the counter.
_SEALS: Final[dict[str, tuple[Callable[[bytes], Seal], bytes]]] = {
    AES_GCM: (_gcm, bytes(8)),
    XCHACHA20: (_xchacha20, bytes(20)),
}


def choose_mode(offered: list[str]) -> str | None:
    """The preferred one of the modes that a voice server offers, or None if no common one exists."""
    return next((mode for mode in MODES if mode in offered), None)


class Packetizer:
    """Makes the packets of one voice session: it owns the key, SSRC, sequence, timestamp and nonce counter.

    Sequence (16 bit) and timestamp (32 bit, 48 kHz samples) wrap around as RFC 3550 wants; the nonce
    counter must not.
    """

    __slots__ = ("_counter", "_padding", "_seal", "mode", "sequence", "ssrc", "timestamp")

    def __init__(self, mode: str, key: bytes, ssrc: int, *, sequence: int = 0, timestamp: int = 0) -> None:
        make_seal, self._padding = _SEALS[mode]
        self._seal = make_seal(key)
        self._counter = 0
        self.mode = mode
        self.ssrc = ssrc
        self.sequence = sequence & _MASK_16
        self.timestamp = timestamp & _MASK_32

    @property
    def nonce(self) -> int:
        """The counter that the next packet will carry."""
        return self._counter

    def pack(self, frame: bytes) -> bytes:
        """The packet for one Opus frame, under a nonce never used before; the next one is one on in sequence,
        and one frame in time.

        :raises NonceExhaustedError: when the counter of this key is used up.
        """
        counter, sequence, timestamp = self._counter, self.sequence, self.timestamp
        if counter > _MASK_32:
            raise NonceExhaustedError
        self._counter = counter + 1
        self.sequence = (sequence + 1) & _MASK_16
        self.timestamp = (timestamp + FRAME_SAMPLES) & _MASK_32
        nonce = _pack_counter(counter)
        header = _pack_header(_VERSION_AND_TYPE, sequence, timestamp, self.ssrc)
        seal = self._seal  # called at once it would be looked up as a method, which takes longer in a slot
        return header + seal(nonce + self._padding, frame, header) + nonce

    def take_back(self) -> None:
        """The last packet did not leave: the next one has its place in sequence and time, not its nonce."""
        self.sequence = (self.sequence - 1) & _MASK_16
        self.timestamp = (self.timestamp - FRAME_SAMPLES) & _MASK_32

    def skip(self, frames: int) -> None:
        """Let time pass without a packet: the timestamp goes on, the sequence does not (RFC 3550, 5.1)."""
        self.timestamp = (self.timestamp + frames * FRAME_SAMPLES) & _MASK_32


def open_packet(mode: str, key: bytes, packet: bytes) -> bytes:
    """The Opus frame inside a packet without extension, as its receiver would see it: for self-tests of a
    session.

    :raises cryptography.exceptions.InvalidTag: if an AES-GCM packet is not authentic
    :raises nacl.exceptions.CryptoError: if an XChaCha20 packet is not authentic
    """
    header, sealed, counter = packet[:12], packet[12:-4], packet[-4:]
    if mode == AES_GCM:
        return AESGCM(key).decrypt(counter + bytes(8), sealed, header)
    return crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, header, counter + bytes(20), key)
