"""One websocket of the main gateway: a reader, a sender with its latency, and the heartbeat's deadline."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import WSMsgType, web

from loopback.gateway.protocol import CloseCode, GatewayError, Op, Packing, message, unpack

if TYPE_CHECKING:
    from loopback.gateway.conditions import GatewayConditions
    from loopback.gateway.sends import SendLog
    from loopback.gateway.session import GatewaySession
    from loopback.settings import LoopbackSettings
    from loopback.world.model import Payload

HEARTBEAT_TOLERANCE = 1.5
RATE_WINDOW_S = 60.0


class GatewayBackend(Protocol):
    """What a connection asks of its gateway. `obey` may raise :class:`GatewayError`."""

    sends: SendLog
    conditions: GatewayConditions

    @property
    def settings(self) -> LoopbackSettings: ...

    def obey(self, connection: GatewayConnection, op: int, data: Any) -> None: ...


class GatewayConnection:
    """`run` serves until either side closes; `send` and `close` never block."""

    def __init__(self, backend: GatewayBackend, request: web.Request, socket: web.WebSocketResponse) -> None:
        self.session: GatewaySession | None = None
        self.close_code: int | None = None
        self.closed_here = False
        self.ended = asyncio.Event()
        self._request = request
        self._socket = socket
        self._backend = backend
        self._settings = backend.settings
        self._packing = Packing(request.query.get("compress"))
        self._loop = asyncio.get_running_loop()
        self._outbox: asyncio.Queue[tuple[float, Payload | GatewayError]] = asyncio.Queue()
        self._sent_at: deque[float] = deque()
        self._overdue: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """HELLO, then whatever comes, until the end; `close_code` says how it ended (1006 without a close
        frame).
        """
        self.send(message(Op.HELLO, {"heartbeat_interval": self._settings.heartbeat_interval_ms}))
        self.heard_heartbeat()
        sender = asyncio.create_task(self._send_all(), name="loopback gateway sender")
        try:
            await self._receive_all()
        finally:
            self._end()
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
            self.ended.set()

    def _end(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
        if self.close_code is None:
            self.close_code = self._socket.close_code or 1006

    async def _receive_all(self) -> None:
        async for frame in self._socket:
            if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                continue
            if self.close_code is not None:
                continue
            try:
                op, data = unpack(frame.data)
                self._count(op)
                self._backend.obey(self, op, data)
            except GatewayError as broken:
                self.close(broken.code, broken.reason)

    def _count(self, op: int) -> None:
        self._backend.sends.record(self.shard_id, op)
        now = self._loop.time()
        while self._sent_at and self._sent_at[0] < now - RATE_WINDOW_S:
            self._sent_at.popleft()
        self._sent_at.append(now)
        if len(self._sent_at) > self._settings.gateway_sends_per_minute:
            self._backend.sends.exceeded += 1
            raise GatewayError(CloseCode.RATE_LIMITED, "too many messages")

    async def _send_all(self) -> None:
        while True:
            due, content = await self._outbox.get()
            await asyncio.sleep(due - self._loop.time())
            try:
                if await self._send(content):
                    return
            except (ConnectionError, RuntimeError):
                return  # the reader sees the same end and ends the connection

    async def _send(self, content: Payload | GatewayError) -> bool:
        """Send one message, or close; whether that was the last."""
        if isinstance(content, GatewayError):
            await self._socket.close(code=content.code, message=content.reason.encode())
            return True
        packed = self._packing.pack(content)
        if isinstance(packed, bytes):
            await self._socket.send_bytes(packed)
        else:
            await self._socket.send_str(packed)
        return False

    @property
    def shard_id(self) -> int | None:
        """Whose connection it is; None before it has identified itself."""
        return None if self.session is None else self.session.shard_id

    def send(self, content: Payload | GatewayError) -> None:
        """Queue a message; it leaves after the latency of settings and faults, in order."""
        late_s = self._settings.gateway_latency_ms / 1000 + self._backend.conditions.lateness_s(self.shard_id)
        due = self._loop.time() + late_s
        self._outbox.put_nowait((due, content))

    def close(self, code: int, reason: str = "") -> None:
        """Close after all that is queued; nothing that the client still sends is heard."""
        if self.close_code is None:
            self.close_code, self.closed_here = code, True
            self.send(GatewayError(code, reason))

    def abort(self) -> None:
        """Cut the TCP connection, without a close frame."""
        self.close_code, self.closed_here = self.close_code or 1006, True
        if self._request.transport is not None:
            self._request.transport.abort()

    def heard_heartbeat(self) -> None:
        """Start the time to the next heartbeat anew."""
        if self._overdue is not None:
            self._overdue.cancel()
        patience_s = self._settings.heartbeat_interval_ms * HEARTBEAT_TOLERANCE / 1000
        self._overdue = self._loop.call_later(
            patience_s, self.close, CloseCode.SESSION_TIMED_OUT, "no heartbeat"
        )
