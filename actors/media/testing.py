"""For tests: media made on the spot."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.error import EOFError as EndError
from av.filter import Graph

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make a test medium: container, encoder and its options."""

    container: str
    codec: str
    rate: int = 48000
    layout: str = "stereo"
    bit_rate: int = 96000
    options: dict[str, str] = field(default_factory=dict)


RECIPES = {
    "webm": Recipe("webm", "libopus"),
    "m4a": Recipe("ipod", "aac", rate=44100),
    "mp3": Recipe("mp3", "libmp3lame", rate=44100),
    "ogg": Recipe("ogg", "vorbis", options={"strict": "-2"}),
    "opus": Recipe("ogg", "libopus"),
    "wav": Recipe("wav", "pcm_s16le", rate=44100),
    "flac": Recipe("flac", "flac", rate=44100),
    "mono.webm": Recipe("webm", "libopus", layout="mono"),
    "60ms.webm": Recipe("webm", "libopus", options={"frame_duration": "60"}),
    "10ms.webm": Recipe("webm", "libopus", options={"frame_duration": "10"}),
    "5ms.webm": Recipe("webm", "libopus", bit_rate=192000, options={"frame_duration": "5"}),
    "40ms.webm": Recipe("webm", "libopus", options={"frame_duration": "40"}),
    "2.5ms.webm": Recipe("webm", "libopus", bit_rate=192000, options={"frame_duration": "2.5"}),
    "switching.webm": Recipe("webm", "libopus", options={"frame_duration": "2.5", "cutoff": "20000"}),
    "speech.webm": Recipe(
        "webm", "libopus", bit_rate=12000, options={"frame_duration": "60", "application": "voip"}
    ),
    "surround.webm": Recipe("webm", "libopus", layout="5.1", options={"mapping_family": "1"}),
    "ts": Recipe("mpegts", "aac", rate=48000),
}


def tone(recipe: Recipe, seconds: float, *, hertz: int = 440, title: str | None = None) -> bytes:
    """A sine tone as a complete file."""
    file = io.BytesIO()
    with av.open(file, "w", format=recipe.container) as container:
        if title is not None:
            container.metadata["title"] = title
        stream = container.add_stream(recipe.codec, rate=recipe.rate, layout=recipe.layout)
        assert isinstance(stream, AudioStream)  # noqa: S101 - for the type checker
        stream.bit_rate = recipe.bit_rate
        stream.options = dict(recipe.options)
        stream.codec_context.open()
        size = stream.codec_context.frame_size or 1024
        for frame in sine(recipe, seconds, hertz, size, stream.codec_context.format.name):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def sine(recipe: Recipe, seconds: float, hertz: int, size: int, sample_format: str) -> Iterator[AudioFrame]:
    """Frames of `size` samples, as an encoder of this recipe takes them."""
    graph = Graph()
    graph.threads = 1
    shape = f"sample_fmts={sample_format}:sample_rates={recipe.rate}:channel_layouts={recipe.layout}"
    graph.link_nodes(
        graph.add("sine", f"frequency={hertz}:sample_rate={recipe.rate}:duration={seconds}"),
        graph.add("aformat", shape),
        graph.add("asetnsamples", f"n={size}:p=0"),
        graph.add("abuffersink"),
    ).configure()
    while True:
        try:
            frame = graph.pull()
        except EndError:
            return
        assert isinstance(frame, AudioFrame)  # noqa: S101 - for the type checker
        yield frame


def packets(data: bytes) -> list[bytes]:
    """The audio packets of a file, as they are in it."""
    with av.open(io.BytesIO(data), "r") as container:
        return [bytes(packet) for packet in container.demux(container.streams.audio[0]) if packet.size]
