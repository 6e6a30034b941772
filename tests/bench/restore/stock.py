"""Plain discord.py with its defaults, for comparison: joins a voice channel when it is ready, and plays.

`python -m tests.bench.restore.stock`, told by the bot's own variables where Discord is.
"""

from __future__ import annotations

import asyncio
import os

import discord

from loopback.rival import Numbered, connector


class Client(discord.Client):
    """Begins as soon as discord.py says that it is ready: two seconds after the last guild came."""

    def __init__(self) -> None:
        super().__init__(intents=discord.Intents.default(), connector=connector())

    async def on_ready(self) -> None:
        """Join and play, as discord.py's own guide has it."""
        voice: discord.VoiceClient = await self.guilds[0].voice_channels[0].connect()
        voice.play(Numbered())


async def main() -> None:
    """Until the process is ended."""
    await Client().start(os.environ["DISCORD_TOKEN"])


if __name__ == "__main__":
    asyncio.run(main())
