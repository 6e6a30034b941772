"""The bot as a process that is killed again and again, and the embedded Discord that outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import anyio

from loopback import Loopback
from loopback.demo.bot import bot_environment
from loopback.media_server import MediaServer
from loopback.music.files import write_music
from loopback.music.pieces import PIECES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from anyio.abc import Process

    from loopback import Guild, TextChannel, VoiceChannel
    from loopback.world.user import ScriptedUser

MUSIC: Final = "music.webm"
READY_S: Final = 60.0
IN_FLIGHT_S: Final = 0.05
"""After the kill: what had left the process reaches the embedded Discord."""


@dataclass(eq=False)
class Place:
    """A guild with somebody who listens in its voice channel."""

    guild: Guild
    text: TextChannel
    voice: VoiceChannel
    user: ScriptedUser


@dataclass(eq=False)
class House:
    """Discord, the media, the places, and one bot at a time."""

    discord: Loopback
    media: MediaServer
    folder: Path
    seconds: float
    places: list[Place] = field(default_factory=list)
    process: Process | None = None
    started_ns: int = 0

    @property
    def data(self) -> Path:
        """The bot's folder."""
        return self.folder / "data"

    def url(self, number: int) -> str:
        """The same music under another address."""
        return f"{self.media.url(MUSIC)}?n={number}"

    async def add_place(self, name: str) -> Place:
        """One more guild; its listener sits in the voice channel."""
        guild = self.discord.add_guild(name)
        user = self.discord.add_user(f"listener of {name}")
        guild.add_member(user)
        place = Place(guild, guild.add_text_channel("general"), guild.add_voice_channel("Music"), user)
        await user.join(place.voice)
        self.places.append(place)
        return place

    async def start(self) -> None:
        """Begin a life of the bot; its log goes on in the same file."""
        environment = bot_environment(self.discord, self.places[0].guild.id, self.folder, os.environ)
        environment |= {"OSTINATO_GUILD_SYNC": "", "OSTINATO_LOG_FORMAT": "json"}
        with (self.folder / "bot.log").open("ab") as log:
            self.started_ns = time.time_ns()
            self.process = await anyio.open_process(
                [sys.executable, "-m", "bot_main", "run"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self.folder,
            )

    async def until_ready(self) -> None:
        """The bot can be asked: it is connected, and its commands are known."""
        await self.discord.wait_bot(READY_S)
        place = self.places[0]
        await place.user.wait_command(place.text, "play", READY_S)

    async def kill(self) -> None:
        """SIGKILL, and wait until all that had left has arrived."""
        await self.end(signal.SIGKILL)

    async def end(self, how: signal.Signals) -> None:
        """That signal, and wait until all that had left has arrived."""
        process, self.process = self.process, None
        if process is None:
            return
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.send_signal(how)
            await process.wait()
            await process.aclose()
            await anyio.sleep(IN_FLIGHT_S)
            await self._until_gone()

    async def _until_gone(self) -> None:
        """Discord has noticed too, so that the next life is not taken for this one."""
        with anyio.fail_after(READY_S):
            while self.discord.sessions:  # noqa: ASYNC110 - a fact of another process
                await anyio.sleep(0.005)

    def log_lines(self, words: str) -> list[str]:
        """Lines of the bot's log, of all its lives, that hold these words."""
        file = self.folder / "bot.log"
        text = file.read_text("utf-8", "replace") if file.exists() else ""
        return [line for line in text.splitlines() if words in line]


@asynccontextmanager
async def open_house(folder: Path, seconds: float) -> AsyncIterator[House]:
    """:param seconds: of music in the one track that there is; it says at any time which second it is"""
    music = folder / "media"
    music.mkdir()
    await anyio.to_thread.run_sync(write_music, music / MUSIC, PIECES[0], seconds)
    async with Loopback() as discord, MediaServer(music) as media:
        house = House(discord, media, folder, seconds)
        try:
            yield house
        finally:
            await house.kill()
