"""A file whose frames say their numbers: what is heard of it needs no decoder to be judged."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

import av

from loopback.listening.places import numbered

if TYPE_CHECKING:
    from pathlib import Path

FRAMES_PER_S: Final = 50
_MS: Final = Fraction(1, 1000)


def write_numbered(path: Path, seconds: float, *, track: int = 0, length: int = 160) -> Path:
    """Write a file of numbered Opus frames (`by_number` reads them), WebM or Ogg by its ending; the path.

    :param length: bytes of a frame
    """
    with av.open(str(path), "w", format=path.suffix.removeprefix(".")) as container:
        container.metadata["title"] = path.stem
        stream = container.add_stream("libopus", rate=48_000)
        stream.codec_context.open()
        for number in range(round(seconds * FRAMES_PER_S)):
            packet = av.Packet(numbered(number, track=track, length=length))
            packet.stream, packet.time_base = stream, _MS
            packet.pts = packet.dts = number * 20
            packet.duration = 20
            container.mux(packet)
    return path
