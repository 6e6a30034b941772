"""The position code: which track, and where in it, may be read from any 20 ms of what was heard.

The code is a chord of steady, quiet tones between 9.7 and 12.6 kHz. Steady tones are what every codec keeps
best, and the *phases* of these tell the time, as a vernier does. Two kinds of tones:

* base tones are multiples of `SPACING_HZ`; together they repeat every 1 / SPACING_HZ = 5.3 ms and give the
  time within such a period to a few microseconds;
* fine tones lie `SPACING_HZ / 4 ** (k + 1)` above such a multiple; against it the k-th repeats every
  5.3 ms x 4 ** (k + 1), so each says which quarter of the next longer period is meant. The longest is 24.8 h.

A track owns `TRACK_S` seconds of that long time line, so one number is both the track and the position in it.
Nothing depends on loudness: only on the phases of a 17.5 ms window inside each frame, so a frame is read by
itself, and one that was cut, repeated or moved reads as what it is. A reading counts when all 16 tones stand
out of what lies beside them, are about equally loud and agree on the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RATE: Final = 48_000  # samples a second
FRAME: Final = 960  # samples in a frame of 20 ms
SPACING_HZ: Final = 187.5  # 3.75 periods a frame: neighbouring frames differ in every tone
TRACK_S: Final = 4096.0  # seconds of the time line that one track owns
TRACKS: Final = 18
LEVEL_DB: Final = -49.0  # of the whole chord, RMS against full scale

_FIRST = 52  # multiple of SPACING_HZ of the lowest tone: 9750 Hz
_STAGES = 12
_BASE = np.array([0.0, 7.0, 8.0, 14.0])  # multiples above _FIRST without a vernier
_FINE = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 9.0, 10.0, 11.0, 12.0, 13.0, 15.0])
_VERNIER_HZ = SPACING_HZ / 4.0 ** np.arange(1, _STAGES + 1)
_LONGEST_S = 1 / _VERNIER_HZ[-1]
_BASE_HZ = (_FIRST + _BASE) * SPACING_HZ
_FINE_HZ = (_FIRST + _FINE) * SPACING_HZ + _VERNIER_HZ
_TONES_HZ = np.concatenate([_BASE_HZ, _FINE_HZ])
_BESIDE_HZ = (
    _FIRST + np.array([-4.0, -3.0, -2.0, 17.0, 18.0, 19.0])
) * SPACING_HZ  # no tones: the measure of noise
# Quadratic phases (Schroeder) keep the chord from becoming a click that recurs with its period.
_OFFSET = np.pi * (_TONES_HZ / SPACING_HZ - _FIRST) ** 2 / len(_TONES_HZ) % (2 * np.pi)

_SKIP = (
    120  # samples: CELT's overlap with the frame before (2.5 ms), which may be another one than when encoded
)
_WINDOW = np.hanning(FRAME - _SKIP + 2)[1:-1]
_TURN = 2 * np.pi
_BLOCK = 3_000 * FRAME  # samples that are read at a time: a minute, so that an hour needs no more memory

_MAX_ERROR = np.radians(
    18.0
)  # RMS over the tones of a time that was searched for; codecs make 1 to 9 degrees
_MAX_MISS = np.radians(25.0)  # the same for a time that neighbours expect
_TRUST = np.radians(
    6.0
)  # a search can find a wrong time that suits noisy tones a little better than the right one
_ROUNDS = 3  # of asking neighbours: each reaches two frames further
_SAME_S = 0.001
_BEFORE_S = 1.0  # of a track's seconds on the time line, this much lies before its beginning
_MIN_SNR = 4.0  # amplitude of the tones against what lies beside them
_MAX_SPREAD = 6.0  # loudest against quietest tone


@dataclass(frozen=True, slots=True)
class Positions:
    """What each frame of 20 ms says of itself; arrays of one length. `track` is -1 where nothing was read.

    `seconds` is the position in the track of the frame's first sample, `confidence` goes from 0 to 1.
    """

    track: NDArray[np.int64]
    seconds: Floats
    confidence: Floats

    def __len__(self) -> int:
        return len(self.track)

    def frames(self) -> NDArray[np.int64]:
        """Positions in frames of 20 ms; the constant part of a frame that encoders delay is taken away.

        -1 where nothing was read.
        """
        read = self.track >= 0
        numbers = np.full(len(self), -1, dtype=np.int64)
        for track in np.unique(self.track[read]):
            mine = self.track == track
            parts = self.seconds[mine] * RATE / FRAME
            shift = np.angle(np.exp(1j * _TURN * parts).mean()) / _TURN
            numbers[mine] = np.rint(parts - shift).astype(np.int64)
        return numbers


def code(track: int, first: int, samples: int, level_db: float = LEVEL_DB) -> Floats:
    """The chord that marks a track from sample `first` on; shape (samples,), full scale 1.

    Raises ValueError for a track or a position that the time line has no room for.
    """
    if not (0 <= track < TRACKS and first >= 0 and first + samples <= (TRACK_S - _BEFORE_S) * RATE):
        raise ValueError(f"the time line has no room for track {track}, samples {first} to {first + samples}")
    blocks = -(-samples // FRAME)
    seconds = _line(track) + (first + FRAME * np.arange(blocks)) / RATE
    starts = _TURN * (seconds[:, None] * _TONES_HZ % 1.0) + _OFFSET
    within = _TURN * _TONES_HZ[:, None] * np.arange(FRAME) / RATE
    chord = np.cos(starts) @ np.cos(within) - np.sin(starts) @ np.sin(within)
    amplitude = 10 ** (level_db / 20) * np.sqrt(2 / len(_TONES_HZ))
    return np.asarray(amplitude * chord.ravel()[:samples])


def _line(track: int | NDArray[np.int64]) -> Any:
    """Where a track begins on the time line; its zero stays free, so that noise cannot wrap it."""
    return (track + 1) * TRACK_S


def read_positions(pcm: NDArray[np.int16]) -> Positions:
    """Read every whole frame of 20 ms of 48 kHz PCM, shape (samples,) or (samples, channels)."""
    whole = len(pcm) // FRAME * FRAME
    spectra = [_spectra(pcm[at : min(at + _BLOCK, whole)]) for at in range(0, whole, _BLOCK)]
    lines = np.concatenate(spectra) if spectra else np.zeros((0, len(_TONES_HZ) + len(_BESIDE_HZ)), complex)
    loud, beside = lines[:, : len(_TONES_HZ)], lines[:, len(_TONES_HZ) :]
    phases = np.angle(loud) - _OFFSET
    there = _stands_out(np.abs(loud), np.abs(beside))
    seconds, error = _settle(phases, _time(phases))
    unread = ~there | (error > _MAX_ERROR)
    seconds[unread], error[unread] = np.nan, _MAX_MISS
    for _ in range(_ROUNDS):
        _ask_neighbours(phases, there, seconds, error)
    return _positions(seconds, error)


def _stands_out(loud: Floats, beside: Floats) -> NDArray[np.bool_]:
    """Whether all tones are there: far above what lies beside them and about equally loud."""
    noise = np.sqrt((beside**2).mean(axis=1)) + 1e-9
    even = loud.max(axis=1) < _MAX_SPREAD * (loud.min(axis=1) + 1e-9)
    return np.asarray((np.median(loud, axis=1) > _MIN_SNR * noise) & even)


def _ask_neighbours(phases: Floats, there: NDArray[np.bool_], seconds: Floats, error: Floats) -> None:
    """Where a frame was not read, or not as its neighbours would have it, try what they expect of it.

    A time that is only checked may miss by more than one that was searched for: chance is 104 degrees away.
    What suits the tones best is kept, so that a mistake does not spread.
    """
    for apart in (-2, -1, 1, 2):
        expected = np.full(len(seconds), np.nan)
        to, of = (
            (slice(apart, None), slice(None, -apart))
            if apart > 0
            else (slice(None, apart), slice(-apart, None))
        )
        expected[to] = seconds[of] + apart * FRAME / RATE
        doubted = there & ~np.isnan(expected) & ~(np.abs(seconds - expected) < _SAME_S)
        if not doubted.any():
            continue
        settled, missed = _settle(phases[doubted], expected[doubted])
        agreed = missed < np.minimum(error[doubted] + _TRUST, _MAX_MISS)
        chosen = np.flatnonzero(doubted)[agreed]
        seconds[chosen], error[chosen] = settled[agreed], missed[agreed]


def _spectra(pcm: NDArray[np.int16]) -> NDArray[np.complex128]:
    """Amplitudes of all tones and of what lies beside them, for each frame of some whole frames."""
    mono = pcm.astype(np.float64) if pcm.ndim == 1 else pcm.mean(axis=1, dtype=np.float64)
    return _spectrum(mono.reshape(-1, FRAME)[:, _SKIP:], np.concatenate([_TONES_HZ, _BESIDE_HZ]))


def _spectrum(frames: Floats, hertz: Floats) -> NDArray[np.complex128]:
    """Amplitudes at these frequencies, shape (frames, tones); phases refer to the frame's first sample."""
    at = (_SKIP + np.arange(FRAME - _SKIP)) / RATE
    kernel = _WINDOW[:, None] * np.exp(-1j * _TURN * at[:, None] * hertz[None, :])
    return np.asarray(frames @ kernel.real + 1j * (frames @ kernel.imag))


def _wrap(angle: Floats) -> Floats:
    return np.asarray((angle + np.pi) % _TURN - np.pi)


def _time(phases: Floats) -> Floats:
    """Seconds on the time line from phases (frames, tones): the base tones first, then stage by stage."""
    within = _base_time(phases[:, : len(_BASE)])
    rest = _wrap(phases[:, len(_BASE) :] - _TURN * within[:, None] * (_FIRST + _FINE) * SPACING_HZ)
    seconds = rest[:, -1] % _TURN / _TURN / _VERNIER_HZ[-1]
    for stage in range(_STAGES - 2, -1, -1):
        hertz = _VERNIER_HZ[stage]
        seconds += _wrap(rest[:, stage] - _TURN * hertz * seconds) / _TURN / hertz
    # The base tones know the time within their period best: take the nearest time that agrees with them.
    seconds = within + np.rint((seconds - within) * SPACING_HZ) / SPACING_HZ
    return np.asarray(
        (seconds + _LONGEST_S / 8) % _LONGEST_S - _LONGEST_S / 8
    )  # a little early is no day late


def _base_time(phases: Floats) -> Floats:
    """Seconds within a period of the spacing: coarse from differences of phases, then from the tones."""
    step = _wrap(phases[:, 2] - phases[:, 1])  # one spacing apart
    within = step / _TURN / SPACING_HZ
    for low, high in ((0, 1), (0, 3)):
        hertz = _BASE_HZ[high] - _BASE_HZ[low]
        within += _wrap(phases[:, high] - phases[:, low] - _TURN * hertz * within) / _TURN / hertz
    turn = _wrap(phases - _TURN * _BASE_HZ * within[:, None])
    common = np.angle(np.exp(1j * turn).mean(axis=1))
    return np.asarray(within + common / _TURN / _BASE_HZ.mean())


def _settle(phases: Floats, seconds: Floats) -> tuple[Floats, Floats]:
    """These times moved by the microseconds that suit the tones best, and how far the tones then disagree.

    That error is the RMS over the tones, in radians.
    """
    apart = _wrap(phases - _TURN * (seconds[:, None] * _TONES_HZ % 1.0))
    common = np.angle(np.exp(1j * apart).mean(axis=1))
    rest = _wrap(apart - common[:, None])
    return seconds + common / _TURN / _TONES_HZ.mean(), np.asarray(np.sqrt((rest**2).mean(axis=1)))


def _positions(seconds: Floats, error: Floats) -> Positions:
    # An encoder's delay puts the first frame a little before the track's own beginning.
    line = np.nan_to_num(seconds)
    track = np.floor((line + _BEFORE_S) / TRACK_S).astype(np.int64) - 1
    read = (track >= 0) & (track < TRACKS)
    confidence = np.where(read, np.clip(1 - error / _MAX_MISS, 0.0, 1.0), 0.0)
    return Positions(np.where(read, track, -1), np.where(read, line - _line(track), np.nan), confidence)
