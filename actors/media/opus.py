"""What a packet of Opus says about itself (RFC 6716, section 3.1; OpusHead: RFC 7845, section 5.1)."""

from __future__ import annotations

FRAME_SAMPLES = 960  # 20 ms at 48 kHz, what Discord expects in each RTP packet
SILENCE = b"\xf8\xff\xfe"  # 20 ms of nothing

_SILK = (480, 960, 1920, 2880)
_HYBRID = (480, 960)
_CELT = (120, 240, 480, 960)


def packet_samples(packet: bytes) -> int:
    """Length of a packet in samples at 48 kHz; 0 for what is no packet."""
    if not packet:
        return 0
    return _frame_count(packet) * _frame_samples(packet[0] >> 3)


def _frame_samples(configuration: int) -> int:
    if configuration < 12:
        return _SILK[configuration & 3]
    if configuration < 16:
        return _HYBRID[configuration & 1]
    return _CELT[configuration & 3]


def _frame_count(packet: bytes) -> int:
    code = packet[0] & 3
    if code == 3:
        return packet[1] & 0x3F if len(packet) > 1 else 0
    return 1 if code == 0 else 2


def passes_through(head: bytes) -> bool:
    """Whether a stream's packets can be sent as they are: one Opus stream of one or two channels.

    Other mapping families put several Opus streams into one packet; their first byte looks like plain stereo.
    Without a head (MPEG-TS) the packets themselves decide.
    """
    if not head:
        return True
    return len(head) >= 19 and head[:8] == b"OpusHead" and head[18] == 0 and head[9] in {1, 2}
