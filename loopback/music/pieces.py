"""Music that the project makes itself: small pieces for pad, bass, ostinato and bells, made bar by bar.

Every piece is its own track of the position code (see position.py), which is mixed in as a quiet chord high
above the music; the instruments leave that band to it (nothing above 8 kHz) and begin softly, so no click
reaches it. A piece may be of any length up to an hour: it begins with its ostinato, bells join in the second
round of its chords, and it fades at the end. The same piece and length always give the same samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from loopback.music import position
from loopback.music.position import RATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Sound = NDArray[np.float64]  # (samples,) or (samples, 2), full scale 1

CEILING_HZ: Final = 8_000.0
_STEPS = 16  # of a bar
_TAIL_S = 3.4  # how long the sound of a bar may ring on
_ROOM_S = 1.8
_WET = 0.28  # how much of the room is heard
_GAIN = 1.75
_FADE_S = 2.5
_RISE_S = 0.012


@dataclass(frozen=True, slots=True)
class Piece:
    """One composition. `chords` are MIDI notes, a bar each, lowest first; `ostinato` picks one per step.

    An ostinato entry counts the chord's notes from the lowest (above the last: an octave up), None is a rest;
    `melody` holds MIDI notes for the steps of a round, by (bar, step).
    """

    track: int
    title: str
    beats_per_minute: float
    chords: tuple[tuple[int, ...], ...]
    ostinato: tuple[int | None, ...]
    melody: tuple[tuple[int, int, int], ...]
    swing: float = 0.0

    @property
    def bar_s(self) -> float:
        """Length of a bar of four beats, seconds."""
        return 240.0 / self.beats_per_minute


PIECES: Final = (
    Piece(
        track=0,
        title="Small Hours",
        beats_per_minute=84.0,
        chords=((38, 57, 60, 64, 65), (34, 57, 60, 62, 65), (41, 57, 60, 64, 67), (36, 55, 60, 62, 64)),
        ostinato=(1, None, 3, 2, None, 4, 3, None, 1, None, 5, 4, None, 3, 2, None),
        melody=(
            (0, 0, 81),
            (0, 10, 79),
            (1, 0, 77),
            (1, 6, 76),
            (1, 12, 74),
            (2, 4, 72),
            (3, 0, 76),
            (3, 8, 74),
        ),
        swing=0.12,
    ),
    Piece(
        track=1,
        title="Paper Boats",
        beats_per_minute=104.0,
        chords=((43, 59, 62, 66, 69), (40, 59, 62, 64, 67), (36, 60, 62, 64, 67), (38, 57, 62, 64, 69)),
        ostinato=(1, 2, 3, 5, 4, 3, 2, 3, 1, 2, 3, 6, 5, 3, 4, 2),
        melody=(
            (0, 4, 86),
            (0, 12, 83),
            (1, 0, 79),
            (2, 4, 84),
            (2, 10, 83),
            (3, 0, 81),
            (3, 6, 78),
            (3, 12, 74),
        ),
    ),
    Piece(
        track=2,
        title="Lanterns on the Canal",
        beats_per_minute=72.0,
        chords=((45, 60, 64, 67, 71), (41, 60, 64, 65, 69), (38, 57, 60, 64, 65), (40, 59, 62, 64, 67)),
        ostinato=(1, None, None, 3, None, None, 4, None, 2, None, None, 3, None, 5, None, None),
        melody=(
            (0, 2, 88),
            (0, 9, 84),
            (1, 2, 81),
            (1, 9, 84),
            (2, 2, 77),
            (2, 9, 81),
            (3, 2, 83),
            (3, 9, 79),
        ),
    ),
)


def render(piece: Piece, seconds: float, level_db: float | None = position.LEVEL_DB) -> NDArray[np.int16]:
    """The whole piece, shape (samples, 2), int16 at 48 kHz; `level_db` None leaves the position code out."""
    return np.concatenate(list(blocks(piece, seconds, level_db)))


def blocks(
    piece: Piece, seconds: float, level_db: float | None = position.LEVEL_DB
) -> Iterator[NDArray[np.int16]]:
    """The piece a bar at a time, so that a length of hours needs no memory; shapes (samples, 2)."""
    total, start, bar = round(seconds * RATE), 0, 0
    ringing = np.zeros((0, 2))
    while start < total:
        stop = min(round((bar + 1) * piece.bar_s * RATE), total)
        mix = _add(_reverberate(_bar(piece, bar)), ringing)
        part, ringing = _GAIN * mix[: stop - start] * _fade(start, stop, total), mix[stop - start :]
        if level_db is not None:
            part = part + position.code(piece.track, start, stop - start, level_db)[:, None]
        yield np.clip(np.rint(part * 32767), -32768, 32767).astype(np.int16)
        start, bar = stop, bar + 1


def _fade(start: int, stop: int, total: int) -> Sound:
    left = (total - np.arange(start, stop)) / (_FADE_S * RATE)
    return np.asarray(np.sin(np.clip(left, 0.0, 1.0) * np.pi / 2)[:, None] ** 2)


def _add(first: Sound, second: Sound) -> Sound:
    longer, shorter = (first, second) if len(first) >= len(second) else (second, first)
    mix = longer.copy()
    mix[: len(shorter)] += shorter
    return mix


# --- the score ---


def _bar(piece: Piece, bar: int) -> Sound:
    """All voices of a bar and what rings on after it, dry, shape (samples, 2)."""
    mix = np.zeros((round((piece.bar_s + _TAIL_S) * RATE), 2))
    chord, turn = piece.chords[bar % len(piece.chords)], bar // len(piece.chords)
    for voice, from_turn in _VOICES:
        if turn >= from_turn:
            voice(mix, piece, bar, chord)
    return mix


def _play_ostinato(mix: Sound, piece: Piece, bar: int, chord: tuple[int, ...]) -> None:
    for step, degree in enumerate(piece.ostinato):
        if degree is None:
            continue
        above, index = divmod(degree, len(chord))
        note = chord[index] + 12 * (above + 1 if index else above + 2)
        accent = 1.0 if step % 4 == 0 else 0.72
        pan = 0.5 + 0.3 * np.sin(step * 2.4 + bar)
        for echo in range(3):  # three steps apart, wandering to the other side
            side = pan if echo % 2 == 0 else 1 - pan
            _put(mix, piece, step + 3 * echo, _pluck(note), 0.11 * accent * 0.42**echo, side)


def _play_pad(mix: Sound, piece: Piece, bar: int, chord: tuple[int, ...]) -> None:
    for voice, note in enumerate(chord[1:]):
        _put(mix, piece, 0, _pad(note, piece.bar_s), 0.034, 0.2 + 0.2 * voice)


def _play_bass(mix: Sound, piece: Piece, bar: int, chord: tuple[int, ...]) -> None:
    for step, octave, loud in ((0, 0, 1.0), (6, 0, 0.6), (10, 12, 0.5)):
        _put(mix, piece, step, _bass(chord[0] + octave), 0.2 * loud, 0.5)


def _play_bells(mix: Sound, piece: Piece, bar: int, chord: tuple[int, ...]) -> None:
    for at, step, note in piece.melody:
        if at == bar % len(piece.chords):
            _put(mix, piece, step, _bell(note), 0.075, 0.62)
            _put(mix, piece, step + 3, _bell(note), 0.02, 0.25)


def _play_brush(mix: Sound, piece: Piece, bar: int, chord: tuple[int, ...]) -> None:
    for step in range(2, _STEPS, 4):
        _put(mix, piece, step, _brush(step % 3), 0.028, 0.4)


# A voice, and the round of the chords that it enters in.
_VOICES: Final[tuple[tuple[Callable[[Sound, Piece, int, tuple[int, ...]], None], int], ...]] = (
    (_play_ostinato, 0),
    (_play_pad, 0),
    (_play_bass, 0),
    (_play_bells, 1),
    (_play_brush, 1),
)


def _put(mix: Sound, piece: Piece, step: int, sound: Sound, gain: float, pan: float) -> None:
    """Mix a mono sound in at a step, at `pan` between left (0) and right (1), at constant power."""
    late = piece.swing if step % 2 else 0.0
    at = round((step + late) * piece.bar_s / _STEPS * RATE)
    piece_of = sound[: max(0, len(mix) - at)] * gain
    mix[at : at + len(piece_of), 0] += piece_of * np.cos(pan * np.pi / 2)
    mix[at : at + len(piece_of), 1] += piece_of * np.sin(pan * np.pi / 2)


# --- the instruments: mono, peak about 1, a soft beginning and an end at zero ---


def _hertz(note: int) -> float:
    return float(440.0 * 2 ** ((note - 69) / 12))


def _soften(sound: Sound, rise_s: float, fall_s: float) -> Sound:
    rise, fall = round(rise_s * RATE), round(fall_s * RATE)
    sound[:rise] *= np.sin(np.linspace(0, np.pi / 2, rise)) ** 2
    sound[-fall:] *= np.cos(np.linspace(0, np.pi / 2, fall)) ** 2
    return sound


def _partials(
    hertz: float, seconds: float, table: tuple[tuple[float, float, float], ...], detune: float = 0.0
) -> Sound:
    """A sum of decaying partials: (multiple of the pitch, loudness, seconds to fall to 1/e)."""
    at = np.arange(round(seconds * RATE)) / RATE
    sound = np.zeros(len(at))
    for multiple, loud, decay_s in table:
        pitch = hertz * multiple * (1 + detune)
        if pitch < CEILING_HZ:
            sound += loud * np.exp(-at / decay_s) * np.sin(2 * np.pi * pitch * at)
    return sound


@lru_cache(maxsize=64)
def _pluck(note: int) -> Sound:
    """Between a kalimba and a felt piano."""
    table = ((1.0, 0.8, 0.55), (2.0, 0.22, 0.3), (3.01, 0.10, 0.16), (5.4, 0.05, 0.06))
    return _soften(_partials(_hertz(note), 1.6, table), _RISE_S * 0.6, 0.3)


@lru_cache(maxsize=64)
def _pad(note: int, bar_s: float) -> Sound:
    """Slow strings: three slightly detuned layers that swell and overlap with the next bar's."""
    table = tuple((float(n), 1.0 / n**1.7, 60.0) for n in range(1, 7))
    length = bar_s + 0.9
    layers = sum(_partials(_hertz(note), length, table, detune) for detune in (-0.0021, 0.0, 0.0017))
    return _soften(np.asarray(layers) / 3, min(0.9, bar_s / 2), 1.1)


@lru_cache(maxsize=64)
def _bass(note: int) -> Sound:
    table = ((1.0, 0.85, 0.7), (2.0, 0.3, 0.45), (3.0, 0.08, 0.2))
    return _soften(_partials(_hertz(note), 1.3, table), _RISE_S * 1.5, 0.35)


@lru_cache(maxsize=64)
def _bell(note: int) -> Sound:
    """A small glass bell, with a shimmer from two nearly equal pitches."""
    table = ((1.0, 0.5, 1.1), (1.003, 0.3, 1.2), (2.76, 0.16, 0.5), (5.4, 0.05, 0.2))
    return _soften(_partials(_hertz(note), 3.0, table), _RISE_S, 0.6)


@cache
def _brush(kind: int) -> Sound:
    """A brush on a drum: noise in the middle of the spectrum, swelling and gone in a tenth of a second."""
    length = round(0.14 * RATE)
    noise = np.random.default_rng(kind).normal(size=length) * np.hanning(length) ** 2
    return _soften(_band(noise, 1_200.0, 5_500.0), _RISE_S, 0.05)


def _band(sound: Sound, low_hz: float, high_hz: float) -> Sound:
    spectrum = np.fft.rfft(sound)
    hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
    inside = np.clip((hertz - low_hz / 2) / low_hz, 0, 1) * np.clip(
        (high_hz * 1.3 - hertz) / (0.3 * high_hz), 0, 1
    )
    return np.asarray(np.fft.irfft(spectrum * inside, len(sound)))


# --- the room ---


@cache
def _room() -> Sound:
    """Impulse response of a small hall, shape (samples, 2): noise, dark, that dies away."""
    length = round(_ROOM_S * RATE)
    at = np.arange(length)[:, None] / RATE
    noise = np.random.default_rng(7).normal(size=(length, 2)) * np.exp(-at / 0.42)
    noise[: round(0.014 * RATE)] = 0.0
    hall = np.stack([_band(noise[:, side], 150.0, 3_600.0) for side in (0, 1)], axis=1)
    return np.asarray(hall / np.sqrt((hall**2).sum(axis=0)))


def _reverberate(dry: Sound) -> Sound:
    """The dry sound with the room around it; longer by the room's length."""
    length = len(dry) + round(_ROOM_S * RATE)
    size = 1 << (length - 1).bit_length()
    wet = _WET * np.fft.irfft(np.fft.rfft(dry.T, size) * _room_spectrum(size), size)[:, :length].T
    wet[: len(dry)] += dry
    return np.asarray(wet)


@cache
def _room_spectrum(size: int) -> NDArray[np.complex128]:
    return np.asarray(np.fft.rfft(_room().T, size))
