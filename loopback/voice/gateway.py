"""One websocket of the voice gateway: from HELLO to its close code.

A connection speaks the protocol; what it may do is decided by the server behind it (:class:`VoiceBackend`).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import anyio
from aiohttp import ClientConnectionResetError, WSMessage, WSMsgType, web

from loopback.voice.protocol import GATEWAY_VERSION, CloseCode, CloseError, Op, VoiceSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.voice.session import VoiceSession

Payload = dict[str, Any]

HANG_POLL_S = 0.02
FLUSH_TIMEOUT_S = 2.0
"""How long the last messages and the close handshake may take once a connection ends."""


@dataclass(frozen=True, slots=True)
class _Close:
    """The last message of a connection; `on_sent` is called as it leaves."""

    code: int
    reason: str
    on_sent: Callable[[], None]


class VoiceBackend(Protocol):
    """What a connection asks of its server. Each may raise :class:`CloseError`."""

    settings: VoiceSettings

    def ignores(self, data: Payload) -> bool: ...

    def heard_heartbeat(self, session: VoiceSession | None, data: Payload) -> bool: ...

    def identify(self, connection: Connection, data: Payload) -> VoiceSession: ...

    def resume(self, connection: Connection, data: Payload) -> VoiceSession: ...

    def ready(self, session: VoiceSession) -> Payload: ...

    def select_protocol(self, session: VoiceSession, data: Payload) -> Payload: ...

    def described(self, session: VoiceSession) -> None: ...

    def speaking(self, session: VoiceSession, data: Payload) -> None: ...


class Connection:
    """Reads and answers one client. ``code`` is the close code once :meth:`run` has returned.

    ``server`` is the voice server that the client has dialled, from 0; None if its name does not say it.
    """

    def __init__(
        self,
        backend: VoiceBackend,
        request: web.Request,
        socket: web.WebSocketResponse,
        *,
        server: int | None = None,
    ) -> None:
        self.server = server
        self.silent = False
        """Half open: nothing is read or answered any more."""
        self._reading = anyio.CancelScope()
        self._backend = backend
        self._request = request
        self._socket = socket
        self._outbox, self._to_send = anyio.create_memory_object_stream[str | bytes | _Close](math.inf)
        self._closing: int | None = None
        self._last_heartbeat = anyio.current_time()
        self.session: VoiceSession | None = None
        self.ended = anyio.Event()
        """Set by the server once it has disposed of this connection."""
        self.code: int = CloseCode.ABNORMAL

    async def run(self) -> None:
        """Speak with the client until either side closes."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._write)
            interval = self._backend.settings.heartbeat_interval_ms
            self.send(Op.HELLO, {"v": GATEWAY_VERSION, "heartbeat_interval": interval})
            try:
                await self._read()
            finally:
                self._outbox.close()
                tasks.cancel_scope.deadline = anyio.current_time() + FLUSH_TIMEOUT_S
        self.code = self._closing or self._socket.close_code or CloseCode.ABNORMAL

    def send(self, op: Op, data: object) -> None:
        """Send a message that has no number and is not replayed."""
        self.send_message(json.dumps({"op": op, "d": data}))

    def send_message(self, message: str | bytes) -> None:
        """Send a message; one to a connection that is closing is lost, as on any network."""
        self._post(message)

    def close(self, code: int, reason: str = "", on_sent: Callable[[], None] = lambda: None) -> bool:
        """Close with ``code`` after what was sent before; whether the close frame will leave.

        The first call counts. ``on_sent`` is called as it leaves: with many others before it, not at once.
        """
        if self._closing is not None or self.silent:
            return False
        self._closing = code
        return self._post(_Close(code, reason, on_sent))

    def abort(self) -> None:
        """Cut the TCP connection without a close frame."""
        self._closing = CloseCode.ABNORMAL
        if self._request.transport is not None:
            self._request.transport.abort()

    def silence(self) -> None:
        """Fall silent, as a server whose other end of the TCP connection is gone; only a cut ends it."""
        self.silent = True
        self._reading.cancel()

    def _post(self, item: str | bytes | _Close) -> bool:
        try:
            self._outbox.send_nowait(item)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            return False  # the client has gone; its session waits for a resume or is dropped
        return True

    async def _write(self) -> None:
        async with self._to_send:
            async for item in self._to_send:
                try:
                    await self._write_one(item)
                except (ClientConnectionResetError, ConnectionError):
                    return

    async def _write_one(self, item: str | bytes | _Close) -> None:
        if self.silent:
            return
        if isinstance(item, _Close):
            item.on_sent()
            self._reading.cancel()  # else aiohttp hangs up without waiting for the client's own close frame
            await self._socket.close(code=item.code, message=item.reason.encode()[:123])
        elif isinstance(item, bytes):
            await self._socket.send_bytes(item)
        else:
            await self._socket.send_str(item)

    async def _read(self) -> None:
        while self._closing is None and not self.silent:
            message = await self._receive()
            if message is None:
                break
            try:
                self._handle(message)
            except CloseError as error:
                self.close(error.code, error.reason)
        if self.silent:
            await hang(self._request)

    async def _receive(self) -> WSMessage | None:
        """The next text or binary message; None once the connection ends."""
        deadline = self._last_heartbeat + self._backend.settings.heartbeat_deadline_s
        with anyio.CancelScope(deadline=deadline) as self._reading:
            message = await self._socket.receive()
            return message if message.type in (WSMsgType.TEXT, WSMsgType.BINARY) else None
        if not self.silent:
            self.close(CloseCode.SESSION_TIMEOUT, "no heartbeat in time")
        return None

    def _handle(self, message: WSMessage) -> None:
        op, data = _split(message.data) if message.type is WSMsgType.BINARY else _decode(message.data)
        handler = _HANDLERS.get(op)
        if handler is None:
            raise CloseError(CloseCode.UNKNOWN_OPCODE, f"opcode {op}")
        if self.session is None and op not in _BEFORE_IDENTIFY:
            raise CloseError(CloseCode.NOT_AUTHENTICATED, f"opcode {op} before identify")
        try:
            handler(self, data)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CloseError(CloseCode.DECODE_ERROR, f"opcode {op}: {error!r}") from error

    def _identified(self) -> VoiceSession:
        if self.session is None:
            raise CloseError(CloseCode.NOT_AUTHENTICATED, "identify first")
        return self.session

    def _identify(self, data: Payload) -> None:
        if not self._opens(data):
            return
        self.session = self._backend.identify(self, data)
        self.send(Op.READY, self._backend.ready(self.session))

    def _resume(self, data: Payload) -> None:
        if not self._opens(data):
            return
        missed_from = int(data.get("seq_ack", -1))
        self.session = self._backend.resume(self, data)
        for message in self.session.missed_after(missed_from):
            self.send_message(message)
        self.send(Op.RESUMED, None)

    def _opens(self, data: Payload) -> bool:
        """Whether this IDENTIFY or RESUME is answered. Raises :class:`CloseError` for a second one."""
        if self.session is not None:
            raise CloseError(CloseCode.ALREADY_AUTHENTICATED, "this connection has a session already")
        if self._backend.ignores(data):
            self.silence()
        return not self.silent

    def _heartbeat(self, data: Payload) -> None:
        self._last_heartbeat = anyio.current_time()
        nonce, bare = data["t"], data.get("bare", False)
        if bare and "4" not in self._backend.settings.versions:
            raise CloseError(CloseCode.DECODE_ERROR, "a heartbeat is an object")
        if self._backend.heard_heartbeat(self.session, data):
            self.send(Op.HEARTBEAT_ACK, nonce if bare else {"t": nonce})

    def _select_protocol(self, data: Payload) -> None:
        session = self._identified()
        self.send(Op.SESSION_DESCRIPTION, self._backend.select_protocol(session, data))
        self._backend.described(session)

    def _speaking(self, data: Payload) -> None:
        self._backend.speaking(self._identified(), data)

    def _key_package(self, body: bytes) -> None:
        session = self._identified()
        if session.audience is not None:
            session.audience.call.take_key_package(session.user_id, body)

    def _commit(self, body: bytes) -> None:
        session = self._identified()
        if session.audience is not None:
            session.audience.call.take_commit(session.user_id, body)

    def _transition_ready(self, data: Payload) -> None:
        session = self._identified()
        if session.audience is not None:
            session.audience.call.take_ready(session.user_id, int(data["transition_id"]))

    def _invalid_commit(self, data: Payload) -> None:
        session = self._identified()
        if session.audience is not None:
            session.audience.call.take_invalid(session.user_id, int(data["transition_id"]))

    def _backend_version(self, data: Payload) -> None:
        self.send(Op.VOICE_BACKEND_VERSION, {"voice": "loopback", "rtc_worker": "loopback"})

    def _ignore(self, data: Payload) -> None:
        """Video, client state and the like: known to the protocol, of no use to a listener of music."""


_HANDLERS: dict[int, Callable[[Connection, Any], None]] = {
    Op.IDENTIFY: Connection._identify,
    Op.RESUME: Connection._resume,
    Op.HEARTBEAT: Connection._heartbeat,
    Op.SELECT_PROTOCOL: Connection._select_protocol,
    Op.SPEAKING: Connection._speaking,
    Op.VOICE_BACKEND_VERSION: Connection._backend_version,
    Op.VIDEO: Connection._ignore,
    Op.SESSION_UPDATE: Connection._ignore,
    Op.MEDIA_SINK_WANTS: Connection._ignore,
    Op.CLIENT_PLATFORM: Connection._ignore,
    Op.DAVE_TRANSITION_READY: Connection._transition_ready,
    Op.DAVE_MLS_INVALID_COMMIT_WELCOME: Connection._invalid_commit,
    Op.DAVE_MLS_KEY_PACKAGE: Connection._key_package,
    Op.DAVE_MLS_COMMIT_WELCOME: Connection._commit,
}
_BINARY = frozenset({Op.DAVE_MLS_KEY_PACKAGE, Op.DAVE_MLS_COMMIT_WELCOME})
_BEFORE_IDENTIFY = frozenset({Op.IDENTIFY, Op.RESUME, Op.HEARTBEAT})


async def hang(request: web.Request, condition: Callable[[], bool] = lambda: True) -> None:
    """Wait while the condition holds, at most until the client's TCP connection is gone.

    aiohttp tells of that only who reads, and a half-open server does not.
    """
    while request.transport is not None and condition():  # noqa: ASYNC110 - there is no event for it
        await anyio.sleep(HANG_POLL_S)


def _split(message: bytes) -> tuple[int, bytes]:
    """Opcode and body of a binary message. Raises :class:`CloseError` 4001."""
    if not message or message[0] not in _BINARY:
        raise CloseError(CloseCode.UNKNOWN_OPCODE, f"binary opcode {message[:1].hex()}")
    return message[0], message[1:]


def _decode(text: str) -> tuple[int, Payload]:
    """Opcode and data of a JSON message. Raises :class:`CloseError` 4002."""
    try:
        message = json.loads(text)
        op, data = message["op"], message.get("d")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CloseError(CloseCode.DECODE_ERROR, f"not a voice message: {error!r}") from error
    if op == Op.HEARTBEAT and type(data) in (int, str):  # before version 8 the nonce stood alone
        data = {"t": data, "bare": True}
    if not isinstance(op, int) or not isinstance(data, dict | None) or op in _BINARY:
        raise CloseError(CloseCode.DECODE_ERROR, "op must be a number and d an object")
    return op, data or {}
