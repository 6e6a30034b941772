"""One connected, non-blocking UDP socket of a voice session: IP discovery, and what comes in.

There is no thread and no task: the event loop's reader callback takes what comes, one datagram a turn.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Final

import anyio

from actors.voice.causes import Fault
from actors.voice.errors import VoiceError
from actors.voice.pulse import KEEP_ALIVE_SIZE, Pulse

if TYPE_CHECKING:
    from collections.abc import Callable

_DISCOVERY = struct.Struct(">HHI64sH")  # type, length of the rest, SSRC, address, port
_REQUEST: Final = 1
_RESPONSE: Final = 2
_REST_LENGTH: Final = 70
_RTCP_LEAST: Final = 8
_RTCP_TYPES: Final = range(192, 224)
#: Pauses in s after each discovery request: a lost datagram costs little, the end of a black hole is noticed
#: soon, and a dead server is given up after 4.5 s.
_DISCOVERY_PAUSES_S: Final = (0.1, *(0.2,) * 22)


def _nothing() -> None:
    pass


class VoiceSocket:
    """The socket of one session.

    :ivar pulse: its keep-alives
    :ivar received: datagrams that came in
    :ivar rtcp: of these, RTCP packets (RFC 5761, section 4: told from RTP by their second byte)
    """

    def __init__(self, host: str, port: int) -> None:
        """
        :raises OSError: if the address cannot be reached at all
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.connect((host, port))
        except OSError:
            self._socket.close()
            raise
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket, self._receive)
        self._answered = anyio.Event()
        self._address: tuple[str, int] | None = None
        self.received = 0
        self.rtcp = 0
        self.send = self._socket.send  # bound once: called for every packet
        self.pulse = Pulse(self.send)

    async def discover(self, ssrc: int, *, meanwhile: Callable[[], None] = _nothing) -> tuple[str, int]:
        """This socket's address and port as the server sees them (Discord, "Voice Connections", *IP
        Discovery*).

        :param meanwhile: done once while the answer is under way
        :raises VoiceError: if no answer comes; requests are repeated, as UDP loses them
        """
        request = _DISCOVERY.pack(_REQUEST, _REST_LENGTH, ssrc, b"", 0)
        for pause_s in _DISCOVERY_PAUSES_S:
            self._try_send(request)
            meanwhile()
            meanwhile = _nothing
            with anyio.move_on_after(pause_s):
                await self._answered.wait()
            if self._address is not None:
                return self._address
        raise VoiceError(None, "the voice server does not answer over UDP", Fault.UDP_BLOCKED)

    def close(self) -> None:
        """Close the socket; idempotent."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _try_send(self, datagram: bytes) -> None:
        try:
            self._socket.send(datagram)
        except OSError:
            pass  # full buffer or an ICMP error of an earlier datagram: the next one will tell

    def _receive(self) -> None:
        """Take one datagram. Others have the loop call this again, so that a flood cannot hold it."""
        try:
            datagram = self._socket.recv(2048)
        except OSError:
            return  # nothing there after all, or an ICMP error, reported once
        self._take(datagram)

    def _take(self, datagram: bytes) -> None:
        self.received += 1
        if len(datagram) >= _RTCP_LEAST and datagram[0] >> 6 == 2 and datagram[1] in _RTCP_TYPES:
            self.rtcp += 1
        if len(datagram) == KEEP_ALIVE_SIZE:
            self.pulse.echo(datagram)
        elif len(datagram) == _DISCOVERY.size and self._address is None:
            self._take_discovery(datagram)

    def _take_discovery(self, datagram: bytes) -> None:
        kind, _, _, address, port = _DISCOVERY.unpack(datagram)
        if kind == _RESPONSE:
            self._address = (address.split(b"\0", 1)[0].decode("ascii", "replace"), port)
            self._answered.set()
