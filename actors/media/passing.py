"""Opus packets from a container into a spool as they are, each at its place in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import opus
from .encoder import RATE
from .reframer import CannotReframeError, Reframer

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.packet import Packet

    from .sink import Sink

_GAP_FRAMES = 500  # a hole in the timestamps up to this (10 s) is filled with silence
_SHORTEST = 100  # samples: less than the shortest frame of Opus; time stamps are rounded


class Passing:
    """Puts packets at their place in time: frame `due` comes next. What lies before the first is left out."""

    def __init__(self, sink: Sink, position: int, start_s: float) -> None:
        self._sink = sink
        self._start_s = start_s
        self._reframer = Reframer()
        self._began = False
        self.due = position

    def take(self, packet: Packet[AudioStream]) -> bool:
        """False if this packet cannot become one of 20 ms without decoding."""
        data = bytes(packet)
        skip = 0 if self._began else self._early(packet)
        if skip and skip >= opus.packet_samples(data):
            return True
        self._fill(packet)
        self._began = True
        try:
            frames = self._reframer.push(data, skip=skip)
        except CannotReframeError:
            return False
        self._append(frames)
        return True

    def finish(self) -> None:
        """The stream has ended: its last packet may be a short one."""
        try:
            self._append(self._reframer.flush())
        except CannotReframeError:
            pass  # less than 20 ms that nobody could send

    def _append(self, frames: list[bytes]) -> None:
        for frame in frames:
            self._sink.append(frame)
        self.due += len(frames)

    def _early(self, packet: Packet[AudioStream]) -> int:
        """How many samples of this packet, or of those to come, lie before the position; 0 for about none."""
        early = self.due * opus.FRAME_SAMPLES - self._sample(packet)
        return early if early >= _SHORTEST else 0

    def _sample(self, packet: Packet[AudioStream]) -> int:
        if packet.pts is None or not packet.time_base:
            return self.due * opus.FRAME_SAMPLES
        return round((float(packet.pts * packet.time_base) - self._start_s) * RATE)

    def _fill(self, packet: Packet[AudioStream]) -> None:
        """A hole in time (discontinuous transmission) becomes silence: later frames stay in time."""
        hole = round(self._sample(packet) / opus.FRAME_SAMPLES) - self.due
        if 1 < hole <= _GAP_FRAMES and not self._reframer.pending:
            self._append([opus.SILENCE] * hole)
