"""A bare voice client that does what it is told, for tests of the voice server.

It keeps no state of its own but what the protocol gives it, so that a test can also do what no client should.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio

from loopback.voice.modes import MODES, SessionCipher
from loopback.voice.protocol import Op
from loopback.voice.receiver import DISCOVERY, DISCOVERY_LENGTH
from loopback.voice.rtp import FRAME_SAMPLES, RtpHeader

if TYPE_CHECKING:
    from types import TracebackType

ANSWER_TIMEOUT_S = 5.0


class VoiceProbe:
    """One websocket and one UDP socket. ``async with`` opens both; they are closed with the block.

    ``connector`` says how to reach the url, such as `Loopback.connector()` for the names of Discord.
    """

    def __init__(
        self,
        url: str,
        *,
        guild_id: int,
        user_id: int,
        session_id: str,
        token: str,
        connector: aiohttp.BaseConnector | None = None,
    ) -> None:
        self._url = url
        self._http = aiohttp.ClientSession(connector=connector)
        self.identity: dict[str, Any] = {
            "server_id": str(guild_id),
            "user_id": str(user_id),
            "session_id": session_id,
            "token": token,
        }
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setblocking(False)
        self.websocket: aiohttp.ClientWebSocketResponse
        self.seq_ack = -1
        self.ready: dict[str, Any] = {}
        self.cipher: SessionCipher | None = None
        self.sequence = self.timestamp = self.nonce = 0

    async def __aenter__(self) -> VoiceProbe:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.udp.close()
        await self.websocket.close()
        await self._http.close()

    async def open(self, *, autoclose: bool = True) -> dict[str, Any]:
        """Open a websocket (after a first one: a new one) and return the data of HELLO.

        Without `autoclose` the server's close frame is not answered until the test does.
        """
        self.websocket = await self._http.ws_connect(self._url, autoclose=autoclose)
        return await self.expect(Op.HELLO)

    async def send(self, op: int, data: object) -> None:
        """Send one JSON message."""
        await self.websocket.send_json({"op": op, "d": data})

    async def expect(self, op: int) -> dict[str, Any]:
        """The data of the next message, which must have ``op``. Raises AssertionError otherwise."""
        with anyio.fail_after(ANSWER_TIMEOUT_S):
            message = await self.websocket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise AssertionError(f"expected opcode {op}, got {message!r}")
        content = message.json()
        self.seq_ack = content.get("seq", self.seq_ack)
        if content["op"] != op:
            raise AssertionError(f"expected opcode {op}, got {content!r}")
        return content["d"] or {}

    async def close_code(self) -> int | None:
        """Read until the server closes; its close code (1006 without a close frame)."""
        with anyio.fail_after(ANSWER_TIMEOUT_S):
            while (await self.websocket.receive()).type not in _CLOSED:
                pass
        return self.websocket.close_code

    async def identify(self, **changes: object) -> dict[str, Any]:
        """IDENTIFY, with ``changes`` to the identity; the data of READY."""
        await self.send(Op.IDENTIFY, self.identity | changes)
        self.ready = await self.expect(Op.READY)
        self.udp.connect((self.ready["ip"], self.ready["port"]))
        return self.ready

    async def discover(self, ssrc: int | None = None) -> tuple[str, int]:
        """IP discovery: the address that the server sees."""
        request = DISCOVERY.pack(1, DISCOVERY_LENGTH, self.ready["ssrc"] if ssrc is None else ssrc, b"", 0)
        answer = await self.exchange(request)
        _kind, _length, _ssrc, address, port = DISCOVERY.unpack(answer)
        return address.rstrip(b"\0").decode(), port

    async def exchange(self, datagram: bytes, timeout_s: float = ANSWER_TIMEOUT_S) -> bytes:
        """Send a datagram and return the next one that comes. Raises TimeoutError."""
        self.udp.send(datagram)
        with anyio.fail_after(timeout_s):
            return await self.receive()

    async def receive(self) -> bytes:
        """The next datagram that comes."""
        return await asyncio.get_running_loop().sock_recv(self.udp, 2048)

    async def select(self, mode: str, address: tuple[str, int] | None = None) -> dict[str, Any]:
        """SELECT_PROTOCOL; the data of SESSION_DESCRIPTION, with whose key frames are sealed from now on."""
        ip, port = address or self.udp.getsockname()
        data = {"address": ip, "port": port, "mode": mode}
        await self.send(Op.SELECT_PROTOCOL, {"protocol": "udp", "data": data})
        description = await self.expect(Op.SESSION_DESCRIPTION)
        self.cipher = SessionCipher(MODES[description["mode"]], bytes(description["secret_key"]))
        return description

    async def join(self, mode: str | None = None) -> None:
        """Everything up to the session key, in the given mode or the server's first."""
        ready = await self.identify()
        await self.select(mode or ready["modes"][0], await self.discover())

    async def resume(self, **changes: object) -> None:
        """RESUME on a websocket that is open; the answers are left to :meth:`expect`."""
        identity = {key: value for key, value in self.identity.items() if key != "user_id"}
        await self.send(Op.RESUME, identity | {"seq_ack": self.seq_ack} | changes)

    def frame(self, opus: bytes) -> None:
        """Send one frame with the next sequence number, timestamp and nonce."""
        self.udp.send(self.packet(opus))
        self.skip()

    def packet(self, opus: bytes) -> bytes:
        """The packet that :meth:`frame` would send now."""
        if self.cipher is None:
            raise AssertionError("select a mode first")
        header = RtpHeader(self.sequence, self.timestamp, self.ready["ssrc"])
        return self.cipher.seal(header.pack(), opus, self.nonce)

    def skip(self) -> None:
        """Go on to the next frame without sending: it is lost."""
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + FRAME_SAMPLES) & 0xFFFFFFFF
        self.nonce += 1


_CLOSED = {
    aiohttp.WSMsgType.CLOSE,
    aiohttp.WSMsgType.CLOSED,
    aiohttp.WSMsgType.CLOSING,
    aiohttp.WSMsgType.ERROR,
}
