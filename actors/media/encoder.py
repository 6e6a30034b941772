"""Decoded audio to Opus frames of 20 ms: one filter graph and one encoder, without threads of their own.

A listener's decoder carries on from whatever it decoded last: each frame states loudness as a difference to
the frame before, and overlaps with it. So an encoder that began with the very frame where its spool takes
over would be heard as a click: its first frame is half empty, and its loudness is off by up to 20 dB. It
begins `LEAD_FRAMES` earlier instead, and the frames before the join are not used: by then it is where an
encoder of the whole track would be.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.codec import CodecContext
from av.error import BlockingIOError as AgainError, EOFError as EndError
from av.filter import Graph

from .effects import EFFECTS, OFF

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE = 48000
BIT_RATE = 128000
LEAD_FRAMES = 10  # after 200 ms the differences of loudness have long decayed (half is left after each frame)
_ENCODER_BASE = Fraction(1, RATE)
_FORMAT = "aformat=sample_fmts=s16:sample_rates=48000:channel_layouts=stereo"


def new_encoder() -> AudioCodecContext:
    """libopus, frames of 20 ms, no error correction: that would force speech modes at 3 times the CPU."""
    encoder = CodecContext.create("libopus", "w")
    assert isinstance(encoder, AudioCodecContext)  # noqa: S101 - for the type checker
    encoder.rate = RATE
    encoder.layout = "stereo"
    encoder.format = "s16"
    encoder.bit_rate = BIT_RATE
    encoder.options = {"frame_duration": "20", "application": "audio", "vbr": "on"}
    return encoder


class Transcoder:
    """Takes decoded frames of any format; gives Opus frames.

    `volume` in percent, `effect` one of EFFECTS; what lies before `from_s` (seconds of the stream's own time)
    is cut off to the sample; the first `lead` frames are for the encoder only.
    """

    def __init__(
        self, *, volume: int = 100, effect: str = OFF, from_s: float | None = None, lead: int = 0
    ) -> None:
        self._volume = volume
        self._effect = effect
        self._from_s = from_s
        self._lead = lead
        self._graph: Graph | None = None
        self._shape: tuple[object, ...] = ()
        self._encoder = new_encoder()
        self._samples = 0

    def push(self, frame: AudioFrame) -> Iterator[bytes]:
        """The Opus frames that are complete with this audio."""
        shape = (frame.sample_rate, frame.format.name, frame.layout.name, frame.time_base)
        if shape != self._shape:
            yield from self._drain()
            self._graph, self._shape = self._build(frame), shape
        assert self._graph is not None  # noqa: S101 - built above
        self._graph.push(frame)
        yield from self._pull(self._graph)

    def flush(self) -> Iterator[bytes]:
        """The last frames; the rest of a frame is filled with silence by the encoder."""
        yield from self._drain()
        yield from self._encode(None)

    def _drain(self) -> Iterator[bytes]:
        if self._graph is not None:
            self._graph.push(None)
            yield from self._pull(self._graph)
            self._graph = None

    def _build(self, frame: AudioFrame) -> Graph:
        graph = Graph()
        graph.threads = 1
        nodes = [
            graph.add_abuffer(
                sample_rate=frame.sample_rate,
                format=frame.format.name,
                layout=frame.layout.name,
                time_base=frame.time_base,
            )
        ]
        nodes += [graph.add(name, arguments) for name, arguments in self._filters()]
        nodes.append(graph.add("abuffersink"))
        graph.link_nodes(*nodes).configure()
        return graph

    def _filters(self) -> list[tuple[str, str]]:
        chain = [("aformat", _FORMAT.partition("=")[2])]
        if self._from_s is not None:
            chain.insert(0, ("atrim", f"start={self._from_s:.6f}"))
        chain += EFFECTS[self._effect]
        if self._volume != 100:
            chain.append(("volume", f"volume={self._volume / 100:.4f}:precision=float"))
        if len(chain) > 1:
            chain.append(("aformat", _FORMAT.partition("=")[2]))
        return chain

    def _pull(self, graph: Graph) -> Iterator[bytes]:
        while True:
            try:
                frame = graph.pull()
            except (AgainError, EndError):
                return
            assert isinstance(frame, AudioFrame)  # noqa: S101 - the sink is one of audio
            frame.pts, frame.time_base = self._samples, _ENCODER_BASE
            self._samples += frame.samples
            yield from self._encode(frame)

    def _encode(self, frame: AudioFrame | None) -> Iterator[bytes]:
        for packet in self._encoder.encode(frame):
            if self._lead:
                self._lead -= 1
            else:
                yield bytes(packet)
