"""RTP packets as Discord's voice UDP carries them (RFC 3550, section 5.1).

Only the layout is here; the encryption of the payload is in :mod:`loopback.voice.modes`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

FIXED_HEADER = struct.Struct(">BBHII")
VERSION = 2
OPUS_PAYLOAD_TYPE = 120
EXTENSION_PREAMBLE_BYTES = 4
RTCP_PACKET_TYPES = range(200, 208)

SEQUENCE_MODULUS = 1 << 16
TIMESTAMP_MODULUS = 1 << 32
FRAME_SAMPLES = 960
"""Samples of one 20 ms frame at 48 kHz: the step of the RTP timestamp."""


class MalformedPacketError(ValueError):
    """The bytes are no RTP packet: too short, or not version 2."""


@dataclass(frozen=True, slots=True)
class RtpHeader:
    """The readable part of a packet. ``extension_words`` is None without an X bit; a word has 4 bytes."""

    sequence: int
    timestamp: int
    ssrc: int
    payload_type: int = OPUS_PAYLOAD_TYPE
    marker: bool = False
    padding: bool = False
    csrcs: tuple[int, ...] = ()
    extension_words: int | None = None
    extension_profile: int = 0xBEDE

    @property
    def length(self) -> int:
        """Bytes in clear: fixed header, CSRC list, and the extension's preamble (not its body)."""
        preamble = 0 if self.extension_words is None else EXTENSION_PREAMBLE_BYTES
        return FIXED_HEADER.size + 4 * len(self.csrcs) + preamble

    def pack(self) -> bytes:
        """The header as it goes over the wire, which is also the additional data of the encryption."""
        extended = self.extension_words is not None
        first = VERSION << 6 | self.padding << 5 | extended << 4 | len(self.csrcs)
        second = self.marker << 7 | self.payload_type
        fixed = FIXED_HEADER.pack(first, second, self.sequence, self.timestamp, self.ssrc)
        csrcs = b"".join(struct.pack(">I", csrc) for csrc in self.csrcs)
        if self.extension_words is None:
            return fixed + csrcs
        return fixed + csrcs + struct.pack(">HH", self.extension_profile, self.extension_words)


def parse_header(packet: bytes) -> RtpHeader:
    """Read the header of ``packet``. Raises :class:`MalformedPacketError`."""
    if len(packet) < FIXED_HEADER.size:
        raise MalformedPacketError(f"{len(packet)} bytes are too few for an RTP header")
    first, second, sequence, timestamp, ssrc = FIXED_HEADER.unpack_from(packet)
    if first >> 6 != VERSION:
        raise MalformedPacketError(f"RTP version {first >> 6} instead of {VERSION}")
    csrcs, extension = _parse_tail(packet, first)
    return RtpHeader(
        sequence=sequence,
        timestamp=timestamp,
        ssrc=ssrc,
        payload_type=second & 0x7F,
        marker=bool(second >> 7),
        padding=bool(first >> 5 & 1),
        csrcs=csrcs,
        extension_words=extension[1] if extension else None,
        extension_profile=extension[0] if extension else 0xBEDE,
    )


def _parse_tail(packet: bytes, first: int) -> tuple[tuple[int, ...], tuple[int, int] | None]:
    """The CSRC list and the extension's (profile, words) that follow the fixed header."""
    count = first & 0x0F
    try:
        csrcs = struct.unpack_from(f">{count}I", packet, FIXED_HEADER.size)
        if not first >> 4 & 1:
            return csrcs, None
        profile, words = struct.unpack_from(">HH", packet, FIXED_HEADER.size + 4 * count)
    except struct.error as error:
        raise MalformedPacketError("the packet ends within its RTP header") from error
    return csrcs, (profile, words)


def strip_plaintext(header: RtpHeader, plaintext: bytes) -> bytes:
    """The media payload without the extension's body in front and the padding behind.

    The ``*_rtpsize`` modes encrypt both with the payload. Raises :class:`MalformedPacketError`.
    """
    start = 4 * (header.extension_words or 0)
    end = len(plaintext) - (plaintext[-1] if header.padding and plaintext else 0)
    if start > end:
        raise MalformedPacketError("extension and padding are longer than the packet")
    return plaintext[start:end]


def is_rtcp(packet: bytes) -> bool:
    """Whether the packet is RTCP: its packet types lie where RTP has marker and payload type (RFC 5761)."""
    return len(packet) >= 8 and packet[0] >> 6 == VERSION and packet[1] in RTCP_PACKET_TYPES
