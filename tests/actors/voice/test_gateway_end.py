"""How a voice websocket ends: the close frame has the word, whatever the TCP connection does after it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import struct
from functools import partial
from typing import TYPE_CHECKING

import aiohttp
import anyio
import pytest

from actors.voice.gateway import GatewayClosed, Op, VoiceGateway

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""Of every websocket (RFC 6455, 1.3)."""


def close_frame(code: int | None) -> bytes:
    """An unmasked close frame, with or without a status."""
    body = b"" if code is None else struct.pack(">H", code)
    return bytes((0x88, len(body))) + body


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, last_words: bytes) -> None:
    """Shake hands, say the last words, and close TCP without waiting for a reply."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    key = next(line.split(": ")[1] for line in head if line.lower().startswith("sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()  # noqa: S324 - as in 1.3
    answer = f"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}"
    writer.write(answer.encode() + b"\r\n\r\n" + last_words)
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    ("last_words", "code"),
    [(close_frame(4006), 4006), (close_frame(None), 1005), (b"", 1006)],
    ids=["4006", "no status", "no close frame"],
)
async def test_the_code_is_known_where_the_server_hangs_up_at_once(last_words: bytes, code: int) -> None:
    """What is sent meanwhile is lost, and says nothing of the end: the close frame may wait to be read."""
    server = await asyncio.start_server(partial(hang_up, last_words=last_words), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, aiohttp.ClientSession() as http:
        websocket = await http.ws_connect(f"ws://127.0.0.1:{port}/")
        gateway = VoiceGateway(websocket)
        await until(lambda: websocket.get_extra_info("socket") is None)
        await gateway.send(Op.SPEAKING, {})
        await gateway.send(Op.IDENTIFY, b"binary")
        with pytest.raises(GatewayClosed) as end:
            await gateway.receive()
        assert end.value.code == code


async def until(fact: Callable[[], bool]) -> None:
    with anyio.fail_after(5):
        while not fact():  # noqa: ASYNC110 - nothing tells of a connection that is lost unread
            await anyio.sleep(0.002)
