"""The voice servers of the embedded Discord: voice gateway, UDP, and a listener per guild.

The main gateway issues tokens here for its VOICE_SERVER_UPDATE events; the web application routes the
websocket of ``wss://<endpoint>/?v=8`` to :meth:`VoiceServer.handle`.
"""

from __future__ import annotations

import re
import time
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

import anyio
from aiohttp import web

from loopback.dave.calls import Calls
from loopback.listening.listener import Listener, NoteKind, SocketHealth
from loopback.voice.backend import Backend
from loopback.voice.conditions import VoiceConditions
from loopback.voice.gateway import Connection, hang
from loopback.voice.protocol import GATEWAY_VERSION, CloseCode, CloseError, DavePolicy, VoiceSettings
from loopback.voice.receiver import VoiceReceiver
from loopback.voice.rtcp import RtcpReports
from loopback.voice.session import Sessions, VoiceSession

if TYPE_CHECKING:
    from types import TracebackType

SHUTDOWN_TIMEOUT_S = 3.0
WEBSOCKET_CLOSE_TIMEOUT_S = 1.0

_NAME = re.compile(r"loopback(\d+)-(\d+)\.discord\.media")


class VoiceServer:
    """``async with`` binds the UDP socket; leaving closes every websocket with 1001 and awaits their end.

    Must be entered in the event loop that also serves :meth:`handle`. ``listener_limit`` bounds the frames
    that each listener keeps (None: all). It stands for ``settings.servers`` voice servers: each has a UDP
    port and, for each guild, a name of its own. ``conditions`` are what faults have made of them.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        *,
        settings: VoiceSettings | None = None,
        listener_limit: int | None = None,
    ) -> None:
        self.settings = settings or VoiceSettings()
        self.conditions = VoiceConditions(self.settings.keep_alive_echo, self.settings.rtcp_interval_s)
        self._sessions = Sessions(self.settings)
        self._rtcp = RtcpReports(self.conditions, self._lives, self._send)
        self._health = SocketHealth()
        self._receivers = [
            VoiceReceiver(
                host,
                self._sessions,
                self.listener,
                server=server,
                conditions=self.conditions,
                health=self._health,
            )
            for server in range(self.settings.servers)
        ]
        self._sockets = AsyncExitStack()
        self.calls = Calls(
            latency_s=self.settings.dave_latency_ms / 1000, first_at_once=self.settings.dave_first_at_once
        )
        self._listeners: dict[int, Listener] = {}
        self._listener_limit = listener_limit
        self._backend = Backend(
            self.settings,
            self.conditions,
            self._sessions,
            self.calls,
            self._rtcp,
            listener_of=self.listener,
            addresses=lambda: self.addresses,
            end_session=self._replace,
        )
        self._connections: set[Connection] = set()
        self._accepting = False
        self.address: str | None = None
        """`host:port` to state instead of names, for clients that resolve names by themselves."""

    async def __aenter__(self) -> VoiceServer:
        async with AsyncExitStack() as stack:
            for receiver in self._receivers:
                await stack.enter_async_context(receiver)
            self._sockets = stack.pop_all()
        self._accepting = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._accepting = False
        try:
            await self._end_connections()
        finally:
            self._rtcp.stop()
            self.calls.close()
            await self._sockets.aclose()

    def issue(
        self, guild_id: int, channel_id: int, user_id: int, session_id: str, *, dave: bool = True
    ) -> str:
        """A voice token for a VOICE_SERVER_UPDATE; it replaces an earlier one of that guild and user.

        ``dave``: the channel is one that is encrypted end to end; stage channels are not.
        """
        former = self._sessions.credential(guild_id, user_id)
        dave = dave and self.settings.dave is not DavePolicy.OFF
        credential = self._sessions.issue(guild_id, channel_id, user_id, session_id, dave=dave)
        if dave and (former is None or former.channel_id != channel_id):
            self.calls.go(guild_id, (channel_id, credential.server))
        return credential.token

    def endpoint(self, guild_id: int, user_id: int) -> str:
        """Where the user's token is good, `host:port` as VOICE_SERVER_UPDATE states it. Raises KeyError.

        The name tells server and guild, so that faults can meet a websocket before it has identified itself.
        """
        credential = self._sessions.credential(guild_id, user_id)
        if credential is None:
            raise KeyError(guild_id)
        if self.address is not None:
            return self.address
        return f"loopback{credential.server + 1}-{guild_id}.discord.media:443"

    def server_of(self, guild_id: int, user_id: int) -> int | None:
        """The number, from 0, of the voice server that serves the user's session there; None without one."""
        session = self._sessions.of(guild_id, user_id)
        return None if session is None else session.server

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The UDP address of each voice server."""
        return [receiver.address for receiver in self._receivers]

    def revoke(self, guild_id: int, user_id: int, code: int = CloseCode.DISCONNECTED) -> None:
        """The user has left the channel: token and session end, the websocket closes with ``code``."""
        self.withdraw(guild_id, user_id)
        self.close(guild_id, user_id, code, keep_session=False)

    def withdraw(self, guild_id: int, user_id: int) -> None:
        """The user's token is good no longer; a session that was opened with it goes on."""
        self._sessions.withdraw(guild_id, user_id)

    @property
    def strays(self) -> int:
        """Datagrams that belong to no living session: sent into the void."""
        return sum(receiver.strays for receiver in self._receivers)

    def listener(self, guild_id: int) -> Listener:
        """What is heard in the guild, in whatever session; made at the first call."""
        if guild_id not in self._listeners:
            self._listeners[guild_id] = Listener(guild_id, health=self._health, limit=self._listener_limit)
        return self._listeners[guild_id]

    def ears(self, guild_id: int, user_id: int) -> Listener:
        """What one user hears of the bot, from now on and whenever in its channel, with DAVE.

        The guild's own listener hears what the user hears who has been there longest.
        """
        listener = Listener(guild_id, health=self._health, limit=self._listener_limit)
        self.calls.listen(guild_id, user_id, listener)
        return listener

    def user_joined(self, guild_id: int, user_id: int, *, dave: bool = True) -> None:
        """Another user has come into the voice channel: see :meth:`Backend.user_joined`."""
        self._backend.user_joined(guild_id, user_id, dave=dave)

    def user_left(self, guild_id: int, user_id: int) -> None:
        """Another user has left the voice channel: see :meth:`Backend.user_left`."""
        self._backend.user_left(guild_id, user_id)

    def session(self, guild_id: int, user_id: int) -> VoiceSession | None:
        """The user's living session in the guild."""
        return self._sessions.of(guild_id, user_id)

    def close(
        self, guild_id: int, user_id: int, code: int, *, keep_session: bool | None = None, reason: str = ""
    ) -> None:
        """Close the user's websocket. The settings say for which codes the session is kept.

        It ends as the close frame leaves: of many that are closed at once, none is deaf before it says so.
        """
        session = self._sessions.of(guild_id, user_id)
        if session is None:
            return
        keep = code in self.settings.resumable_codes if keep_session is None else keep_session
        detach = partial(self._detach, session, code, keep=keep)
        if session.connection is None or not session.connection.close(code, reason, detach):
            detach()

    def reset(self, guild_id: int, user_id: int) -> None:
        """Cut the TCP connection of the user's websocket; the session is kept for a RESUME."""
        session = self._sessions.of(guild_id, user_id)
        if session is not None and session.connection is not None:
            session.connection.abort()
            self._detach(session, CloseCode.ABNORMAL, keep=True)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """The voice gateway's endpoint, ``GET /?v=8``."""
        server, guild_id = _named(request.host)
        await hang(request, lambda: self.conditions.silent(guild_id))
        socket = web.WebSocketResponse(timeout=WEBSOCKET_CLOSE_TIMEOUT_S)
        await socket.prepare(request)
        refusal = self._refusal(request)
        if refusal is not None:
            await socket.close(code=refusal.code, message=refusal.reason.encode())
            return socket
        connection = Connection(self._backend, request, socket, server=server)
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
            self._lost(connection)
            connection.ended.set()
        return socket

    def _refusal(self, request: web.Request) -> CloseError | None:
        if not self._accepting:
            return CloseError(CloseCode.GOING_AWAY, "the server stops")
        if request.query.get("v") not in self.settings.versions:
            return CloseError(CloseCode.BAD_REQUEST, f"only version {GATEWAY_VERSION} is spoken here")
        return None

    def _lost(self, connection: Connection) -> None:
        session = connection.session
        if session is not None and session.connection is connection:
            self._detach(session, connection.code, keep=connection.code in self.settings.resumable_codes)

    def _replace(self, guild_id: int, user_id: int) -> None:
        session = self._sessions.of(guild_id, user_id)
        if session is not None:
            if session.connection is not None:
                session.connection.close(CloseCode.SESSION_INVALID, "replaced")
            self._detach(session, CloseCode.SESSION_INVALID, keep=False)

    def _detach(self, session: VoiceSession, code: int, *, keep: bool) -> None:
        """The session is without a websocket: it waits for a RESUME, or is dropped with its UDP."""
        session.connection = None
        session.orphaned_at = time.monotonic()
        if not keep:
            self._sessions.drop(session)
            if not self.settings.token_outlives_session:
                self._sessions.expire(session)
        self.listener(session.guild_id).note(NoteKind.CLOSED, str(int(code)))

    async def _end_connections(self) -> None:
        self.cut_silent()
        for connection in self._connections:
            connection.close(CloseCode.GOING_AWAY, "the server stops")
        with anyio.move_on_after(SHUTDOWN_TIMEOUT_S):
            for connection in list(self._connections):
                await connection.ended.wait()
        for connection in self._connections:
            connection.abort()

    def silence(self, guild_ids: frozenset[int] | None) -> int:
        """Let the open websockets of those guilds (None: all) answer nothing any more; how many they are."""
        sessions = [one for one in self._sessions if guild_ids is None or one.guild_id in guild_ids]
        connections = [one.connection for one in sessions if one.connection is not None]
        for connection in connections:
            connection.silence()
        return len(connections)

    def hush(self, guild_id: int, user_id: int, *, hushed: bool) -> None:
        """Whether nobody hears the user in that guild: he may not speak."""
        if hushed:
            self._sessions.hushed.add((guild_id, user_id))
        else:
            self._sessions.hushed.discard((guild_id, user_id))

    def restart_rtcp(self) -> None:
        """Follow the conditions, which have changed."""
        for session in self._sessions:
            self._rtcp.start(session)

    def _lives(self, session: VoiceSession) -> bool:
        return self._sessions.of(session.guild_id, session.user_id) is session

    def _send(self, session: VoiceSession, datagram: bytes) -> None:
        self._receivers[session.server].send(session, datagram)

    def cut_silent(self) -> None:
        """Cut the websockets that answer nothing: nobody else would end them."""
        for connection in [one for one in self._connections if one.silent]:
            connection.abort()


def _named(host: str) -> tuple[int | None, int | None]:
    """Server (from 0) and guild in the name that a client has dialled; None each if it is another name."""
    found = _NAME.fullmatch(host.partition(":")[0])
    return (None, None) if found is None else (int(found[1]) - 1, int(found[2]))
