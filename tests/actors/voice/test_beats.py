"""How often a session beats: often while music plays in few guilds, else seldom. In virtual time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest

from actors.voice.gateway import Message, Op
from actors.voice.rhythm import Rhythm
from actors.voice.rtp import AES_GCM, Packetizer
from actors.voice.session import BEATS_PER_S, KEYS_BEAT_S, PLAYING_BEAT_S, Session
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
    """A voice gateway that notes when it was told what."""

    beat_interval_s = SERVER_S

    def __init__(self) -> None:
        self.at: list[float] = []
        self.said: list[bool] = []
        self.news = anyio.Event()
        self._began = anyio.current_time()

    async def beat(self) -> None:
        self.at.append(round(anyio.current_time() - self._began, 3))

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
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(session.serve, cast("VoiceGateway", beats), Rhythm(lambda: playing[0]))
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
