"""The UDP socket of a session against a bare server socket."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import anyio
import pytest

from actors.voice import VoiceError
from actors.voice.udp import VoiceSocket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.anyio

DISCOVERY = struct.Struct(">HHI64sH")


class Server:
    """A socket that the test answers by hand."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(("127.0.0.1", 0))
        self.address: tuple[str, int] = self.socket.getsockname()

    async def receive(self) -> tuple[bytes, tuple[str, int]]:
        with anyio.fail_after(5):
            await anyio.wait_readable(self.socket)
        return self.socket.recvfrom(2048)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.socket.close()


@pytest.fixture
async def client(server: Server) -> Iterator[VoiceSocket]:  # type: ignore[misc]  # an async fixture
    made = VoiceSocket(*server.address)
    yield made
    made.close()


async def test_discovery_is_asked_again_when_an_answer_is_lost(server: Server, client: VoiceSocket) -> None:
    async def answer() -> None:
        request, _ = await server.receive()  # lost
        request, sender = await server.receive()
        assert DISCOVERY.unpack(request) == (1, 70, 7, bytes(64), 0)
        server.socket.sendto(b"noise", sender)
        server.socket.sendto(DISCOVERY.pack(2, 70, 7, b"203.0.113.9", 50001), sender)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(answer)
        meanwhile: list[int] = []
        assert await client.discover(7, meanwhile=lambda: meanwhile.append(1)) == ("203.0.113.9", 50001)
        assert meanwhile == [1]


async def test_a_server_that_never_answers_is_given_up(
    client: VoiceSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.voice.udp._DISCOVERY_PAUSES_S", (0.01, 0.01))
    with pytest.raises(VoiceError, match="does not answer"):
        await client.discover(7)


async def test_a_closed_port_is_no_exception_to_the_sender(server: Server) -> None:
    server.socket.close()
    client = VoiceSocket(*server.address)
    for _ in range(3):
        client.pulse.beat()
        await anyio.sleep(0.01)
    client.close()
    client.close()


async def test_an_echoed_keep_alive_is_timed(server: Server, client: VoiceSocket) -> None:
    client.pulse.beat()
    beat, sender = await server.receive()
    server.socket.sendto(beat, sender)
    await until(lambda: client.pulse.round_trip_ms is not None)
    assert client.received == 1


async def until(fact: Callable[[], bool]) -> None:
    with anyio.fail_after(5):
        while not fact():  # noqa: ASYNC110  (a callback of the loop brings it about)
            await anyio.sleep(0.001)
