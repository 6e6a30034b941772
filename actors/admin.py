"""The admin socket: how ``ostinato tree``, ``kill`` and their kin reach the running bot.

A Unix socket that only its owner may use. One request is one line of JSON with an ``op`` (see
`admin_operations`); the answer is one line of JSON with ``ok``, after others with ``more`` where an operation
tells as it goes. A connection may ask several times.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from functools import partial
from typing import TYPE_CHECKING

import anyio
from anyio import (
    BrokenResourceError,
    ClosedResourceError,
    DelimiterNotFound,
    EndOfStream,
    IncompleteRead,
    to_thread,
)
from anyio.abc import SocketAttribute, SocketListener
from anyio.streams.buffered import BufferedByteReceiveStream

from actors.admin_client import is_served
from actors.admin_operations import Caller, Operations
from actors.admin_requests import refusal
from supervision import Actor

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from anyio.abc import SocketStream

    from supervision import ExitReason

MAX_REQUEST_BYTES = 64 * 1024
MAX_CONNECTIONS = 8
IDLE_TIMEOUT_S = 60.0
BACKLOG = 16
_CREDENTIALS = struct.Struct("3i")
"""pid, uid and gid, as in `man 7 unix`."""


class AdminSocketBusyError(Exception):
    """Another live process serves this admin socket."""


class Admin(Actor):
    """Serves the admin socket for as long as it lives, and removes its file at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connections = 0
        self._inode = 0

    async def on_start(self) -> None:
        """Listen; ``AdminSocketBusyError`` if another process does, ``OSError`` if the place is no good."""
        if await to_thread.run_sync(is_served, self._path):
            raise AdminSocketBusyError(f"another bot serves the admin socket {self._path}")
        self._listener = await SocketListener.from_socket(self._bind())
        self._inode = self._path.stat().st_ino
        self.ctx.start_soon(self._serve)

    async def on_stop(self, reason: ExitReason) -> None:
        """Stop listening, and take the file away unless a successor has put its own there."""
        await self._listener.aclose()
        try:
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()
        except FileNotFoundError:
            pass

    def _bind(self) -> socket.socket:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)  # what a killed process left: nobody serves it
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        umask = os.umask(0o077)  # closed to others from the first moment, not only from the chmod on
        try:
            bound.bind(str(self._path))
            self._path.chmod(0o600)
            bound.listen(BACKLOG)
        except BaseException:
            bound.close()
            raise
        finally:
            os.umask(umask)
        return bound

    async def _serve(self) -> None:
        async with self._listener:
            await self._listener.serve(self._connection)

    async def _connection(self, stream: SocketStream) -> None:
        """One connection, until it ends, idles or breaks a rule. Its trouble is its own."""
        self._connections += 1
        try:
            async with stream:
                if self._connections > MAX_CONNECTIONS:
                    await _send(stream, refusal("too many connections"))
                else:
                    await self._converse(stream)
        except (BrokenResourceError, ClosedResourceError, EndOfStream, IncompleteRead, TimeoutError):
            pass
        finally:
            self._connections -= 1

    async def _converse(self, stream: SocketStream) -> None:
        lines = BufferedByteReceiveStream(stream)
        while True:
            try:
                with anyio.fail_after(IDLE_TIMEOUT_S):
                    line = await lines.receive_until(b"\n", MAX_REQUEST_BYTES)
            except DelimiterNotFound:
                await _send(stream, refusal(f"a request may have {MAX_REQUEST_BYTES} bytes"))
                return
            await _send(stream, await self._answer(line, stream))

    async def _answer(self, line: bytes, stream: SocketStream) -> Mapping[str, object]:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):  # no JSON, no UTF-8, or nested as deep as the line is long
            request = None
        if not isinstance(request, dict):
            return refusal("a request is one line of JSON, an object")
        caller = caller_of(stream)
        if caller.uid not in (None, 0, os.getuid()):  # whatever became of the file's permissions
            return refusal("this bot is another user's")
        operations = Operations(self.ctx.system, self.ctx.path)
        return await operations.do(request, caller, partial(_send, stream))


def caller_of(stream: SocketStream) -> Caller:
    """Whose process holds the other end."""
    if not hasattr(socket, "SO_PEERCRED"):  # pragma: no cover - not on Linux
        return Caller(None, None)
    raw = stream.extra(SocketAttribute.raw_socket)  # noqa: S610 - anyio's, not a query of a database
    packed = raw.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(packed)
    return Caller(uid, pid)


async def _send(stream: SocketStream, answer: Mapping[str, object]) -> None:
    line = await to_thread.run_sync(json.dumps, answer)  # a tree of thousands would hold up the loop
    with anyio.fail_after(IDLE_TIMEOUT_S):
        await stream.send(line.encode() + b"\n")
