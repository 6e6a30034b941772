"""Packets of Opus: what they say about themselves, and how to cut and join them without decoding.

RFC 6716, section 3 (packets), RFC 7845, section 5.1 (the head of a stream). A packet is a byte that names the
configuration (TOC) and one or more compressed frames of one length between 2.5 and 60 ms. Frames are
independent units for a decoder's input, so regrouping them leaves the sound as it is, sample for sample.
"""

from __future__ import annotations

FRAME_SAMPLES = 960  # 20 ms at 48 kHz, what Discord expects in each RTP packet
SILENCE = b"\xf8\xff\xfe"  # 20 ms of nothing
MAX_FRAME = 1275  # bytes of one compressed frame (RFC 6716, 3.4)
# Of a packet that is sent on: a lone frame of the largest size, in whichever form. With RTP's header and the
# encryption it still is one datagram; a file may state packets of megabytes.
MAX_PACKET = MAX_FRAME + 7

_SILK = (480, 960, 1920, 2880)
_HYBRID = (480, 960)
_CELT = (120, 240, 480, 960)


def packet_samples(packet: bytes) -> int:
    """Length of a packet in samples at 48 kHz; 0 for what is no packet."""
    return _frame_count(packet) * frame_samples(packet[0]) if packet else 0


def frame_samples(toc: int) -> int:
    """Length of each frame of a packet with this first byte, in samples at 48 kHz."""
    configuration = toc >> 3
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
    An output gain is applied by decoding. Without a head (MPEG-TS) the packets themselves decide.
    """
    if not head:
        return True
    plain = len(head) >= 19 and head[:8] == b"OpusHead" and head[18] == 0 and head[9] in {1, 2}
    return plain and head[16:18] == bytes(2)


def pre_skip(head: bytes) -> int:
    """How many samples at the start of a stream are there for the decoder only."""
    return int.from_bytes(head[10:12], "little") if len(head) >= 12 else 0


def frames_of(packet: bytes) -> list[bytes]:
    """The compressed frames of a packet; raises ValueError if it is malformed (RFC 6716, section 3.4)."""
    if not packet:
        raise ValueError("an empty packet")
    code, body = packet[0] & 3, packet[1:]
    if code == 0:
        return [body]
    if code == 1:
        return _equal(body, 2)
    if code == 2:
        size, body = _length(body)
        return _cut(body, [size])
    return _many(body)


def _many(body: bytes) -> list[bytes]:
    """Code 3: a byte with the number of frames and two flags, then padding length, sizes, frames, padding."""
    if not body or not body[0] & 0x3F:
        raise ValueError("a packet without frames")
    count, variable, padded = body[0] & 0x3F, body[0] & 0x80, body[0] & 0x40
    body = _without_padding(body[1:]) if padded else body[1:]
    if not variable:
        return _equal(body, count)
    sizes = []
    for _ in range(count - 1):
        size, body = _length(body)
        sizes.append(size)
    return _cut(body, sizes)


def _without_padding(body: bytes) -> bytes:
    padding, at = 0, 0
    while at < len(body) and body[at] == 255:
        padding, at = padding + 254, at + 1
    if at >= len(body) or padding + body[at] > len(body) - at - 1:
        raise ValueError("more padding than packet")
    return body[at + 1 : len(body) - padding - body[at]]


def _length(body: bytes) -> tuple[int, bytes]:
    """A frame's size in one or two bytes, and what follows it."""
    if not body or (body[0] >= 252 and len(body) < 2):
        raise ValueError("a packet ends in a length")
    if body[0] < 252:
        return body[0], body[1:]
    return body[1] * 4 + body[0], body[2:]


def _equal(body: bytes, count: int) -> list[bytes]:
    size, rest = divmod(len(body), count)
    if rest:
        raise ValueError("frames of equal size do not fill the packet")
    return [body[size * number : size * (number + 1)] for number in range(count)]


def _cut(body: bytes, sizes: list[int]) -> list[bytes]:
    """Frames of these sizes, and the rest as the last one."""
    frames = []
    for size in sizes:
        frames.append(body[:size])
        body = body[size:]
        if len(frames[-1]) < size:
            raise ValueError("a frame is longer than its packet")
    return [*frames, body]


def join(toc: int, frames: list[bytes]) -> bytes:
    """One packet of these frames, of the configuration in the upper six bits of `toc`."""
    toc &= 0xFC
    if len(frames) == 1:
        return bytes([toc]) + frames[0]
    sizes = b"".join(map(_sized, frames[:-1]))
    return bytes([toc | 3, 0x80 | len(frames)]) + sizes + b"".join(frames)


def _sized(frame: bytes) -> bytes:
    size = len(frame)
    return bytes([size]) if size < 252 else bytes([252 + (size & 3), (size - 252 - (size & 3)) // 4])
