"""The receiver of the voice bench (`sink.py`) as a process that the bench commands by datagrams."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from tests.bench.voice.players import ROOT
from tests.bench.voice.process import pin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class SinkProcess:
    """The receiver in its process."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.port = port
        self._process = process
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(20.0)
        self._socket.connect(("127.0.0.1", port))

    async def tell(self, command: str) -> str:
        """Its answer."""

        def ask() -> str:
            self._socket.send(f"bench {command}".encode())
            return self._socket.recv(2048).decode()

        return await anyio.to_thread.run_sync(ask)

    async def end(self) -> None:
        """Stop it and wait."""
        await self.tell("end")
        self._socket.close()
        await anyio.to_thread.run_sync(self._process.wait)
        if self._process.stdout is not None:
            self._process.stdout.close()


@asynccontextmanager
async def open_sink() -> AsyncIterator[SinkProcess]:
    """The receiver, not on the player's core."""
    process = subprocess.Popen(  # noqa: ASYNC220 - nothing is measured yet
        [sys.executable, "-m", "tests.bench.voice.sink"], stdout=subprocess.PIPE, cwd=ROOT
    )
    pin(process.pid, others=True)
    assert process.stdout is not None
    port = int(await anyio.to_thread.run_sync(process.stdout.readline))
    sink = SinkProcess(process, port)
    try:
        yield sink
    finally:
        with anyio.CancelScope(shield=True):
            await sink.end()
