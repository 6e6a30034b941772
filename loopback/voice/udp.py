"""The UDP end of the voice server: one socket for all sessions, with the kernel's receive times.

Linux stamps each datagram on arrival (SO_TIMESTAMPNS), so the times say when a packet came and not when the
process got round to reading it; the kernel also counts what it had to drop (SO_RXQ_OVFL). See socket(7).
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import time
from collections.abc import Callable

from loopback.listening.listener import SocketHealth
from loopback.voice.session import Address

# Python's socket module does not name these (asm-generic/socket.h: x86_64, aarch64, riscv).
SO_TIMESTAMPNS = 35
SO_RXQ_OVFL = 40
SO_RCVBUFFORCE = 33

RECEIVE_BUFFER_BYTES = 32 * 1024 * 1024
DATAGRAM_BYTES = 2048
ANCILLARY_BYTES = socket.CMSG_SPACE(16) + socket.CMSG_SPACE(4) if sys.platform != "win32" else 0
DRAIN_LIMIT = 512
"""Datagrams read in one wake-up; then the event loop has its turn, the kernel's buffer holds the rest."""

_TIMESPEC = struct.Struct("@qq")
_COUNTER = struct.Struct("@I")

OnDatagram = Callable[[bytes, Address, int], None]
"""Called with a datagram, where it came from, and its arrival (CLOCK_REALTIME, ns)."""


class UdpPort:
    """Owns the socket: ``async with`` binds and closes it. Datagrams go to ``on_datagram`` in the loop."""

    def __init__(self, host: str, on_datagram: OnDatagram, health: SocketHealth | None = None) -> None:
        self._host = host
        self._on_datagram = on_datagram
        self._socket: socket.socket | None = None
        self._dropped = 0
        self.health = health or SocketHealth()
        """Of this socket, or of all that share it: their drops are added up."""
        self.address: Address = (host, 0)
        self.unsent = 0
        """Datagrams that the kernel did not take."""

    async def __aenter__(self) -> UdpPort:
        self._socket = sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            self._configure(sock)
            sock.bind((self._host, 0))
            self.address = sock.getsockname()
            asyncio.get_running_loop().add_reader(sock.fileno(), self._drain)
        except BaseException:
            sock.close()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def send(self, data: bytes, address: Address) -> None:
        """Send one datagram, or count it as unsent."""
        if self._socket is None:
            return
        try:
            self._socket.sendto(data, address)
        except OSError:
            self.unsent += 1

    def _configure(self, sock: socket.socket) -> None:
        linux = sys.platform == "linux"
        self.health.kernel_timestamps = linux and _try_option(sock, SO_TIMESTAMPNS, 1)
        self.health.kernel_drops = 0 if linux and _try_option(sock, SO_RXQ_OVFL, 1) else None
        # Without CAP_NET_ADMIN the plain option is clamped to net.core.rmem_max.
        if not (linux and _try_option(sock, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)):
            _try_option(sock, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self.health.receive_buffer_bytes = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    def _drain(self) -> None:
        sock = self._socket
        for _ in range(DRAIN_LIMIT):
            if sock is None or sock.fileno() < 0:
                return
            try:
                data, ancillary, _flags, address = sock.recvmsg(DATAGRAM_BYTES, ANCILLARY_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue  # an ICMP error of an earlier answer (the client's port has closed)
            self._on_datagram(data, address, self._arrival_ns(ancillary))

    def _arrival_ns(self, ancillary: list[tuple[int, int, bytes]]) -> int:
        arrival_ns = 0
        for level, kind, value in ancillary:
            if level != socket.SOL_SOCKET:
                continue
            if kind == SO_TIMESTAMPNS:
                seconds, nanoseconds = _TIMESPEC.unpack(value[: _TIMESPEC.size])
                arrival_ns = seconds * 1_000_000_000 + nanoseconds
            elif kind == SO_RXQ_OVFL:
                self._count_drops(_COUNTER.unpack(value[: _COUNTER.size])[0])
        return arrival_ns or time.time_ns()

    def _count_drops(self, total: int) -> None:
        self.health.kernel_drops = (self.health.kernel_drops or 0) + total - self._dropped
        self._dropped = total


def _try_option(sock: socket.socket, option: int, value: int) -> bool:
    try:
        sock.setsockopt(socket.SOL_SOCKET, option, value)
    except OSError:
        return False
    return True
