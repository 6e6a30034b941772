"""Opus frames to send, the counterpart of the ear; for whoever tests what carries sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from loopback.voice.rtp import FRAME_SAMPLES

if TYPE_CHECKING:
    from loopback.listening.ear import Pcm

SAMPLE_RATE = 48_000


def sine(hz: float, frames: int, *, amplitude: float = 0.3, right_hz: float | None = None) -> Pcm:
    """A tone of ``frames`` times 20 ms: int16 (samples, 2) at 48 kHz; ``right_hz`` for the right channel."""
    seconds = np.arange(frames * FRAME_SAMPLES) / SAMPLE_RATE
    channels = [np.sin(2 * np.pi * tone * seconds) for tone in (hz, hz if right_hz is None else right_hz)]
    return (np.stack(channels, axis=1) * amplitude * 32767).astype(np.int16)


def encode(pcm: Pcm, layout: str = "stereo") -> list[bytes]:
    """``pcm`` as Opus frames of 20 ms; ``layout`` "mono" takes its left channel."""
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, AudioCodecContext)  # noqa: S101 - create() is typed by its base class
    encoder.sample_rate, encoder.layout, encoder.format = SAMPLE_RATE, layout, "s16"
    channels = encoder.layout.nb_channels
    packets: list[bytes] = []
    for start in range(0, len(pcm), FRAME_SAMPLES):
        samples = np.ascontiguousarray(pcm[start : start + FRAME_SAMPLES, :channels]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
        frame.sample_rate = SAMPLE_RATE
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return packets


def tone(hz: float, frames: int) -> list[bytes]:
    """A tone as Opus frames of 20 ms."""
    return encode(sine(hz, frames))
