"""Where in the music a frame belongs: by the position code in the sound, or by a number in its payload.

A place is the track and the number of the frame in it, from 0; (-1, -1) where it cannot be told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from loopback.listening.ear import Decoder
from loopback.music.position import FRAME, read_positions

if TYPE_CHECKING:
    from loopback.listening.listener import Frame

Place = tuple[int, int]
Places = Callable[[Sequence["Frame"]], list[Place]]
"""Tells the place of each frame; the frames stand in the order of their arrival."""

NOWHERE: Final[Place] = (-1, -1)
NUMBERED: Final = b"\xfcostinato"
"""How a numbered frame begins: the TOC of a 20 ms stereo CELT frame, then what no encoder makes."""
_TRACK_FRAMES: Final = 1 << 20
"""Numbers of a track, nearly six hours of frames; there is room for 4,096 tracks."""


def by_position_code(frames: Sequence[Frame]) -> list[Place]:
    """Read the project's own music (see :mod:`loopback.music.position`), whatever codec it went through.

    One decoder hears all frames in turn, as if new sessions made no difference: so the first frame of a
    session is read as well as any other.
    """
    decoder = Decoder()
    sound = np.zeros((len(frames), FRAME, 2), dtype=np.int16)
    for index, frame in enumerate(frames):
        pcm = None if frame.opus is None else decoder.decode(frame.opus)
        if pcm is not None:
            sound[index, : len(pcm)] = pcm[:FRAME]
    positions = read_positions(sound.reshape(-1, 2))
    return list(zip(positions.track.tolist(), positions.frames().tolist(), strict=True))


def by_number(frames: Sequence[Frame]) -> list[Place]:
    """Read frames that :func:`numbered` has made: quick and without a doubt, but no music."""
    return [NOWHERE if frame.opus is None else _number(frame.opus) for frame in frames]


def numbered(number: int, *, track: int = 0, length: int = 160) -> bytes:
    """A frame that says its track and number, for senders that nobody decodes; `length` in bytes."""
    code = track * _TRACK_FRAMES + number
    return (NUMBERED + code.to_bytes(4, "big")).ljust(length, b"\0")


def _number(opus: bytes) -> Place:
    if not opus.startswith(NUMBERED):
        return NOWHERE
    return divmod(int.from_bytes(opus[len(NUMBERED) : len(NUMBERED) + 4], "big"), _TRACK_FRAMES)
