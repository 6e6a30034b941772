"""Writes the project's music as files of every kind that a bot meets, with the title in the metadata.

The encoders are PyAV's. Vorbis comes from FFmpeg's own encoder, the only one in the wheel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import av
import numpy as np
from av.audio.stream import AudioStream

from loopback.music import position
from loopback.music.pieces import blocks
from loopback.music.position import RATE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from loopback.music.pieces import Piece


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file: FFmpeg's names of container and codec, sample rate in Hz, bit/s (0: not stated)."""

    container: str
    codec: str
    rate: int
    bit_rate: int
    options: dict[str, str] = field(default_factory=dict)


FORMATS: Final = {
    ".webm": Format("webm", "libopus", 48_000, 128_000),
    ".opus": Format("ogg", "libopus", 48_000, 128_000),
    ".m4a": Format("ipod", "aac", 44_100, 192_000),
    ".mp3": Format("mp3", "libmp3lame", 44_100, 192_000),
    ".ogg": Format("ogg", "vorbis", 48_000, 160_000, {"strict": "experimental"}),
    ".wav": Format("wav", "pcm_s16le", 48_000, 0),
}
"""What is written for each ending of a file's name."""


def write_music(
    path: Path, piece: Piece, seconds: float, *, level_db: float | None = position.LEVEL_DB
) -> Path:
    """Write a piece as the kind of file that the path's ending names; returns the path.

    Raises KeyError for an ending that is not in FORMATS, ValueError for more than the time line holds.
    """
    write_sound(path, blocks(piece, seconds, level_db), title=piece.title)
    return path


def write_sound(path: Path, sound: Iterable[NDArray[np.int16]], *, title: str) -> None:
    """Write 48 kHz PCM in blocks of shape (samples, 2) as the kind of file that the path's ending names."""
    kind = FORMATS[path.suffix.lower()]
    with av.open(str(path), "w", format=kind.container) as container:
        container.metadata["title"] = title
        container.metadata["artist"] = "Ostinato"
        stream = container.add_stream(kind.codec, rate=kind.rate, options=kind.options)
        if not isinstance(stream, AudioStream):
            raise TypeError(f"{kind.codec} is no audio codec")
        stream.layout = "stereo"
        if kind.bit_rate:
            stream.bit_rate = kind.bit_rate
        for frame in _frames(sound, stream):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _frames(sound: Iterable[NDArray[np.int16]], stream: AudioStream) -> Iterable[av.AudioFrame]:
    """The sound as frames of the size, rate and sample format that the stream's encoder wants."""
    context = stream.codec_context
    context.open(strict=False)
    resampler = av.AudioResampler(context.format, "stereo", context.sample_rate)
    fifo, done = av.AudioFifo(), 0
    size = context.frame_size or 1024
    for frame in _resampled(sound, resampler):
        frame.pts = None
        fifo.write(frame)
        for ready in fifo.read_many(size):
            yield _stamp(ready, done)
            done += ready.samples
    last = fifo.read(0, partial=True)
    if last is not None:
        yield _stamp(last, done)


def _resampled(sound: Iterable[NDArray[np.int16]], resampler: av.AudioResampler) -> Iterable[av.AudioFrame]:
    for block in sound:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block.reshape(1, -1)), "s16", "stereo")
        frame.sample_rate = RATE
        yield from resampler.resample(frame)
    yield from resampler.resample(None)


def _stamp(frame: av.AudioFrame, first: int) -> av.AudioFrame:
    frame.pts, frame.time_base = first, Fraction(1, frame.sample_rate)
    return frame
