"""A live stream for tests: HLS on 127.0.0.1, whose segments appear in real time, and that can stall.

Each segment has a tone of its own, so that what is heard tells how far it lies behind the live edge.
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import anyio
import av
import numpy as np
from anyio.abc import SocketAttribute, SocketStream
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

RATE = 48_000
LOWEST_HZ, STEP_HZ, TONES = 400.0, 100.0, 16
"""Each segment has one tone, by which it is known: they come round again after so many."""


def make_segments(folder: Path, count: int, seconds: float) -> list[bytes]:
    """MPEG-TS with AAC; time stamps go on from each to the next."""
    pattern = str(folder / "segment%04d.ts")
    with av.open(
        str(folder / "list.m3u8"),
        "w",
        format="hls",
        options={"hls_time": str(seconds), "hls_list_size": "0", "hls_segment_filename": pattern},
    ) as container:
        stream = container.add_stream("aac", rate=RATE, layout="stereo")
        assert isinstance(stream, AudioStream)
        for number, block in enumerate(_blocks(count, seconds)):
            frame = AudioFrame.from_ndarray(block, "fltp", "stereo")
            frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), number * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return [path.read_bytes() for path in sorted(folder.glob("segment*.ts"))]


def _blocks(count: int, seconds: float) -> Any:
    for begin in range(0, int(count * seconds * RATE), 1024):
        at = np.arange(begin, begin + 1024) / RATE
        hertz = LOWEST_HZ + STEP_HZ * (int(begin / RATE / seconds) % TONES)
        yield np.stack([0.3 * np.sin(2 * np.pi * hertz * at)] * 2).astype(np.float32)


def tones(frames: Iterable[tuple[float, bytes | None]]) -> list[tuple[float, int]]:
    """Which tone was heard when, ten times a second, of frames (None: a hole) and their times."""
    found, decoded = [], []
    decoder: Any = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = RATE, "stereo"
    for at, each in frames:
        made = decoder.decode(av.Packet(each)) if each is not None else ()
        decoded += [(at, frame.to_ndarray().reshape(-1, 2)[:, 0]) for frame in made]
    for begin in range(0, len(decoded) - 5, 5):
        sound = np.concatenate([block for _, block in decoded[begin : begin + 5]])
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
        hertz = float(np.argmax(spectrum)) * RATE / len(sound)
        found.append((decoded[begin][0], round((hertz - LOWEST_HZ) / STEP_HZ)))
    return found


def segments_behind(newest: int, tone: int) -> int:
    """By how many segments a tone lies behind the newest one."""
    return (newest - tone) % TONES


class LiveServer:
    """Hands out the latest `window` segments; `stall` makes it silent for a while, whatever is under way."""

    def __init__(self, segments: list[bytes], seconds: float, *, window: int = 6) -> None:
        self.segments = segments
        self.seconds = seconds
        self.window = window
        self.port = 0
        self.ends = False
        self._began = time.monotonic()
        self._silent_until = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/live.m3u8"

    @property
    def newest(self) -> int:
        """The segment that is complete now."""
        return self.newest_at(time.monotonic())

    def newest_at(self, monotonic_s: float) -> int:
        """The segment that was complete, or will be, at that time."""
        return min(len(self.segments), self.window + int((monotonic_s - self._began) / self.seconds)) - 1

    def pass_over(self, seconds: float) -> None:
        """As if so much more time had gone by."""
        self._began -= seconds

    def stall(self, seconds: float) -> None:
        self._silent_until = time.monotonic() + seconds

    async def handle(self, stream: SocketStream) -> None:
        async with stream:
            try:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += await stream.receive()
                await self._answer(stream, head.split(b" ")[1].decode().lstrip("/"))
            except (anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError):
                pass

    async def _answer(self, stream: SocketStream, name: str) -> None:
        await self._pass()
        body = self._playlist() if name.endswith("m3u8") else self.segments[int(name.partition(".")[0])]
        kind = "application/vnd.apple.mpegurl" if name.endswith("m3u8") else "video/mp2t"
        head = [
            "HTTP/1.1 200 OK",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
            "Connection: close",
        ]
        await stream.send("\r\n".join([*head, "", ""]).encode())
        for begin in range(0, len(body), 4096):
            await self._pass()
            await stream.send(body[begin : begin + 4096])

    async def _pass(self) -> None:
        while time.monotonic() < self._silent_until:  # noqa: ASYNC110 - a test may prolong it
            await anyio.sleep(0.01)

    def _playlist(self) -> bytes:
        first = max(0, self.newest + 1 - self.window)
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{max(1, round(self.seconds))}"]
        lines.append(f"#EXT-X-MEDIA-SEQUENCE:{first}")
        for number in range(first, self.newest + 1):
            lines += [f"#EXTINF:{self.seconds:.3f},", f"{number}.ts"]
        return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if self.ends else []), ""]).encode()


@asynccontextmanager
async def live_server(segments: list[bytes], seconds: float) -> AsyncIterator[LiveServer]:
    """The server, while the block runs."""
    server = LiveServer(segments, seconds)
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        server.port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - anyio's, not Django's
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, server.handle)
            yield server
            tasks.cancel_scope.cancel()
