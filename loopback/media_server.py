"""An HTTP server on 127.0.0.1 that hands out audio files in byte ranges (RFC 9110, section 14).

The demo serves its music and the user's own file with it; tests serve their media with it. It answers GET and
HEAD, one range per request, 206/416 as the RFC wants, and keeps a record of every request for tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

CONTENT_TYPES = {
    ".webm": "audio/webm",
    ".weba": "audio/webm",
    ".m4a": "audio/mp4",
    ".mp4": "audio/mp4",
    ".aac": "audio/aac",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mka": "audio/x-matroska",
    ".txt": "text/plain",
}

_SHUTDOWN_S = 0.2  # open answers get this long when the server ends


@dataclass(frozen=True, slots=True)
class MediaRequest:
    """One request as answered: bytes `start` to `stop` (exclusive) of the file; 0 and 0 for an error."""

    method: str
    name: str
    status: int
    start: int
    stop: int
    range: str | None


class MediaServer:
    """Serves a directory, or files by name (a path, or the bytes themselves), while the block runs.

    `accept_ranges=False` makes it one of the servers that ignore Range and always send the whole file.
    """

    def __init__(
        self, files: Path | Mapping[str, Path | bytes] | None = None, *, accept_ranges: bool = True
    ) -> None:
        self._directory = files if isinstance(files, Path) else None
        self._files: dict[str, Path | bytes] = {} if files is None or isinstance(files, Path) else dict(files)
        self._accept_ranges = accept_ranges
        self._runner: web.AppRunner | None = None
        self.port = 0
        self.requests: list[MediaRequest] = []

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{name:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def add(self, name: str, content: Path | bytes) -> str:
        """Serve one more file under this name; returns its URL."""
        self._files[name] = content
        return self.url(name)

    def url(self, name: str) -> str:
        """The URL of a file, whether it is there or not."""
        return f"http://127.0.0.1:{self.port}/{quote(name)}"

    def count(self, name: str) -> int:
        """How often this file was asked for, HEAD included."""
        return sum(request.name == name for request in self.requests)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if request.method not in {"GET", "HEAD"}:
            raise web.HTTPMethodNotAllowed(request.method, ["GET", "HEAD"])
        content = self._find(name)
        if content is None:
            self._record(request, 404, 0, 0)
            raise web.HTTPNotFound
        return await self._send(request, content)

    def _find(self, name: str) -> Path | bytes | None:
        if name in self._files:
            return self._files[name]
        if self._directory is None:
            return None
        path = (self._directory / name).resolve()
        inside = path.is_relative_to(self._directory.resolve())
        return path if inside and path.is_file() else None

    async def _send(self, request: web.Request, content: Path | bytes) -> web.StreamResponse:
        size = _size(content)
        span = self._span(request, size)
        if span is None:
            self._record(request, 416, 0, 0)
            raise web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"})
        start, stop, partial = span
        self._record(request, 206 if partial else 200, start, stop)
        response = web.StreamResponse(
            status=206 if partial else 200, headers=self._headers(request, span, size)
        )
        response.content_length = stop - start
        await response.prepare(request)
        try:
            if request.method == "GET":
                await _write(response, content, start, stop)
            await response.write_eof()
        except ConnectionError:
            pass  # whoever asked has read enough
        return response

    def _span(self, request: web.Request, size: int) -> tuple[int, int, bool] | None:
        if not self._accept_ranges or "Range" not in request.headers:
            return 0, size, False
        try:
            wanted = request.http_range
        except ValueError:  # several ranges, or no bytes range: a server may answer with the whole
            return 0, size, False
        start, stop, _ = wanted.indices(size)
        return (start, stop, True) if start < stop else None

    def _headers(self, request: web.Request, span: tuple[int, int, bool], size: int) -> dict[str, str]:
        suffix = Path(request.match_info["name"]).suffix.lower()
        headers = {"Content-Type": CONTENT_TYPES.get(suffix, "application/octet-stream")}
        if self._accept_ranges:
            headers["Accept-Ranges"] = "bytes"
        if span[2]:
            headers["Content-Range"] = f"bytes {span[0]}-{span[1] - 1}/{size}"
        return headers

    def _record(self, request: web.Request, status: int, start: int, stop: int) -> None:
        name, asked = request.match_info["name"], request.headers.get("Range")
        self.requests.append(MediaRequest(request.method, name, status, start, stop, asked))


def _size(content: Path | bytes) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


async def _write(response: web.StreamResponse, content: Path | bytes, start: int, stop: int) -> None:
    if isinstance(content, bytes):
        await response.write(content[start:stop])
        return
    with content.open("rb") as file:
        file.seek(start)
        while start < stop and (block := file.read(min(65536, stop - start))):
            await response.write(block)
            start += len(block)
