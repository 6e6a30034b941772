"""Odd files of Opus: heads with a gain, short last packets, several streams in a row."""

from __future__ import annotations

import io
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

import av
import pytest
from anyio import to_thread
from av.audio.codeccontext import AudioCodecContext

from actors.media import opus
from actors.media.testing import RECIPES, Recipe, packets, tone
from tests.actors.media.in_process import made

if TYPE_CHECKING:
    from pathlib import Path

    from loopback.fault_server import FaultServer

pytestmark = pytest.mark.anyio


def loudest(frames: list[bytes]) -> float:
    """The largest sample of a stretch in the middle."""
    decoder = av.CodecContext.create("opus", "r")
    assert isinstance(decoder, AudioCodecContext)
    samples = [
        sample
        for payload in frames[50:100]
        for frame in decoder.decode(av.Packet(payload))
        for sample in memoryview(bytes(frame.planes[0])).cast("f")[: frame.samples]
    ]
    return max(map(abs, samples[2000:]))


def with_gain(file: bytes, decibels: float) -> bytes:
    """The same file with an output gain in its head, in units of 1/256 dB (RFC 7845, section 5.1)."""
    at = file.index(b"OpusHead") + 16
    return file[:at] + round(256 * decibels).to_bytes(2, "little", signed=True) + file[at + 2 :]


@pytest.mark.parametrize(("decibels", "factor"), [(-6.0, 0.5), (6.0, 2.0)])
async def test_a_gain_in_the_head_is_applied(
    server: FaultServer, tmp_path: Path, files: dict[str, bytes], decibels: float, factor: float
) -> None:
    url = server.add("a.webm", with_gain(files["webm"], decibels))
    frames = await to_thread.run_sync(made, url, tmp_path)
    assert loudest(frames) / loudest(packets(files["webm"])) == pytest.approx(factor, rel=0.12), (
        "nothing else: it is encoded anew"
    )


def with_last_packet(packet: bytes, file: bytes) -> bytes:
    """The same stream with one more packet at its end, in a new container."""
    target = io.BytesIO()
    with av.open(io.BytesIO(file), "r") as source, av.open(target, "w", format="webm") as container:
        stream = container.add_stream_from_template(source.streams.audio[0])
        last = None
        for each in source.demux(source.streams.audio[0]):
            if each.size:
                last = each.pts or 0
                each.stream = stream
                container.mux(each)
        extra = av.Packet(packet)
        extra.stream, extra.time_base = stream, Fraction(1, 1000)  # as in WebM
        extra.pts = extra.dts = (last or 0) + 20
        container.mux(extra)
    return target.getvalue()


@pytest.mark.parametrize("milliseconds", [2.5, 5.0, 10.0])
async def test_a_short_last_packet_is_sent_as_it_is(
    server: FaultServer, tmp_path: Path, files: dict[str, bytes], milliseconds: float
) -> None:
    short = packets(files[f"{milliseconds:g}ms.webm"])[100]
    assert opus.packet_samples(short) == 48 * milliseconds
    url = server.add("a.webm", with_last_packet(short, files["webm"]))
    assert await to_thread.run_sync(made, url, tmp_path) == [*packets(files["webm"]), short]


async def test_streams_in_a_row_are_all_heard_and_their_heads_never(
    server: FaultServer, tmp_path: Path
) -> None:
    """A chained Ogg file (RFC 3533, section 4): what radio stations leave behind."""
    first = tone(RECIPES["opus"], 2.0)
    second = tone(Recipe("ogg", "libopus", bit_rate=64000), 2.0, hertz=880)
    url = server.add("a.ogg", first + second)
    frames = await to_thread.run_sync(partial(made, url, tmp_path))
    assert frames[:100] == packets(first)[:100]
    assert frames[-95:] == packets(second)[-95:]
    assert 195 <= len(frames) <= 205
    assert not any(frame.startswith((b"OpusHead", b"OpusTags")) for frame in frames)
