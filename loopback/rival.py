"""Other players to compare the bot with: discord.py with a voice client of others, in a process of its own.

`python -m loopback.rival stock|songbird FILE CHANNEL...`, told by the bot's own variables where
Discord is, joins these voice channels and plays numbered frames in each of them until it is ended: `stock`
with discord.py's own client, `songbird` with the Rust engine, which takes them from the Ogg/Opus file. What
fails is their affair: nothing is tried again that they do not try themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import os
import ssl
import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

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


async def play_stock(channel: discord.VoiceChannel, _ogg: bytes) -> None:
    """Join and play with discord.py's own client."""
    voice: discord.VoiceClient = await channel.connect(timeout=JOIN_S)
    voice.play(Numbered())


async def play_songbird(channel: discord.VoiceChannel, ogg: bytes) -> None:
    """Join and play with the Rust engine."""
    songbird = import_module("discord.ext.songbird")  # of the benches only
    voice: Any = await channel.connect(cls=songbird.SongbirdClient, timeout=JOIN_S)
    await voice.queue.enqueue(songbird.Track(songbird.RawBufferSource(io.BytesIO(ogg))))


KINDS = {"stock": play_stock, "songbird": play_songbird}


class Client(discord.Client):
    """Plays in these channels as soon as it knows them."""

    def __init__(self, kind: str, ogg: bytes, channels: Sequence[int]) -> None:
        super().__init__(intents=discord.Intents.default(), connector=connector(), guild_ready_timeout=0.5)
        self._play = KINDS[kind]
        self._ogg = ogg
        self._channels = channels
        self._started = False

    async def on_ready(self) -> None:
        if self._started:
            return  # a new session after op 9
        self._started = True
        turn = asyncio.Semaphore(JOINS_AT_ONCE)
        await asyncio.gather(*(self._begin(channel_id, turn) for channel_id in self._channels))

    async def _begin(self, channel_id: int, turn: asyncio.Semaphore) -> None:
        channel = self.get_channel(channel_id)
        if not isinstance(channel, discord.VoiceChannel):
            raise TypeError(f"{channel_id} is no voice channel: {channel!r}")
        async with turn:
            await self._play(channel, self._ogg)


def connector() -> aiohttp.TCPConnector:
    """Every host of Discord is at the address, and has a certificate of that authority."""
    host, port = os.environ["OSTINATO_DISCORD_ADDRESS"].rsplit(":", 1)
    context = ssl.create_default_context(cafile=os.environ["OSTINATO_DISCORD_CA"])
    return aiohttp.TCPConnector(limit=0, resolver=EverythingHere(host, int(port)), ssl=context)


async def main(kind: str, ogg: bytes, *channels: str) -> None:
    """Play until the process is ended."""
    discord.utils.setup_logging(root=True)
    await Client(kind, ogg, [int(one) for one in channels]).start(os.environ["DISCORD_TOKEN"])


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1], Path(sys.argv[2]).read_bytes(), *sys.argv[3:]))
