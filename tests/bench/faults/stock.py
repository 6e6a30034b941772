"""Stock discord.py as a player, in a process of its own: the baseline of the table of faults.

`python -m tests.bench.faults.stock HOST:PORT CA CHANNEL...` with the token in DISCORD_TOKEN joins these voice
channels with discord.py's own voice client and plays numbered frames in each of them until it is ended. What
fails is discord.py's affair: nothing is tried again that it does not try itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import ssl
import sys
import warnings
from typing import TYPE_CHECKING

import aiohttp

from loopback.listening.places import numbered
from loopback.resolver import EverythingHere

with warnings.catch_warnings():
    # discord.py 2.7 imports the standard library's audioop, which Python 3.13 leaves out.
    warnings.filterwarnings("ignore", message="'audioop' is deprecated", category=DeprecationWarning)
    import discord

if TYPE_CHECKING:
    from collections.abc import Sequence

JOIN_S = 30.0
JOINS_AT_ONCE = 10


class Numbered(discord.AudioSource):
    """Numbered frames for ever; a frame that is drawn and not sent is lost."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def is_opus(self) -> bool:
        return True

    def read(self) -> bytes:
        return numbered(next(self._numbers))


class Stock(discord.Client):
    """Plays in these channels as soon as it knows them."""

    def __init__(self, channels: Sequence[int], connector: aiohttp.BaseConnector) -> None:
        super().__init__(intents=discord.Intents.default(), connector=connector, guild_ready_timeout=0.5)
        self._channels = channels
        self._started = False

    async def on_ready(self) -> None:
        if self._started:
            return  # a new session after op 9
        self._started = True
        turn = asyncio.Semaphore(JOINS_AT_ONCE)
        await asyncio.gather(*(self._play(channel_id, turn) for channel_id in self._channels))

    async def _play(self, channel_id: int, turn: asyncio.Semaphore) -> None:
        channel = self.get_channel(channel_id)
        if not isinstance(channel, discord.VoiceChannel):
            raise TypeError(f"{channel_id} is no voice channel: {channel!r}")
        async with turn:
            voice: discord.VoiceClient = await channel.connect(timeout=JOIN_S)
        voice.play(Numbered())


def connector(address: str, ca_file: str) -> aiohttp.TCPConnector:
    """Every host of Discord is at the address, and has a certificate of that authority."""
    host, port = address.rsplit(":", 1)
    context = ssl.create_default_context(cafile=ca_file)
    return aiohttp.TCPConnector(limit=0, resolver=EverythingHere(host, int(port)), ssl=context)


async def main(address: str, ca_file: str, *channels: str) -> None:
    """Play until the process is ended."""
    discord.utils.setup_logging(root=True)
    client = Stock([int(one) for one in channels], connector(address, ca_file))
    await client.start(os.environ["DISCORD_TOKEN"])


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:]))
