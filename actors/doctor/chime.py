"""A short melody as ready Opus frames: what `doctor --live` plays, for a person in the channel to hear."""

from __future__ import annotations

import math
from array import array
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from av.audio.frame import AudioFrame

from actors.media.encoder import RATE, Transcoder

if TYPE_CHECKING:
    from collections.abc import Sequence

_NOTES_HZ: Final = (440.0, 554.37, 659.26, 880.0)
_NOTE_S: Final = 0.5
_PEAK: Final = 5000  # of 32767: nobody should be startled


def chime() -> tuple[bytes, ...]:
    """Two seconds of frames of 20 ms, to be repeated. Takes some tens of milliseconds."""
    samples = array("h")
    for note_hz in _NOTES_HZ:
        for number in range(round(RATE * _NOTE_S)):
            at_s = number / RATE
            loudness = min(at_s / 0.01, 1.0) * math.exp(-6.0 * at_s)
            value = round(_PEAK * loudness * math.sin(2 * math.pi * note_hz * at_s))
            samples.extend((value, value))
    return tuple(_encode(samples))


def _encode(samples: array[int]) -> list[bytes]:
    frame = AudioFrame(format="s16", layout="stereo", samples=len(samples) // 2)
    frame.planes[0].update(samples.tobytes())
    frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), 0
    transcoder = Transcoder()
    return [*transcoder.push(frame), *transcoder.flush()]


class Repeated:
    """A source without an end."""

    ended = False

    def __init__(self, frames: Sequence[bytes]) -> None:
        self._frames = frames
        self._next = 0

    def next_frame(self) -> bytes | None:
        """The next frame, in a circle."""
        frame = self._frames[self._next]
        self._next = (self._next + 1) % len(self._frames)
        return frame
