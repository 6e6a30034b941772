"""Follows the music while it is heard: which track, which place in it, and when the next one begins."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from loopback.listening.ear import Decoder
from loopback.music.position import FRAME, read_positions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loopback.demo.plan import Item
    from loopback.listening.listener import Frame, Listener

_SURE: Final = 5  # readings of another track that make it the present one
_QUIET_S: Final = 1.0
FRAME_S: Final = 0.02


@dataclass(slots=True, eq=False)
class Follower:
    """Reads a listener's new frames bit by bit; `current` is the index of the item heard, -1 before."""

    items: Sequence[Item]
    listener: Listener
    current: int = -1
    places_s: dict[int, float] = field(default_factory=dict)
    longest_gap_ms: float = 0.0
    heard: int = 0
    last_music_ns: int | None = None
    _read: int = 0
    _decoder: Decoder = field(default_factory=Decoder)

    def update(self) -> None:
        """Take in what has arrived since the last call."""
        frames = self.listener.frames[self._read :]
        self._read += len(frames)
        music = [frame for frame in frames if frame.opus is not None and not frame.silence]
        if not music:
            return
        self._measure(music)
        self._locate(music)

    @property
    def item(self) -> Item:
        """What is heard now."""
        return self.items[max(0, self.current)]

    @property
    def place_s(self) -> float:
        """The place in the present track."""
        return self.places_s.get(self.current, 0.0)

    @property
    def finished(self) -> bool:
        """Whether the last item has been heard to its end: the bot fell silent and said so."""
        last, frames = self.current == len(self.items) - 1, self.listener.frames
        return last and self._read > 0 and frames[self._read - 1].silence and self.quiet_s > _QUIET_S

    @property
    def quiet_s(self) -> float:
        """For how long nothing but silence has been heard."""
        return 0.0 if self.last_music_ns is None else (time.time_ns() - self.last_music_ns) / 1e9

    def _measure(self, music: list[Frame]) -> None:
        times = [frame.arrival_ns for frame in music]
        if self.last_music_ns is not None:
            times.insert(0, self.last_music_ns)
        waits = [(after - before) / 1e6 for before, after in pairwise(times)]
        self.longest_gap_ms = max([self.longest_gap_ms, *waits])
        self.last_music_ns = times[-1]

    def _locate(self, music: list[Frame]) -> None:
        positions = read_positions(np.concatenate([self._decode(frame) for frame in music]))
        for index in range(max(0, self.current), len(self.items)):
            mine = positions.track == self.items[index].asked.number  # None equals no number
            if mine.sum() >= (1 if index == self.current else min(_SURE, len(music))):
                self._enter(index)
                self.places_s[index] = float(positions.seconds[mine][-1]) + FRAME_S
        if self.current < 0:
            self._enter(0)
        self.heard += len(music)
        if self.item.asked.number is None:
            self.places_s[self.current] = self.heard * FRAME_S

    def _enter(self, index: int) -> None:
        if index != self.current:
            self.current, self.heard = index, 0

    def _decode(self, frame: Frame) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
        pcm = self._decoder.decode(frame.opus or b"")
        sound = np.zeros((FRAME, 2), dtype=np.int16)
        if pcm is not None:
            sound[: len(pcm)] = pcm[:FRAME]
        return sound
