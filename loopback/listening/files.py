"""What a listening leaves: the Opus frames as they came as an Ogg file, and the report as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import av
from av.audio.stream import AudioStream

from loopback.listening.listener import SILENCE_FRAME
from loopback.music.position import FRAME, RATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from loopback.listening.heard import TrackReport
    from loopback.listening.listener import Frame

SLOT_NS: Final = 20_000_000
LATE_NS: Final = 30_000_000  # a frame that is later than this leaves an audible hole


def write_report(path: Path, reports: Iterable[TrackReport]) -> None:
    """A list of objects, one a track, with at least track, seconds_heard, longest_gap_ms, lost, repeated,
    out_of_order."""
    entries = [{**asdict(report), "ok": report.ok} for report in reports]
    path.write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_ogg(path: Path, frames: Sequence[Frame], title: str = "What the listener heard") -> None:
    """The received Opus frames, untouched, as Ogg/Opus. Where nothing came for a while, silence stands."""
    with av.open(str(path), "w", format="ogg") as container:
        container.metadata["title"] = title
        stream = container.add_stream("libopus", rate=RATE)
        if not isinstance(stream, AudioStream):
            raise TypeError("libopus is no audio codec")
        stream.layout = "stereo"
        container.start_encoding()
        for slot, opus in enumerate(slots(frames)):
            packet = av.Packet(opus)
            packet.stream = stream
            packet.time_base = Fraction(1, RATE)
            packet.pts = packet.dts = slot * FRAME
            packet.duration = FRAME
            container.mux(packet)


def slots(frames: Sequence[Frame]) -> Iterator[bytes]:
    """An Opus frame for every 20 ms of what was heard: as they arrived, holes filled with silence.

    Jitter of less than LATE_NS is not a hole; a burst catches up without one.
    """
    due_ns = frames[0].arrival_ns if frames else 0
    for frame in frames:
        late_ns = frame.arrival_ns - due_ns
        missing = round(late_ns / SLOT_NS) if late_ns > LATE_NS else 0
        yield from [SILENCE_FRAME] * missing
        due_ns += missing * SLOT_NS
        yield frame.opus or SILENCE_FRAME
        due_ns += SLOT_NS
