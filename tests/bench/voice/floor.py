"""The floor of the voice bench: one event loop that seals and sends N streams, and no bot around it.

Run as `python -m tests.bench.voice.floor PORT N`. Twenty slots of 1 ms, one connected socket a stream, each
packet sealed with AES-256-GCM: what any sender in one Python process has to do, and nothing else.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
import time
from itertools import count

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.bench.voice.track import read_frames

SLOTS = 20
_HEADER = struct.Struct(">BBHII")
_COUNTER = struct.Struct(">I")


class Sender:
    """One stream."""

    def __init__(self, port: int, ssrc: int, frames: list[bytes]) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.connect(("127.0.0.1", port))
        self._socket, self._ssrc, self._frames = sock, ssrc, frames
        self._seal = AESGCM(bytes(32)).encrypt
        self._sent = 0

    def send(self) -> None:
        """The next frame."""
        sent = self._sent
        self._sent = sent + 1
        header = _HEADER.pack(0x80, 0x78, sent & 0xFFFF, (sent * 960) & 0xFFFFFFFF, self._ssrc)
        nonce = _COUNTER.pack(sent)
        frame = self._frames[sent % len(self._frames)]
        self._socket.send(header + self._seal(nonce + bytes(8), frame, header) + nonce)


async def main(port: int, streams: int) -> None:
    """Send until the process is ended."""
    frames = read_frames(os.environ["BENCH_FRAMES"])
    senders = [Sender(port, 1 + number, frames) for number in range(streams)]
    slots = [(slot, senders[slot::SLOTS]) for slot in range(min(SLOTS, streams))]
    origin = time.monotonic()
    for cycle in count():
        for slot, group in slots:
            await asyncio.sleep(max(0.0, origin + cycle * 0.020 + slot * 0.001 - time.monotonic()))
            for sender in group:
                sender.send()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
