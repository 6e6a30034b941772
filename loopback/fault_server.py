"""An HTTP server on 127.0.0.1 that hands out media and misbehaves as told."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import anyio
from anyio.abc import SocketAttribute, SocketStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_LINGER = struct.pack("ii", 1, 0)  # closing throws away what is not sent: the peer gets a reset


@dataclass(slots=True)
class Served:
    """One file and how it is served. The faults meet requests with a Range, which yt-dlp does not make.

    At the positions of `cuts` the connection ends, at those of `resets` it is reset, at those of `stalls`
    nothing comes for `stall_s`: each once. `after_cut` are statuses of the requests that follow a break,
    with `headers`; `then` is the file from then on. From byte `refuse_from` on requests get `refuse_status`,
    until a request without a Range (an extraction) comes by. `framing`: `length`, `chunked`, or `close` (the
    end of the connection is the end of the body). `more` is added to every size that is stated. `endless`:
    the file begins anew at its end.
    """

    data: bytes
    content_type: str = "application/octet-stream"
    ranges: bool = True
    framing: str = "length"
    cuts: list[int] = field(default_factory=list)
    resets: list[int] = field(default_factory=list)
    stalls: list[int] = field(default_factory=list)
    stall_s: float = 0.0
    after_cut: list[int] = field(default_factory=list)
    then: bytes | None = None
    refuse_from: int | None = None
    refuse_status: int = 403
    headers: dict[str, str] = field(default_factory=dict)
    etag: str | None = None
    redirect: str | None = None
    more: int = 0
    endless: bool = False
    rate: int = 0  # bytes per second; 0: as fast as possible
    broken: bool = False

    def breaks(self, position: int) -> str | None:
        """What happens there, once."""
        for what in ("cuts", "resets", "stalls"):
            if position in getattr(self, what):
                getattr(self, what).remove(position)
                return what
        return "cuts" if position == self.refuse_from else None

    def next_break(self, position: int, stop: int) -> int:
        """The first place after `position` where something happens, else `stop`."""
        places = [*self.cuts, *self.resets, *self.stalls]
        if self.refuse_from is not None:
            places.append(self.refuse_from)
        return min([stop, *(at for at in places if at > position)])

    def broke(self) -> None:
        """A connection has broken: from now on it is as the fault says."""
        self.broken = True
        if self.then is not None:
            self.data, self.then = self.then, None
            self.etag = None if self.etag is None else self.etag[:-1] + 'x"'


#: A file, or what makes one from the query of a request.
Answer: TypeAlias = Served | Callable[[str], Served]


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came, and the status of its answer."""

    name: str
    start: int | None
    status: int
    query: str = ""


@dataclass(frozen=True, slots=True)
class _Request:
    name: str
    query: str
    start: int | None
    stop: int | None
    condition: str | None  # If-Range


class FaultServer:
    """Answers GET for `files`; `seen` records the requests."""

    def __init__(self) -> None:
        self.files: dict[str, Answer] = {}
        self.seen: list[Seen] = []
        self.port = 0

    def add(self, name: str, served: Answer | bytes) -> str:
        """Serve a file under this name; its link."""
        self.files[name] = Served(served) if isinstance(served, bytes) else served
        return f"http://127.0.0.1:{self.port}/{name}"

    def count(self, name: str) -> int:
        """Requests for that file."""
        return sum(seen.name == name for seen in self.seen)

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
        request = _parse(head.decode())
        found = self.files.get(request.name)
        file = found(request.query) if callable(found) else found
        status = _status(file, request)
        self.seen.append(Seen(request.name, request.start, status, request.query))
        if file is None or status >= 300:
            await stream.send(_refusal(file, status))
            return
        first, last = (request.start or 0, request.stop) if status == 206 else (0, None)
        last = min(last if last is not None else len(file.data) - 1, len(file.data) - 1)
        faulty = request.start is not None
        await stream.send(_head(file, status, first, last, faulty=faulty))
        await _body(stream, file, first, last + 1, faulty=faulty)


def _status(file: Served | None, request: _Request) -> int:
    if file is None:
        return 404
    if file.redirect is not None:
        return 302
    if request.start is None:
        file.refuse_from = None
        return 200
    if file.broken and file.after_cut:
        return file.after_cut.pop(0)
    if file.refuse_from is not None and request.start >= file.refuse_from:
        return file.refuse_status
    if not file.ranges or request.condition not in {None, file.etag}:
        return 200
    return 206 if request.start < len(file.data) else 416


async def _body(stream: SocketStream, file: Served, position: int, stop: int, *, faulty: bool) -> None:
    size = 16384 if not file.rate else max(1, file.rate // 20)
    while position < stop:
        end = min(position + size, file.next_break(position, stop) if faulty else stop)
        await _send(stream, file, file.data[position:end])
        position = 0 if file.endless and end == stop else end
        what = file.breaks(position) if faulty else None
        if what == "stalls":
            await anyio.sleep(file.stall_s)
        if what in {"cuts", "resets"}:
            file.broke()
            await _end(stream, hard=what == "resets")
            return
        if file.rate:
            await anyio.sleep(size / file.rate)
    if file.framing == "chunked":
        await stream.send(b"0\r\n\r\n")


async def _end(stream: SocketStream, *, hard: bool) -> None:
    if hard:
        raw = stream.extra(SocketAttribute.raw_socket)  # noqa: S610 - anyio's, not Django's
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        await stream.aclose()


async def _send(stream: SocketStream, file: Served, data: bytes) -> None:
    await stream.send(b"%x\r\n%s\r\n" % (len(data), data) if file.framing == "chunked" else data)


def _refusal(file: Served | None, status: int) -> bytes:
    lines = [f"HTTP/1.1 {status} X", "Content-Length: 0", "Connection: close"]
    if file is not None:
        lines += [f"{name}: {value}" for name, value in file.headers.items()]
        if status == 302:
            lines.append(f"Location: {file.redirect}")
        if status == 416:
            lines.append(f"Content-Range: bytes */{len(file.data)}")
    return "\r\n".join([*lines, "", ""]).encode()


def _head(file: Served, status: int, first: int, last: int, *, faulty: bool) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {file.content_type}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in file.headers.items() if faulty]
    lines += [] if file.etag is None else [f"ETag: {file.etag}"]
    part = status == 206
    if part:
        lines.append(f"Content-Range: bytes {first}-{last}/{len(file.data) + file.more}")
    if file.framing == "chunked":
        lines.append("Transfer-Encoding: chunked")
    elif part or file.framing == "length":
        lines.append(f"Content-Length: {last + 1 - first + (0 if part else file.more)}")
    return "\r\n".join([*lines, "", ""]).encode()


def _parse(head: str) -> _Request:
    request, *lines = head.split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    path, _, query = request.split(" ")[1].partition("?")
    start, _, stop = fields.get("range", "").removeprefix("bytes=").partition("-")
    wanted = (int(start) if start else None, int(stop) if stop else None)
    return _Request(path.lstrip("/"), query, *wanted, condition=fields.get("if-range"))


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
