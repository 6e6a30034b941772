"""The receiver of the voice bench: a process that counts every packet, at the time the kernel received it.

Run as `python -m tests.bench.voice.sink`; prints its UDP port. It answers what a voice server has to (IP
discovery, keep-alives) and records of each RTP packet SSRC, sequence number and arrival. Packets are taken in
batches (recvmmsg(2)), a batch is parsed by numpy at once: 50,000 packets a second take a fraction of a core.
What the kernel dropped nevertheless (SO_RXQ_OVFL) is counted and told: a bench that lost packets is void.

Commands come as datagrams to the same port: `count` (answer: how many streams were heard since the last
`begin`), `begin` (forget everything), `save <path>` (write the record as .npz; answer: `saved`), `end`.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import time
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH: Final = 256
DATAGRAM_BYTES: Final = 512
CONTROL_BYTES: Final = 64
NAME_BYTES: Final = 16
PAUSE_S: Final = 0.002
"""Between batches: the kernel has noted when a packet came, and waking up for each would take half a core."""

BUFFER_BYTES: Final = 64 << 20
CAPACITY: Final = 4_000_000  # packets: 80 s of 1,000 streams

_SO_TIMESTAMPNS, _SO_RXQ_OVFL, _SO_RCVBUFFORCE = 35, 40, 33
_MSG_WAITFORONE: Final = 0x10000
_DISCOVERY: Final = struct.Struct(">HHI64sH")
_KEEP_ALIVE_BYTES: Final = 8
_RTP_TYPE: Final = 0x78  # payload type 120: Opus, as Discord numbers it


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):  # struct mmsghdr of 64-bit Linux
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("iov", ctypes.c_void_p),
        ("iov_length", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("padding", ctypes.c_int),
        ("length", ctypes.c_uint32),
    )


class Batches:
    """Buffers for `BATCH` datagrams, filled by one system call and seen by numpy without a copy."""

    def __init__(self) -> None:
        self.data = np.zeros((BATCH, DATAGRAM_BYTES), np.uint8)
        self.names = np.zeros((BATCH, NAME_BYTES), np.uint8)
        self.control = np.zeros((BATCH, CONTROL_BYTES), np.uint8)
        self._iovecs = (_Iovec * BATCH)()
        self._messages = (_Message * BATCH)()
        for index in range(BATCH):
            self._iovecs[index] = _Iovec(self.data[index].ctypes.data, DATAGRAM_BYTES)
            self._messages[index] = _Message(
                self.names[index].ctypes.data,
                NAME_BYTES,
                ctypes.addressof(self._iovecs[index]),
                1,
                self.control[index].ctypes.data,
                CONTROL_BYTES,
            )
        raw = np.frombuffer(memoryview(self._messages), np.uint8).reshape(BATCH, ctypes.sizeof(_Message))
        words = raw.view(np.uint64)
        self._control_lengths = words[:, _Message.control_length.offset // 8]
        self.lengths = raw.view(np.uint32)[:, _Message.length.offset // 4]
        self._receive = ctypes.CDLL(None, use_errno=True).recvmmsg

    def receive(self, descriptor: int) -> int:
        """Wait for datagrams; how many there are now in the rows of the arrays."""
        self._control_lengths[:] = CONTROL_BYTES
        count = self._receive(descriptor, ctypes.byref(self._messages), BATCH, _MSG_WAITFORONE, None)
        if count < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return int(count)

    def arrivals_ns(self, count: int) -> NDArray[np.int64]:
        """The kernel's receive times: the first control message holds seconds and nanoseconds."""
        times = self.control[:count].view(np.int64)
        return np.asarray(times[:, 2] * 1_000_000_000 + times[:, 3])

    def drops(self, count: int) -> int:
        """What the kernel says it has dropped so far, if a control message behind the time says so."""
        words = self.control[:count].view(np.uint32)
        told = words[words[:, 11] == _SO_RXQ_OVFL]  # type of the second control message
        return int(told[:, 12].max()) if len(told) else 0


class Record:
    """SSRC, sequence number and arrival of each packet since `begin`."""

    def __init__(self) -> None:
        self._ssrcs = np.zeros(CAPACITY, np.uint32)
        self._sequences = np.zeros(CAPACITY, np.uint16)
        self._arrivals = np.zeros(CAPACITY, np.int64)
        self.packets = 0
        self.drops = 0

    def begin(self) -> None:
        """Forget everything."""
        self.packets = 0

    def add(self, headers: NDArray[np.uint8], arrivals_ns: NDArray[np.int64]) -> None:
        """Packets by the 12 bytes of their headers (RFC 3550, 5.1)."""
        first, last = self.packets, min(self.packets + len(headers), CAPACITY)
        taken = headers[: last - first]
        self._ssrcs[first:last] = taken[:, 8:12].copy().view(">u4")[:, 0]
        self._sequences[first:last] = taken[:, 2:4].copy().view(">u2")[:, 0]
        self._arrivals[first:last] = arrivals_ns[: last - first]
        self.packets = last

    def streams(self) -> int:
        """How many SSRCs were heard."""
        return len(np.unique(self._ssrcs[: self.packets]))

    def save(self, path: str) -> None:
        """Write it all to a file."""
        count = self.packets
        np.savez(
            path,
            ssrcs=self._ssrcs[:count],
            sequences=self._sequences[:count],
            arrivals_ns=self._arrivals[:count],
            drops=np.array(self.drops),
        )


class Sink:
    """The socket, and who is who among the datagrams."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, BUFFER_BYTES)
        except OSError:  # without CAP_NET_ADMIN: as much as the system allows
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self._socket.bind(("127.0.0.1", 0))
        self._batches = Batches()
        self._record = Record()
        self._ended = False

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def run(self) -> None:
        """Until `end`."""
        while not self._ended:
            count = self._batches.receive(self._socket.fileno())
            self._take(count)
            if count < BATCH:
                time.sleep(PAUSE_S)

    def _take(self, count: int) -> None:
        batches, lengths = self._batches, self._batches.lengths[:count]
        headers = batches.data[:count, :12]
        rtp = (headers[:, 1] & 0x7F == _RTP_TYPE) & (headers[:, 0] & 0xC0 == 0x80) & (lengths > 12)
        self._record.add(headers[rtp], batches.arrivals_ns(count)[rtp])
        self._record.drops = max(self._record.drops, batches.drops(count))
        for row in np.flatnonzero(~rtp):
            self._answer(bytes(batches.data[row, : lengths[row]]), _address(batches.names[row]))

    def _answer(self, datagram: bytes, sender: tuple[str, int]) -> None:
        if len(datagram) == _DISCOVERY.size and datagram[:2] == b"\0\x01":
            ssrc = struct.unpack_from(">I", datagram, 4)[0]
            answer = _DISCOVERY.pack(2, 70, ssrc, sender[0].encode(), sender[1])
            self._socket.sendto(answer, sender)
        elif datagram.startswith(b"bench "):
            self._obey(datagram.decode().split(" ", 2)[1:], sender)
        elif len(datagram) == _KEEP_ALIVE_BYTES:
            self._socket.sendto(datagram, sender)

    def _obey(self, words: list[str], sender: tuple[str, int]) -> None:
        match words:
            case ["begin"]:
                self._record.begin()
                answer = "begun"
            case ["count"]:
                answer = str(self._record.streams())
            case ["save", path]:
                self._record.save(path)
                answer = "saved"
            case _:
                self._ended = True
                answer = "ended"
        self._socket.sendto(answer.encode(), sender)


def _address(name: NDArray[np.uint8]) -> tuple[str, int]:
    """A sockaddr_in as Python has it."""
    raw = name.tobytes()
    return socket.inet_ntoa(raw[4:8]), int.from_bytes(raw[2:4], "big")


def main() -> None:
    """Serve until told to end."""
    sink = Sink()
    print(sink.port, flush=True)
    sink.run()


if __name__ == "__main__":
    main()
