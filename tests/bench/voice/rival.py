"""The rivals of the voice bench: plain discord.py players that join every guild and play for ever.

Run as `python -m tests.bench.voice.rival stock|songbird`, with the bot's own variables for the embedded
Discord and BENCH_FRAMES (`stock`: Opus frames from memory, its cheapest source) or BENCH_OGG (`songbird`: the
Rust engine, which takes an Ogg/Opus stream).
"""

from __future__ import annotations

import asyncio
import io
import logging
import os
import socket
import ssl
import sys
from importlib import import_module
from itertools import cycle
from typing import Any

import aiohttp
import aiohttp.abc
import discord

from tests.bench.voice.track import read_frames

JOINS_AT_ONCE = 4
CONNECT_S = 8.0
ATTEMPTS = 5  # a join of stock discord.py hangs now and then: Discord's answer met it before it was waiting
PLAYS = os.environ["BENCH_PLAYS"] == "1"

log = logging.getLogger("discord.bench")


class OneAddress(aiohttp.abc.AbstractResolver):
    """Every host is the embedded Discord."""

    def __init__(self, address: str) -> None:
        host, _, port = address.partition(":")
        self._host, self._port = host, int(port)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        """The one address."""
        return [
            {
                "hostname": host,
                "host": self._host,
                "port": self._port,
                "family": socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
        ]

    async def close(self) -> None:
        """Nothing is open."""


class Memory(discord.AudioSource):
    """The frames of the pattern, again and again, already encoded."""

    def __init__(self, frames: list[bytes]) -> None:
        self._frames = cycle(frames)

    def read(self) -> bytes:
        """The next 20 ms."""
        return next(self._frames)

    def is_opus(self) -> bool:
        """They need no encoder."""
        return True


async def play_stock(channel: discord.VoiceChannel, frames: list[bytes]) -> None:
    """Join and play, as discord.py's own guide has it."""
    client: discord.VoiceClient = await channel.connect(timeout=CONNECT_S)
    if PLAYS:
        client.play(Memory(frames))


async def play_songbird(channel: discord.VoiceChannel, ogg: bytes) -> None:
    """Join and play, as the engine's own guide has it."""
    songbird = import_module("discord.ext.songbird")  # of the bench only
    client: Any = await channel.connect(cls=songbird.SongbirdClient, timeout=CONNECT_S)
    if PLAYS:
        await client.queue.enqueue(songbird.Track(songbird.RawBufferSource(io.BytesIO(ogg))))


class Player(discord.AutoShardedClient):
    """Joins the first voice channel of each guild once it is ready."""

    def __init__(self, kind: str) -> None:
        connector = aiohttp.TCPConnector(
            limit=0,
            resolver=OneAddress(os.environ["OSTINATO_DISCORD_ADDRESS"]),
            ssl=ssl.create_default_context(cafile=os.environ["OSTINATO_DISCORD_CA"]),
        )
        intents = discord.Intents(guilds=True, voice_states=True)
        super().__init__(intents=intents, connector=connector, guild_ready_timeout=0.3)
        self._kind = kind
        self._joining = asyncio.Semaphore(JOINS_AT_ONCE)
        self._frames = read_frames(os.environ["BENCH_FRAMES"])
        with open(os.environ["BENCH_OGG"], "rb") as file:  # noqa: PTH123 - before anything runs
            self._ogg = file.read()
        self._joined: asyncio.Future[list[None]] | None = None

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """All shards at once: the embedded Discord allows it, and the start is not measured."""

    async def on_ready(self) -> None:
        """Say so, and begin when told to: memory is measured before and after."""
        if self._joined is None:
            print("ready", flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            self._joined = asyncio.gather(*(self._join(guild) for guild in self.guilds))
            await self._joined

    async def _join(self, guild: discord.Guild) -> None:
        async with self._joining:
            for attempt in range(ATTEMPTS):
                try:
                    await self._play(guild.voice_channels[0])
                except Exception:
                    log.exception("attempt %d to join %s", attempt + 1, guild)
                    await asyncio.sleep(1.0)
                else:
                    return

    async def _play(self, channel: discord.VoiceChannel) -> None:
        if self._kind == "stock":
            await play_stock(channel, self._frames)
        else:
            await play_songbird(channel, self._ogg)


async def main(kind: str) -> None:
    """Until the process is ended."""
    discord.utils.setup_logging(level=logging.WARNING, root=False)
    async with Player(kind) as player:
        await player.start(os.environ["DISCORD_TOKEN"])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
