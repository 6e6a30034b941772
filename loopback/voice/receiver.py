"""What comes in by UDP: IP discovery, keep-alives, RTCP, and the RTP packets that listeners record."""

from __future__ import annotations

import struct
import time
from functools import partial
from typing import TYPE_CHECKING

from loopback.listening.listener import SILENCE_FRAME, Frame, Listener, NoteKind, SocketHealth
from loopback.voice.conditions import VoiceConditions
from loopback.voice.modes import UndecryptableError
from loopback.voice.network import Direction
from loopback.voice.rtp import MalformedPacketError, RtpHeader, is_rtcp, parse_header, strip_plaintext
from loopback.voice.udp import UdpPort

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.voice.modes import SessionCipher
    from loopback.voice.session import Address, Sessions, VoiceSession

DISCOVERY = struct.Struct(">HHI64sH")
"""IP discovery: type (1 request, 2 answer), length 70, ssrc, address, port."""
DISCOVERY_REQUEST = b"\x00\x01\x00\x46"
DISCOVERY_LENGTH = 70
KEEP_ALIVE_BYTES = 8


class VoiceReceiver:
    """Owns a voice server's UDP port from ``async with`` on; hands each frame to its guild's listener.

    ``server`` is its number: only sessions of that server are known here. What comes and goes passes
    through the ``network`` with its faults.
    """

    def __init__(
        self,
        host: str,
        sessions: Sessions,
        listener_of: Callable[[int], Listener],
        *,
        server: int = 0,
        conditions: VoiceConditions | None = None,
        health: SocketHealth | None = None,
    ) -> None:
        self._sessions = sessions
        self._listener_of = listener_of
        self._server = server
        self._conditions = conditions or VoiceConditions()
        self._network = self._conditions.network
        self._port = UdpPort(host, self._datagram, health)
        self.strays = 0
        """Datagrams that belong to no living session."""

    async def __aenter__(self) -> VoiceReceiver:
        await self._port.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._port.__aexit__(*exc_info)

    @property
    def address(self) -> Address:
        """Where the socket is bound."""
        return self._port.address

    def send(self, session: VoiceSession, data: bytes) -> None:
        """Send one datagram to where the session's packets come from."""
        if session.address is None:
            return
        if self._network.calm:
            self._port.send(data, session.address)
            return
        then = partial(self._sent, data, session.address)
        self._network.carry(Direction.INBOUND, session.guild_id, self._server, time.time_ns(), then)

    def _sent(self, data: bytes, address: Address, _at_ns: int) -> None:
        self._port.send(data, address)

    def _datagram(self, data: bytes, address: Address, arrival_ns: int) -> None:
        if self._network.calm:
            self._take(data, address, arrival_ns)
            return
        session = self._of(data, address)
        guild_id = None if session is None else session.guild_id
        then = partial(self._take, data, address)
        self._network.carry(Direction.OUTBOUND, guild_id, self._server, arrival_ns, then)

    def _of(self, data: bytes, address: Address) -> VoiceSession | None:
        """Whose datagram it is: by the ssrc in a discovery, by its address, else by the ssrc in RTP."""
        if len(data) == DISCOVERY.size and data.startswith(DISCOVERY_REQUEST):
            return self._here(self._sessions.by_ssrc(DISCOVERY.unpack(data)[2]))
        known = self._sessions.by_address(address) or self._sessions.by_ssrc(
            int.from_bytes(data[8:12], "big")
        )
        return self._here(known)

    def _here(self, session: VoiceSession | None) -> VoiceSession | None:
        """``session``, if it is one of this server."""
        return session if session is not None and session.server == self._server else None

    def _take(self, data: bytes, address: Address, arrival_ns: int) -> None:
        if len(data) == KEEP_ALIVE_BYTES:
            self._keep_alive(data, address)
        elif len(data) == DISCOVERY.size and data.startswith(DISCOVERY_REQUEST):
            self._discover(data, address)
        elif is_rtcp(data):
            self._rtcp(address)
        else:
            self._rtp(data, address, arrival_ns)

    def _keep_alive(self, data: bytes, address: Address) -> None:
        session = self._here(self._sessions.by_address(address))
        if session is None:
            self.strays += 1
            return
        self._listener_of(session.guild_id).keep_alives += 1
        if self._conditions.echoes(session.guild_id):
            self.send(session, data)

    def _discover(self, data: bytes, address: Address) -> None:
        _kind, _length, ssrc, _address, _port = DISCOVERY.unpack(data)
        session = self._here(self._sessions.by_ssrc(ssrc))
        if session is None:
            self.strays += 1
            return
        self._sessions.bind(session, address)
        answer = DISCOVERY.pack(2, DISCOVERY_LENGTH, ssrc, address[0].encode(), address[1])
        self.send(session, answer)

    def _rtcp(self, address: Address) -> None:
        session = self._here(self._sessions.by_address(address))
        if session is None:
            self.strays += 1
        else:
            self._listener_of(session.guild_id).rtcp_packets += 1

    def _rtp(self, data: bytes, address: Address, arrival_ns: int) -> None:
        try:
            header = parse_header(data)
        except MalformedPacketError as error:
            self._malformed(address, str(error), arrival_ns)
            return
        session = self._here(self._sessions.by_ssrc(header.ssrc))
        if session is None or session.cipher is None:
            self.strays += 1
            return
        if self._sessions.hushed and (session.guild_id, session.user_id) in self._sessions.hushed:
            self._listener_of(session.guild_id).hushed += 1
            return
        try:
            frame = self._open(session, session.cipher, header, data, arrival_ns)
        except MalformedPacketError as error:
            self._listener_of(session.guild_id).note(NoteKind.MALFORMED, str(error), arrival_ns)
            return
        if frame.opus is not None and address != session.address:
            self._rebind(session, address, arrival_ns)
        self._listener_of(session.guild_id).record(frame)
        if session.audience is not None:
            session.audience.record(frame)

    def _open(
        self, session: VoiceSession, cipher: SessionCipher, header: RtpHeader, data: bytes, arrival_ns: int
    ) -> Frame:
        """The frame in the packet, without Opus if it cannot be decrypted."""
        opus: bytes | None
        try:
            nonce, plaintext = cipher.open(data, header.length)
            opus = strip_plaintext(header, plaintext)
        except UndecryptableError as error:
            nonce, opus = int.from_bytes(data[-4:], "big"), None
            self._listener_of(session.guild_id).note(NoteKind.UNDECRYPTABLE, str(error), arrival_ns)
        encrypted = False
        if opus is not None and session.audience is not None:
            opus, encrypted = session.audience.open(session.user_id, opus)
            if opus is None:
                self._listener_of(session.guild_id).note(NoteKind.UNDECRYPTABLE, "end to end", arrival_ns)
        return Frame(
            arrival_ns=arrival_ns,
            sequence=header.sequence,
            timestamp=header.timestamp,
            ssrc=header.ssrc,
            nonce=nonce,
            opus=opus,
            silence=opus == SILENCE_FRAME,
            session=session.number,
            encrypted=encrypted,
        )

    def _rebind(self, session: VoiceSession, address: Address, arrival_ns: int) -> None:
        # Only who has the key can have sealed the packet: the sender's address has changed.
        self._listener_of(session.guild_id).note(
            NoteKind.REBOUND, f"{session.address} -> {address}", arrival_ns
        )
        self._sessions.bind(session, address)

    def _malformed(self, address: Address, why: str, arrival_ns: int) -> None:
        session = self._here(self._sessions.by_address(address))
        if session is None:
            self.strays += 1
        else:
            self._listener_of(session.guild_id).note(NoteKind.MALFORMED, why, arrival_ns)
