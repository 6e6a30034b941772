"""What a voice server answers to its clients: who is let in, and what each of them gets to know.

The connections of gateway.py speak the protocol; this decides, and keeps the sessions.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from loopback.listening.listener import NoteKind
from loopback.voice.conditions import Opening
from loopback.voice.protocol import CloseCode, CloseError, DavePolicy, Op

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.dave.calls import Calls
    from loopback.listening.listener import Listener
    from loopback.voice.conditions import VoiceConditions
    from loopback.voice.gateway import Connection, Payload
    from loopback.voice.protocol import VoiceSettings
    from loopback.voice.rtcp import RtcpReports
    from loopback.voice.session import Address, Sessions, VoiceSession


class Backend:
    """Behind all connections of one :class:`~loopback.voice.server.VoiceServer`, which owns what it is given.

    ``addresses`` are the UDP addresses of the voice servers; ``end_session`` ends the session that a user has
    in a guild, because another one takes its place.
    """

    def __init__(
        self,
        settings: VoiceSettings,
        conditions: VoiceConditions,
        sessions: Sessions,
        calls: Calls,
        rtcp: RtcpReports,
        *,
        listener_of: Callable[[int], Listener],
        addresses: Callable[[], list[Address]],
        end_session: Callable[[int, int], None],
    ) -> None:
        self.settings = settings
        self._conditions = conditions
        self._sessions = sessions
        self._calls = calls
        self._rtcp = rtcp
        self._listener_of = listener_of
        self._addresses = addresses
        self._end_session = end_session
        self._session_numbers: dict[int, int] = {}
        self._present: dict[int, list[int]] = {}

    def ignores(self, data: Payload) -> bool:
        """Whether an IDENTIFY or RESUME for that guild gets no answer."""
        return self._conditions.silent(int(data["server_id"]))

    def heard_heartbeat(self, session: VoiceSession | None, data: Payload) -> bool:
        """Note which numbered message the client has got (seq_ack); whether the heartbeat is to be answered.

        Raises KeyError without that number, which version 8 demands, and CloseError for one that never left.
        """
        if session is not None and ("seq_ack" in data or "4" not in self.settings.versions):
            session.acknowledge(int(data["seq_ack"]))
        return self._conditions.acknowledges(None if session is None else session.guild_id)

    def _let_in(self, opening: Opening, guild_id: int) -> None:
        code = self._conditions.refused(opening, guild_id)
        if code is not None:
            self._listener_of(guild_id).note(NoteKind.REFUSED, f"{opening.value} {code}")
            raise CloseError(code, "refused")

    def identify(self, connection: Connection, data: Payload) -> VoiceSession:
        """Open a session; an earlier one of the same user ends with 4006."""
        guild_id, user_id = int(data["server_id"]), int(data["user_id"])
        self._let_in(Opening.IDENTIFY, guild_id)
        session = self._sessions.open(guild_id, user_id, str(data["session_id"]), str(data["token"]))
        if connection.server not in (None, session.server):
            raise CloseError(CloseCode.SESSION_INVALID, "the token is for another voice server")
        session.dave_version = int(data.get("max_dave_protocol_version", 0))
        if (
            self.settings.dave is DavePolicy.REQUIRED
            and not session.supports_dave
            and session.credential.dave
        ):
            raise CloseError(CloseCode.DAVE_REQUIRED, "end-to-end encryption is required")
        self._end_session(guild_id, user_id)
        session.connection = connection
        self._sessions.add(session)
        self._listener_of(guild_id).note(NoteKind.IDENTIFIED, f"ssrc {session.ssrc}")
        return session

    def resume(self, connection: Connection, data: Payload) -> VoiceSession:
        """Give a session its new websocket; the former one, if it still hangs, is cut."""
        self._let_in(Opening.RESUME, int(data["server_id"]))
        session = self._sessions.resumable(
            int(data["server_id"]), str(data["session_id"]), str(data["token"])
        )
        if session.connection is not None:
            session.connection.abort()
        session.connection, session.orphaned_at = connection, None
        self._listener_of(session.guild_id).note(NoteKind.RESUMED, f"ssrc {session.ssrc}")
        return session

    def ready(self, session: VoiceSession) -> Payload:
        """The data of READY: where to send UDP, as whom, and in which modes."""
        ip, port = self.settings.udp_address or self._addresses()[session.server]
        return {"ssrc": session.ssrc, "ip": ip, "port": port, "modes": list(self.settings.modes)}

    def select_protocol(self, session: VoiceSession, data: Payload) -> Payload:
        """Make the session's key; the data of SESSION_DESCRIPTION."""
        if data["protocol"] != "udp":
            raise CloseError(CloseCode.UNKNOWN_PROTOCOL, f"protocol {data['protocol']!r}")
        chosen = data["data"]
        if chosen["mode"] not in self.settings.modes:
            raise CloseError(CloseCode.UNKNOWN_ENCRYPTION_MODE, f"mode {chosen['mode']!r}")
        self._sessions.bind(session, (str(chosen["address"]), int(chosen["port"])))
        if session.credential.dave:
            place = session.credential.channel_id, session.server
            session.audience = self._calls.go(session.guild_id, place)
        number = self._session_numbers[session.guild_id] = self._session_numbers.get(session.guild_id, 0) + 1
        session.describe(chosen["mode"], number)
        self._listener_of(session.guild_id).note(NoteKind.SESSION, chosen["mode"])
        return {
            "mode": session.mode,
            "secret_key": list(session.key),
            "dave_protocol_version": self._dave_version(session),
            "audio_codec": "opus",
            "video_codec": None,
            "media_session_id": secrets.token_hex(16),
        }

    def _dave_version(self, session: VoiceSession) -> int:
        audience = session.audience
        return 0 if audience is None else audience.call.version_for(supports=session.supports_dave)

    def described(self, session: VoiceSession) -> None:
        """The session has its key: it is told who else is there, joins their call, and gets RTCP if any."""
        self._rtcp.start(session)
        others = [str(user_id) for user_id in self._present.get(session.guild_id, [])]
        if others:
            session.send_numbered(Op.CLIENTS_CONNECT, {"user_ids": others})
        if session.audience is not None:
            session.audience.call.join(session.user_id, session, supports=session.supports_dave)

    def speaking(self, session: VoiceSession, data: Payload) -> None:
        """Record who speaks and tell the others in the guild."""
        flags = int(data["speaking"])
        self._listener_of(session.guild_id).note(NoteKind.SPEAKING, str(flags))
        told = {"user_id": str(session.user_id), "ssrc": session.ssrc, "speaking": flags}
        self._tell(session.guild_id, session.user_id, Op.SPEAKING, told)

    def _tell(self, guild_id: int, about: int, op: Op, data: Payload) -> None:
        for session in self._sessions:
            if session.guild_id == guild_id and session.user_id != about and session.key:
                session.send_numbered(op, data)

    def user_joined(self, guild_id: int, user_id: int, *, dave: bool = True) -> None:
        """Another user has come into the voice channel: sessions of the guild are told (op 11).

        ``dave``: the user's client supports end-to-end encryption.
        """
        self._present.setdefault(guild_id, []).append(user_id)
        self._tell(guild_id, user_id, Op.CLIENTS_CONNECT, {"user_ids": [str(user_id)]})
        self._calls.user_joined(guild_id, user_id, supports=dave)

    def user_left(self, guild_id: int, user_id: int) -> None:
        """Another user has left the voice channel: sessions of the guild are told (op 13)."""
        if user_id in self._present.get(guild_id, []):
            self._present[guild_id].remove(user_id)
            self._tell(guild_id, user_id, Op.CLIENT_DISCONNECT, {"user_id": str(user_id)})
            self._calls.user_left(guild_id, user_id)
