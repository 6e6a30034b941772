"""For tests: media made on the spot, and an HTTP server on 127.0.0.1 that misbehaves as told."""

from __future__ import annotations

import io
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import av
from anyio.abc import SocketAttribute, SocketStream
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.error import EOFError as EndError
from av.filter import Graph

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


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
    "2.5ms.webm": Recipe("webm", "libopus", options={"frame_duration": "2.5", "cutoff": "20000"}),
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


@dataclass(slots=True)
class Served:
    """One file and how it is served. The faults meet requests with a Range, which yt-dlp does not make.

    `cuts`: positions where the connection breaks, each once. `after_cut`: statuses of the requests that
    follow a break. `stalls`: positions where the answer stops for `stall_s`, each once. `framing`: `length`,
    `chunked`, or `close` (the end of the connection is the end of the body).
    """

    data: bytes
    content_type: str = "application/octet-stream"
    ranges: bool = True
    framing: str = "length"
    cuts: list[int] = field(default_factory=list)
    after_cut: list[int] = field(default_factory=list)
    stalls: list[int] = field(default_factory=list)
    stall_s: float = 0.0
    redirect: str | None = None
    rate: int = 0  # bytes per second; 0: as fast as possible
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came, and the status of its answer."""

    name: str
    start: int | None
    status: int


class FaultServer:
    """Answers GET for `files`; `seen` records the requests."""

    def __init__(self) -> None:
        self.files: dict[str, Served] = {}
        self.seen: list[Seen] = []
        self.port = 0

    def add(self, name: str, served: Served | bytes) -> str:
        """Serve a file under this name; its link."""
        self.files[name] = served if isinstance(served, Served) else Served(served)
        return f"http://127.0.0.1:{self.port}/{name}"

    async def handle(self, stream: SocketStream) -> None:
        async with stream:
            try:
                await self._answer(stream)
                await stream.send_eof()  # everything sent arrives before the end does
                with anyio.move_on_after(1):
                    await stream.receive()
            except (anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError):
                pass  # the client has gone; sources seek and end as they like

    async def _answer(self, stream: SocketStream) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += await stream.receive()
        name, start, stop = _parse(head.decode())
        file = self.files.get(name)
        status = self._status(file, start)
        self.seen.append(Seen(name, start, status))
        if file is None or status >= 300:
            location = f"Location: {file.redirect}\r\n" if file and file.redirect and status == 302 else ""
            text = f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n{location}Connection: close\r\n\r\n"
            await stream.send(text.encode())
            return
        first, last = (start or 0, stop) if status == 206 else (0, None)
        last = min(last if last is not None else len(file.data) - 1, len(file.data) - 1)
        await stream.send(_head(file, status, first, last))
        await self._body(stream, file, first, last + 1, faulty=start is not None)

    def _status(self, file: Served | None, start: int | None) -> int:
        if file is None:
            return 404
        if file.redirect is not None:
            return 302
        if file.broken and file.after_cut and start is not None:
            return file.after_cut.pop(0)
        if not file.ranges or start is None:
            return 200
        return 206 if start < len(file.data) else 416

    async def _body(
        self, stream: SocketStream, file: Served, position: int, stop: int, *, faulty: bool
    ) -> None:
        size = 16384 if not file.rate else max(1, file.rate // 20)
        while position < stop:
            end = min(stop, position + size, *(at for at in (*file.cuts, *file.stalls) if at > position))
            await _send(stream, file, file.data[position:end])
            position = end
            if faulty and position in file.stalls:
                file.stalls.remove(position)
                await anyio.sleep(file.stall_s)
            if faulty and position in file.cuts:
                file.cuts.remove(position)
                file.broken = True
                return
            if file.rate:
                await anyio.sleep(size / file.rate)
        if file.framing == "chunked":
            await stream.send(b"0\r\n\r\n")


async def _send(stream: SocketStream, file: Served, data: bytes) -> None:
    await stream.send(b"%x\r\n%s\r\n" % (len(data), data) if file.framing == "chunked" else data)


def _head(file: Served, status: int, first: int, last: int) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {file.content_type}", "Connection: close"]
    if status == 206:
        lines.append(f"Content-Range: bytes {first}-{last}/{len(file.data)}")
    if file.framing == "length" or status == 206:
        lines.append(f"Content-Length: {last + 1 - first}")
    elif file.framing == "chunked":
        lines.append("Transfer-Encoding: chunked")
    return "\r\n".join([*lines, "", ""]).encode()


def _parse(head: str) -> tuple[str, int | None, int | None]:
    request, *lines = head.split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    name = request.split(" ")[1].partition("?")[0].lstrip("/")
    start, _, stop = fields.get("range", "").removeprefix("bytes=").partition("-")
    return name, int(start) if start else None, int(stop) if stop else None


@asynccontextmanager
async def fault_server() -> AsyncIterator[FaultServer]:
    """The server, while the block runs."""
    server = FaultServer()
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        server.port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - anyio's, not Django's
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, server.handle)
            yield server
            tasks.cancel_scope.cancel()
