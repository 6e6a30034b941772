"""How often a session beats: often while music plays in few guilds, else seldom. In virtual time."""

from __future__ import annotations

import time
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest

from actors.voice.gateway import GatewayClosed, Message, Op
from actors.voice.rhythm import Rhythm
from actors.voice.rtp import AES_GCM, Packetizer
from actors.voice.session import ACK_S, BEATS_PER_S, KEYS_BEAT_S, PLAYING_BEAT_S, Session
from supervision.testing import virtual_backend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from actors.voice.gateway import VoiceGateway

pytestmark = pytest.mark.anyio

SERVER_S, PLAYING_S = 13.75, PLAYING_BEAT_S


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_backend("asyncio")


class Beats:
    """A voice gateway that notes when it was told what, and acknowledges heartbeats at once or never."""

    beat_interval_s = SERVER_S

    def __init__(self) -> None:
        self.at: list[float] = []
        self.said: list[bool] = []
        self.news = anyio.Event()
        self.acknowledges = True
        self.last_ack = time.monotonic()
        self.ended_at: float | None = None
        self._owed_since: float | None = None
        self._began = anyio.current_time()

    @property
    def now(self) -> float:
        return round(anyio.current_time() - self._began, 3)

    async def beat(self) -> None:
        self.at.append(self.now)
        self._owed_since = None if self.acknowledges else self.now

    @property
    def unanswered_s(self) -> float | None:
        return None if self._owed_since is None else self.now - self._owed_since

    def check_answer(self, within_s: float) -> None:
        if (self.unanswered_s or 0.0) >= within_s:
            self.ended_at = self.now
            raise GatewayClosed(1006, "the heartbeat was not acknowledged")

    async def speaking(self, flag: bool, _ssrc: int) -> None:
        self.said.append(flag)

    def forgive(self) -> None:
        pass

    async def receive(self) -> Message:
        await self.news.wait()
        self.news = anyio.Event()
        return Message(Op.READY, None)


@pytest.fixture
def playing() -> list[int]:
    """How many sessions play in the process; a test may change it."""
    return [1]


@pytest.fixture
async def served(playing: list[int]) -> AsyncIterator[tuple[Session, Beats]]:
    pulse = SimpleNamespace(keep_open=lambda: None)
    udp = cast("Any", SimpleNamespace(send=len, pulse=pulse))
    dave = cast("Any", SimpleNamespace(version=0, holding=False, receive=lambda _op, _data: []))
    session = Session(cast("Any", None), udp, Packetizer(AES_GCM, bytes(32), 1), dave)
    beats = Beats()
    gateway = cast("VoiceGateway", beats)

    async def serve() -> None:
        with suppress(GatewayClosed):
            await session.serve(gateway, Rhythm(lambda: playing[0]))

    async def look_after() -> None:
        """As the links do."""
        while True:
            await anyio.sleep(1.0)
            session.look_after(gateway)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        tasks.start_soon(look_after)
        yield session, beats
        tasks.cancel_scope.cancel()


async def test_an_idle_session_beats_as_seldom_as_the_server_asks(served: tuple[Session, Beats]) -> None:
    _, beats = served
    await anyio.sleep(3 * SERVER_S + 1)
    assert beats.at == [0.0, SERVER_S, 2 * SERVER_S, 3 * SERVER_S]


async def test_while_keys_are_awaited_it_beats_often(served: tuple[Session, Beats]) -> None:
    session, beats = served
    await anyio.sleep(1.0)
    dave = cast("Any", session.dave)
    dave.holding = True
    beats.news.set()
    await anyio.sleep(1.0)
    assert beats.at == [0.0, 1.0, round(1.0 + KEYS_BEAT_S, 3)]
    dave.holding = False
    await anyio.sleep(SERVER_S)
    assert beats.at[3:] == [round(beats.at[2] + SERVER_S, 3)]


async def test_music_brings_a_beat_at_once_if_the_last_is_long_past(served: tuple[Session, Beats]) -> None:
    session, beats = served
    await anyio.sleep(PLAYING_S + 1)
    session.transport.speaking(True)
    await anyio.sleep(PLAYING_S + 1)
    assert beats.at == [0.0, PLAYING_S + 1, 2 * PLAYING_S + 1]
    assert beats.said == [True]


async def test_music_that_begins_beside_a_beat_adds_none(served: tuple[Session, Beats]) -> None:
    session, beats = served
    await anyio.sleep(0.01)
    session.transport.speaking(True)
    await anyio.sleep(PLAYING_S + 0.5)
    assert beats.at == [0.0, PLAYING_S]
    session.transport.speaking(False)
    await anyio.sleep(PLAYING_S + SERVER_S)
    assert beats.at == [0.0, PLAYING_S, PLAYING_S + SERVER_S]
    assert beats.said == [True, False]


async def test_many_that_play_share_so_many_beats_a_second_and_none_goes_beyond_the_servers_interval(
    served: tuple[Session, Beats], playing: list[int]
) -> None:
    session, beats = served
    session.transport.speaking(True)
    playing[0] = round(8 * BEATS_PER_S)
    await anyio.sleep(16.5)
    assert beats.at == [0.0, 8.0, 16.0]
    playing[0] = round(1000 * BEATS_PER_S)
    await anyio.sleep(SERVER_S)
    assert beats.at == [0.0, 8.0, 16.0, 16.0 + SERVER_S]


async def test_an_overdue_acknowledgement_ends_the_websocket_before_the_next_heartbeat(
    served: tuple[Session, Beats],
) -> None:
    _, beats = served
    beats.acknowledges = False
    await anyio.sleep(SERVER_S + ACK_S + 1.5)
    assert beats.at == [0.0, SERVER_S]
    assert beats.ended_at is not None
    assert SERVER_S + ACK_S <= beats.ended_at <= SERVER_S + ACK_S + 1


async def test_who_comes_is_a_reason_to_ask_at_once_unless_the_server_has_just_answered(
    served: tuple[Session, Beats],
) -> None:
    session, beats = served
    gateway = cast("VoiceGateway", beats)
    await anyio.sleep(1.0)
    session.ask_after(gateway)
    await anyio.sleep(1.0)
    assert beats.at == [0.0]
    beats.last_ack -= 5.0
    session.ask_after(gateway)
    await anyio.sleep(SERVER_S + 1)
    assert beats.at == [0.0, 2.0, 2.0 + SERVER_S]
    beats.acknowledges = False
    for _ in range(5):  # more who come are no reason to ask again before the answer
        session.ask_after(gateway)
        await anyio.sleep(0.5)
    assert beats.at == [0.0, 2.0, 2.0 + SERVER_S, 3.0 + SERVER_S]
