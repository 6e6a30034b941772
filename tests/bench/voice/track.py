"""What every player of the voice bench sends: Opus at about 128 kbit/s, as a file and as frames."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Final

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

if TYPE_CHECKING:
    from pathlib import Path

RATE: Final = 48_000
FRAME_SAMPLES: Final = 960
BITS_PER_S: Final = 128_000
PATTERN_S: Final = 10
_LENGTH = struct.Struct("!H")


def encode_pattern() -> list[bytes]:
    """Ten seconds of noise below a tone: sound that needs its bits, so that frames are about 320 bytes."""
    codec = av.CodecContext.create("libopus", "w")
    assert isinstance(codec, AudioCodecContext)
    codec.sample_rate, codec.format, codec.layout = RATE, av.AudioFormat("s16"), av.AudioLayout("stereo")
    codec.bit_rate = BITS_PER_S
    codec.options = {"vbr": "off", "compression_level": "0"}
    random = np.random.default_rng(1)
    frames: list[bytes] = []
    for number in range(PATTERN_S * RATE // FRAME_SAMPLES):
        at = np.arange(number * FRAME_SAMPLES, (number + 1) * FRAME_SAMPLES)
        tone = 6000 * np.sin(at * (2 * np.pi * 440 / RATE))
        sound = (tone[:, None] + random.normal(0, 1500, (FRAME_SAMPLES, 2))).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate, frame.pts = RATE, number * FRAME_SAMPLES
        frames += [bytes(packet) for packet in codec.encode(frame)]
    return frames


def write_frames(path: Path, frames: list[bytes]) -> None:
    """The frames for players that take Opus from memory: `u16 length + payload` each."""
    path.write_bytes(b"".join(_LENGTH.pack(len(frame)) + frame for frame in frames))


def read_frames(path: str) -> list[bytes]:
    """What `write_frames` has written."""
    with open(path, "rb") as file:  # noqa: PTH123 - players are plain scripts
        raw = file.read()
    frames: list[bytes] = []
    at = 0
    while at < len(raw):
        (length,) = _LENGTH.unpack_from(raw, at)
        frames.append(raw[at + 2 : at + 2 + length])
        at += 2 + length
    return frames


def write_file(path: Path, frames: list[bytes], seconds: int) -> None:
    """A file of that length, its ending says of which kind: the pattern again and again, copied."""
    with av.open(os.fspath(path), "w") as container:
        stream = container.add_stream("libopus", rate=RATE)
        assert isinstance(stream, av.AudioStream)
        stream.layout = av.AudioLayout("stereo")
        container.start_encoding()
        for number in range(seconds * RATE // FRAME_SAMPLES):
            packet = av.Packet(frames[number % len(frames)])
            packet.stream, packet.time_base = stream, stream.time_base or packet.time_base
            packet.pts = packet.dts = round(number * 0.02 / float(packet.time_base or 1))
            packet.duration = round(0.02 / float(packet.time_base or 1))
            container.mux(packet)
