"""An empty sender: one datagram every 20 ms and nothing else; the measure of what the machine can do.

Run as `python empty_sender.py PORT`; ends when its standard input does.
"""

from __future__ import annotations

import socket
import sys
import time

import anyio

PAYLOAD = bytes(320)  # what 20 ms of Opus at 128 kbit/s amount to


async def send(port: int) -> None:
    """Send to 127.0.0.1:`port` from absolute deadlines until cancelled."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect(("127.0.0.1", port))
        due = time.monotonic()
        while True:
            sock.send(PAYLOAD)
            due += 0.020
            await anyio.sleep(max(0.0, due - time.monotonic()))


async def main(port: int) -> None:
    """Send until standard input ends."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send, port)
        await anyio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
        tasks.cancel_scope.cancel()


if __name__ == "__main__":
    anyio.run(main, int(sys.argv[1]))
