"""The main gateway: identify, resume, and events to the right shards."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import web

from loopback.gateway import commands as gateway_commands
from loopback.gateway.conditions import GatewayConditions
from loopback.gateway.connection import GatewayConnection
from loopback.gateway.intents import KNOWN_BITS, PRIVILEGED, Intent
from loopback.gateway.protocol import VERSIONS, CloseCode, GatewayError, Op, message, refusal
from loopback.gateway.sends import SendLog
from loopback.gateway.session import GatewaySession
from loopback.world.world import secret_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.settings import LoopbackSettings
    from loopback.world.events import Event
    from loopback.world.model import Payload
    from loopback.world.world import World

RESUME_URL = "wss://gateway-loopback.discord.gg"
WEBSOCKET_CLOSE_TIMEOUT_S = 1.0
ENDING_CODES = (CloseCode.NORMAL, CloseCode.GOING_AWAY)
"""A client that closes with one of these gives its session up (documentation, "Initiating a Disconnect")."""


class Gateway:
    """All sessions and connections of one embedded Discord."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sessions: dict[str, GatewaySession] = {}
        self.connections: set[GatewayConnection] = set()
        self.identifies = 0
        self.sends = SendLog()
        self.conditions = GatewayConditions()
        self._accepting = True
        self._timers: set[asyncio.TimerHandle] = set()
        world.subscribe(self._deliver)

    @property
    def live_sessions(self) -> list[GatewaySession]:
        """Sessions that have a connection now."""
        return [one for one in self.sessions.values() if one.live]

    def _deliver(self, event: Event) -> None:
        for session in list(self.sessions.values()):
            session.deliver(event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The endpoint `wss://gateway.discord.gg/?v=10&encoding=json[&compress=zlib-stream]`."""
        reason = refusal(request.query)
        if reason is not None or not self._accepting:
            return web.json_response({"message": reason or "going away", "code": 0}, status=400)
        socket = web.WebSocketResponse(timeout=WEBSOCKET_CLOSE_TIMEOUT_S, compress=False)
        await socket.prepare(request)
        if request.query.get("v") not in VERSIONS:
            await socket.close(code=CloseCode.INVALID_VERSION, message=b"invalid API version")
            return socket
        await self._serve(GatewayConnection(self, request, socket))
        return socket

    async def _serve(self, connection: GatewayConnection) -> None:
        self.connections.add(connection)
        try:
            await connection.run()
        finally:
            self.connections.discard(connection)
            self._lost(connection)

    @property
    def settings(self) -> LoopbackSettings:
        return self.world.settings

    def obey(self, connection: GatewayConnection, op: int, data: Any) -> None:
        """Carry out one message of a client. Raises GatewayError."""
        opening = self._OPENING.get(op)
        if opening is not None:
            opening(self, connection, data)
        elif connection.session is None:
            raise GatewayError(CloseCode.NOT_AUTHENTICATED, "identify first")
        else:
            gateway_commands.run(self.world, connection.session, op, data)

    def _heartbeat(self, connection: GatewayConnection, _data: Any) -> None:
        connection.heard_heartbeat()
        if self.conditions.acknowledges(connection.shard_id):
            connection.send(message(Op.HEARTBEAT_ACK))

    # --- identify ---

    def _identify(self, connection: GatewayConnection, data: Any) -> None:
        if connection.session is not None:
            raise GatewayError(CloseCode.ALREADY_AUTHENTICATED, "already identified")
        if not isinstance(data, dict) or not isinstance(data.get("properties"), dict):
            raise GatewayError(CloseCode.DECODE_ERROR, "identify needs token, intents and properties")
        if data.get("token") != self.world.application.token:
            raise GatewayError(CloseCode.AUTHENTICATION_FAILED, "authentication failed")
        intents = _intents(data.get("intents"), self.world.application.granted_intents)
        shard_id, shard_count = _shard(data.get("shard", [0, 1]))
        session = GatewaySession(
            secret_token(), intents, shard_id, shard_count, self.world.settings.replay_events
        )
        session.presence = data.get("presence") or {}
        self.identifies += 1
        self.sessions[session.id] = session
        _bind(session, connection)
        self._ready(session)

    def _ready(self, session: GatewaySession) -> None:
        world = self.world
        guilds = [one for one in world.guilds.values() if session.covers(one.id)]
        ready: Payload = {
            "v": 10,
            "user": world.bot.own_payload(),
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "private_channels": [],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": RESUME_URL,
            "shard": [session.shard_id, session.shard_count],
            "application": world.application.partial(),
            "_trace": [],
        }
        session.dispatch("READY", ready)
        if Intent.GUILDS in session.intents:
            for guild in guilds:
                session.dispatch("GUILD_CREATE", guild.create_payload(session.intents))
        world.watch.changed()

    # --- resume ---

    def _resume(self, connection: GatewayConnection, data: Any) -> None:
        if connection.session is not None:
            raise GatewayError(CloseCode.ALREADY_AUTHENTICATED, "already identified")
        if not isinstance(data, dict) or data.get("token") != self.world.application.token:
            raise GatewayError(CloseCode.AUTHENTICATION_FAILED, "authentication failed")
        session = self.sessions.get(str(data.get("session_id")))
        after = _sequence(data.get("seq"))
        if session is not None and after > session.sequence:
            raise GatewayError(CloseCode.INVALID_SEQ, "a sequence number from the future")
        if session is None:
            self._invalid(connection)
            return
        if not session.can_replay(after):
            self.end_session(session)
            self._invalid(connection)
            return
        if session.connection is not None:
            session.connection.session = None
            session.connection.abort()
        _bind(session, connection)
        session.replay(after)
        self.world.watch.changed()

    def _invalid(self, connection: GatewayConnection) -> None:
        """Nothing to resume: the client has to identify anew."""
        connection.send(message(Op.INVALID_SESSION, data=False))

    # --- the end of connections and sessions ---

    def _lost(self, connection: GatewayConnection) -> None:
        session, connection.session = connection.session, None
        if session is None or not self._accepting:
            return
        session.connection = None
        if connection.close_code in ENDING_CODES and not connection.closed_here:
            self.end_session(session)
        else:
            self._await_resume(session)
        self.world.watch.changed()

    def _await_resume(self, session: GatewaySession) -> None:
        wait_s = self.world.settings.resume_window_s
        session.expiry = self._later(wait_s, lambda: self.end_session(session))

    def invalidate(self, session: GatewaySession, *, resumable: bool) -> None:
        """Op 9: the client shall resume the session, or give it up and identify anew."""
        connection, session.connection = session.connection, None
        if connection is None:
            return
        connection.send(message(Op.INVALID_SESSION, data=resumable))
        connection.session = None
        if resumable:
            self._await_resume(session)
        else:
            self.end_session(session)
        self.world.watch.changed()

    def end_session(self, session: GatewaySession) -> None:
        """The session is no more: no RESUME, and after a grace time the bot leaves the voice channels it was
        in.
        """
        if self.sessions.pop(session.id, None) is not None and self._accepting:
            self._later(self.world.settings.voice_grace_s, lambda: self._leave_voice(session))

    def _leave_voice(self, session: GatewaySession) -> None:
        for guild in self.world.guilds.values():
            state = guild.voice_of(self.world.bot)
            served = any(one.covers(guild.id) for one in self.live_sessions)
            if state is not None and state.session_id == session.id and not served:
                guild.disconnect(self.world.bot)

    def _later(self, delay_s: float, then: Callable[[], None]) -> asyncio.TimerHandle:
        handle = asyncio.get_running_loop().call_later(delay_s, then)
        self._timers = {one for one in self._timers if not one.cancelled() and one.when() > self.world.now()}
        self._timers.add(handle)
        return handle

    async def aclose(self) -> None:
        """Close every connection with 1001 and wait for their ends; those that linger are cut."""
        self._accepting = False
        for timer in self._timers:
            timer.cancel()
        ending = list(self.connections)
        for connection in ending:
            connection.close(CloseCode.GOING_AWAY, "the loopback stops")
        try:
            async with asyncio.timeout(self.world.settings.shutdown_timeout_s):
                for connection in ending:
                    await connection.ended.wait()
        except TimeoutError:
            for connection in ending:
                connection.abort()

    _OPENING: dict[int, Callable[[Gateway, GatewayConnection, Any], None]] = {  # noqa: RUF012 - a constant table
        Op.HEARTBEAT: _heartbeat,
        Op.IDENTIFY: _identify,
        Op.RESUME: _resume,
    }


def _bind(session: GatewaySession, connection: GatewayConnection) -> None:
    if session.expiry is not None:
        session.expiry.cancel()
        session.expiry = None
    session.connection, connection.session = connection, session


def _sequence(sent: Any) -> int:
    if sent is not None and not isinstance(sent, int):
        raise GatewayError(CloseCode.DECODE_ERROR, "seq must be a number")
    return sent or 0


def _intents(asked: Any, granted: Intent) -> Intent:
    if not isinstance(asked, int) or asked < 0 or asked & ~KNOWN_BITS:
        raise GatewayError(CloseCode.INVALID_INTENTS, "invalid intents")
    if Intent(asked) & PRIVILEGED & ~granted:
        raise GatewayError(CloseCode.DISALLOWED_INTENTS, "disallowed intents")
    return Intent(asked)


def _shard(asked: Any) -> tuple[int, int]:
    match asked:
        case [int(shard_id), int(count)] if 0 <= shard_id < count:
            return shard_id, count
    raise GatewayError(CloseCode.INVALID_SHARD, "invalid shard")
