"""Opus packets of any length to packets of 20 ms, without decoding wherever that is possible."""

from __future__ import annotations

from . import opus


class CannotReframeError(Exception):
    """These packets cannot become packets of 20 ms without decoding."""


class Reframer:
    """Takes packets in order; gives packets of 20 ms. One that is 20 ms long already is given as it is."""

    def __init__(self) -> None:
        self._toc = 0
        self._frames: list[bytes] = []
        self._last: bytes | None = None  # the only packet that is pending, if it is one whole packet

    @property
    def pending(self) -> bool:
        """Whether part of a packet waits for the rest."""
        return bool(self._frames)

    def push(self, packet: bytes, *, skip: int = 0) -> list[bytes]:
        """The packets complete with this one, whose first `skip` samples are left out (whole frames only)."""
        samples = opus.packet_samples(packet)
        if samples == opus.FRAME_SAMPLES and not self._frames and not skip:
            return [_sendable(packet)]
        each = opus.frame_samples(packet[0]) if packet else 0
        if not 0 < each <= opus.FRAME_SAMPLES or not 0 < samples <= 6 * opus.FRAME_SAMPLES:
            raise CannotReframeError
        if self._frames and packet[0] & 0xFC != self._toc:
            raise CannotReframeError
        return self._regroup(packet, each, round(skip / each))

    def _regroup(self, packet: bytes, each: int, skip: int) -> list[bytes]:
        try:
            frames = opus.frames_of(packet)[skip:]
        except ValueError as error:
            raise CannotReframeError from error
        if any(len(frame) > opus.MAX_FRAME for frame in frames):
            raise CannotReframeError
        self._last = packet if not self._frames and not skip else None
        self._toc = packet[0] & 0xFC
        self._frames += frames
        size, done = opus.FRAME_SAMPLES // each, []
        while len(self._frames) >= size:
            done.append(_sendable(opus.join(self._toc, self._frames[:size])))
            del self._frames[:size]
            self._last = None
        return done

    def flush(self) -> list[bytes]:
        """What is left at the end: a packet shorter than 20 ms, as it was if it was one."""
        if not self._frames:
            return []
        last = self._last or opus.join(self._toc, self._frames)
        self._frames = []
        return [_sendable(last)]


def _sendable(packet: bytes) -> bytes:
    """The packet itself, if a datagram has room for it."""
    if len(packet) > opus.MAX_PACKET:
        raise CannotReframeError
    return packet
