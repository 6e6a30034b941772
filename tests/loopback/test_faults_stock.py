"""Faults as stock discord.py meets them, side by side in one client: each does what its name says.

Those that it does not survive are left to `make bench-faults`: it needs half a minute to give up.
"""

from __future__ import annotations

import asyncio
import itertools
import warnings
from typing import TYPE_CHECKING

import anyio
import pytest

from loopback import Loopback, LoopbackSettings
from loopback.faults import FaultKind
from loopback.listening.places import by_number, numbered
from loopback.listening.since import GapReport, heard_since
from tests.loopback.test_stock_voice import join, logged_in

with warnings.catch_warnings():
    # discord.py 2.7 imports the standard library's audioop, which Python 3.13 leaves out.
    warnings.filterwarnings("ignore", message="'audioop' is deprecated", category=DeprecationWarning)
    import discord

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback import Guild
    from loopback.faults import GuildFaults

pytestmark = pytest.mark.anyio

HOLE_S = 0.6
LISTEN_S = 1.5
LATENCY_MS = 25.0
UDP_LATENCY_MS = 5.0
"""discord.py listens for the answer of IP discovery a moment after it has asked: too late without any."""


class Numbered(discord.AudioSource):
    """Numbered frames for ever."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def is_opus(self) -> bool:
        return True

    def read(self) -> bytes:
        return numbered(next(self._numbers))


FAULTS: dict[str, Callable[[GuildFaults], object]] = {
    "nothing": lambda faults: None,
    "4014, new server": lambda faults: faults.place.move_server(code=4014),
    "moved": lambda faults: faults.place.move(),
    "hole": lambda faults: faults.udp.hole(HOLE_S),
    "speak lost": lambda faults: faults.place.lose_permission("speak"),
}


async def test_the_faults_side_by_side() -> None:
    async with Loopback(LoopbackSettings(gateway_latency_ms=LATENCY_MS)) as loopback:
        loopback.faults.everywhere.udp.delay(UDP_LATENCY_MS)
        guilds = {name: loopback.add_guild(name) for name in FAULTS}
        heard: dict[str, GapReport] = {}
        async with logged_in(loopback) as client:
            clients = [await play(client, guild) for guild in guilds.values()]
            marks = {name: guild.listener.mark() for name, guild in guilds.items()}
            for name, inflict in FAULTS.items():
                inflict(loopback.faults.of(guilds[name]))
            await anyio.sleep(LISTEN_S)
            for name, guild in guilds.items():
                holes = loopback.faults.log.of(guild.id, FaultKind.UDP_HOLE)
                heard[name] = heard_since(guild.listener, marks[name], places=by_number, holes=holes)
            await asyncio.gather(*(voice.disconnect(force=True) for voice in clients))

    assert heard["nothing"].whole
    assert heard["nothing"].contiguous
    for name in ("4014, new server", "moved"):
        assert heard[name].sessions == 2
        assert heard[name].open_ms < 1000
    assert abs(heard["hole"].lost - HOLE_S * 50) <= 5
    assert heard["hole"].longest_gap_ms > HOLE_S * 1000 > heard["hole"].beyond_ms
    assert heard["speak lost"].open_ms > LISTEN_S * 1000 * 0.7
    assert guilds["speak lost"].listener.hushed > LISTEN_S * 50 * 0.5


async def play(client: discord.Client, guild: Guild) -> discord.VoiceClient:
    """Join the first of two channels and play; returns when it is heard."""
    channel = guild.add_voice_channel("Music")
    guild.add_voice_channel("Other")
    with anyio.fail_after(5):
        while client.get_channel(channel.id) is None:  # noqa: ASYNC110 - discord.py's cache has no event
            await anyio.sleep(0.005)
    voice = await join(client, guild, channel.id)
    voice.play(Numbered())
    await guild.listener.wait_frames(10, timeout_s=10)
    return voice
