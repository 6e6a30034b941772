"""Finds where in a reference each heard frame stands, by comparing waveforms.

What was heard has been through a codec, so it is not equal to the reference, but below 4 kHz it resembles it
closely: every frame is first compared with what should come next; where that fails, a tenth of a second is
looked for nearby, and then half a second in the whole reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Wave = NDArray[np.float64]

_STEP: Final = 6  # 48 kHz -> 8 kHz
_FRAME: Final = 960 // _STEP
_RATE: Final = 48_000 // _STEP
_ALIKE: Final = 0.6  # correlation that makes a frame the expected one
_FOUND: Final = 0.7  # the same for a place that was looked for
_SLACK: Final = 3  # samples of 1/8 ms: rounding of the place
_QUIET: Final = 12.0  # RMS of int16 samples: about -69 dBFS
_NEAR_S: Final = 5.0
_SEARCHES: Final = 60  # of the whole reference at most


def match(sound: NDArray[np.int16], reference: NDArray[np.int16]) -> NDArray[np.int64]:
    """Places in frames of each heard frame, -1 where it is not found.

    `sound` has shape (frames, 960, 2), `reference` (samples, 2), both at 48 kHz.
    """
    heard, whole = _coarse(sound.reshape(-1, 2)), _coarse(reference)
    heard = heard[: len(heard) // _FRAME * _FRAME]
    starts = _starts(heard, whole)
    found = starts >= 0
    places = np.full(len(starts), -1, dtype=np.int64)
    if found.any():
        parts = starts[found] / _FRAME
        shift = np.angle(np.exp(2j * np.pi * parts).mean()) / (2 * np.pi)
        places[found] = np.maximum(0, np.rint(parts - shift)).astype(np.int64)
    return places


def _starts(heard: Wave, whole: Wave) -> NDArray[np.float64]:
    """First sample in the reference of each heard frame at 8 kHz, -1 where it is not found."""
    padded = np.concatenate([np.zeros(_FRAME), whole, np.zeros(_FRAME + _SLACK)])
    starts = np.full(len(heard) // _FRAME, -1.0)
    expected, searches = None, 0
    for index in range(len(starts)):
        start = None if expected is None else _follows(heard, padded, index, expected)
        if start is None and not _is_quiet(heard[index * _FRAME : (index + 1) * _FRAME]):
            start = None if expected is None else _near(heard, padded, index, expected)
            if start is None and searches < _SEARCHES:
                searches += 1
                start = _search(heard[index * _FRAME : (index + 25) * _FRAME], padded)
        if start is not None:
            starts[index] = max(0, start - _FRAME)
        expected = start + _FRAME if start is not None else expected and expected + _FRAME
    return starts


def _follows(heard: Wave, whole: Wave, index: int, expected: int) -> int | None:
    """The expected place, moved by a sample or so, if the frame resembles it or both are silent."""
    frame = heard[index * _FRAME : (index + 1) * _FRAME]
    low = max(0, expected - _SLACK)
    window = whole[low : expected + _FRAME + _SLACK]
    if len(window) < _FRAME:
        return None
    if _is_quiet(frame):
        return expected if _is_quiet(whole[expected : expected + _FRAME]) else None
    likeness = _likeness(frame, window)
    best = int(likeness.argmax())
    return low + best if likeness[best] > _ALIKE else None


def _near(heard: Wave, whole: Wave, index: int, expected: int) -> int | None:
    low = max(0, expected - round(_NEAR_S * _RATE))
    part = heard[index * _FRAME : (index + 5) * _FRAME]
    start = _search(part, whole[low : expected + round(_NEAR_S * _RATE)])
    return None if start is None else low + start


def _search(part: Wave, whole: Wave) -> int | None:
    """The place of `part` in `whole`, if there is one that resembles it enough."""
    if len(part) < _FRAME or len(whole) < len(part) or _is_quiet(part):
        return None
    likeness = _likeness(part, whole)
    best = int(likeness.argmax())
    return best if likeness[best] > _FOUND else None


def _likeness(part: Wave, whole: Wave) -> Wave:
    """Normalised correlation (-1 to 1) of `part` with every place of `whole` that it fits in."""
    length = len(part)
    size = 1 << (len(whole) + length - 1).bit_length()
    product = np.fft.rfft(whole, size) * np.conj(np.fft.rfft(part, size))
    dots = np.fft.irfft(product, size)[: len(whole) - length + 1]
    energy = np.concatenate([[0.0], np.cumsum(whole**2)])
    norms = np.sqrt(np.maximum(energy[length:] - energy[:-length], length)) * np.sqrt((part**2).sum() + 1e-9)
    return np.asarray(dots / norms)


def _is_quiet(part: Wave) -> bool:
    return not len(part) or float(np.sqrt((part**2).mean())) < _QUIET


def _coarse(pcm: NDArray[np.int16]) -> Wave:
    """Mono at 8 kHz: the mean of both channels, smoothed over three output samples and thinned out."""
    mono = pcm.mean(axis=1, dtype=np.float64)
    window = np.hanning(3 * _STEP + 2)[1:-1]
    smooth = np.convolve(mono, window / window.sum(), mode="same") if len(mono) > len(window) else mono
    return np.asarray(smooth[::_STEP])
