"""Who plays while faults are inflicted: processes that reach the embedded Discord as any bot does."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import anyio

from loopback.demo.bot import STOP_S, bot_environment, stop
from loopback.faults.rows import LISTEN_S
from loopback.media_server import MediaServer
from loopback.music.numbered import write_numbered
from loopback.voice.protocol import VoiceSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from anyio.abc import Process

    from loopback import Guild, Loopback, ScriptedUser, VoiceChannel

ROOT = Path(__file__).resolve().parents[3]
HEARD_S = 60.0
HEARD_FRAMES = 100
MUSIC_S = 180.0
VERSIONS = VoiceSettings().versions


class Player(Protocol):
    """`playing` starts it, and begins its block when every guild hears numbered frames in its channel.

    What it yields kills a part of a guild's tree ("/player", "" = all of it), for the rows that are `ours`.
    """

    name: str
    ours: bool
    patience_s: float
    """How long the slowest fault may take until it is over, or given up."""
    versions: frozenset[str]
    """Of the voice gateway, as the server speaks them."""
    numeric_endpoint: bool
    """The voice server is named by its address, for a player that resolves names by itself."""

    def playing(
        self, discord: Loopback, channels: Mapping[Guild, VoiceChannel], folder: Path
    ) -> AbstractAsyncContextManager[Callable[[Guild, str], Awaitable[None]]]: ...


class Rival:
    """A player of `loopback.rival`; its log goes to rival.log in the folder."""

    ours = False
    patience_s = 40.0  # stock discord.py comes back after 28.5 s from some faults; after 30 s it gives up

    def __init__(
        self, name: str, kind: str, *, versions: frozenset[str] = VERSIONS, numeric_endpoint: bool = False
    ) -> None:
        self.name = name
        self.versions = versions
        self.numeric_endpoint = numeric_endpoint
        self._kind = kind

    @asynccontextmanager
    async def playing(
        self, discord: Loopback, channels: Mapping[Guild, VoiceChannel], folder: Path
    ) -> AsyncIterator[Callable[[Guild, str], Awaitable[None]]]:
        """Until the end of the block; then the process is killed, for it could need minutes to stop."""
        music = write_numbered(folder / "music.ogg", MUSIC_S)
        ids = [str(channel.id) for channel in channels.values()]
        with (folder / "rival.log").open("wb") as log:
            process = await anyio.open_process(
                [sys.executable, "-m", "loopback.rival", self._kind, str(music), *ids],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={
                    **bot_environment(discord, next(iter(channels)).id, folder, os.environ),
                    "SSL_CERT_FILE": str(discord.ca_file),
                    "PYTHONPATH": str(ROOT),
                },
            )
        try:
            await all_heard(channels)
            yield _no_parts
        finally:
            with anyio.CancelScope(shield=True):
                if process.returncode is None:
                    process.kill()
                await process.wait()


class OurPlayer:
    """The bot, asked to play a file of numbered frames, see ours.py; its log goes to ours.log."""

    name = "ostinato"
    ours = True
    patience_s = LISTEN_S
    versions = VERSIONS
    numeric_endpoint = False

    @asynccontextmanager
    async def playing(
        self, discord: Loopback, channels: Mapping[Guild, VoiceChannel], folder: Path
    ) -> AsyncIterator[Callable[[Guild, str], Awaitable[None]]]:
        """Until the end of the block; then the bot is asked to stop, and killed if it does not."""
        write_numbered(folder / "music.webm", MUSIC_S)
        environment = bot_environment(discord, next(iter(channels)).id, folder, os.environ)
        async with MediaServer(folder) as media:
            with (folder / "ours.log").open("wb") as log:
                process = await anyio.open_process(
                    [sys.executable, "-m", f"{__package__}.ours"],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    env={**environment, "OSTINATO_GUILD_SYNC": "", "PYTHONPATH": str(ROOT)},
                )
            try:
                await _ask_all(discord, channels, media.url("music.webm"))
                await all_heard(channels)
                yield partial(_kill, process)
            finally:
                with anyio.CancelScope(shield=True):
                    await _end(process)


async def _end(process: Process) -> None:
    """No more orders: it stops as on a signal."""
    if process.stdin is not None:
        await process.stdin.aclose()
    with anyio.move_on_after(STOP_S):
        await process.wait()
    await stop(process)


async def _ask_all(discord: Loopback, channels: Mapping[Guild, VoiceChannel], url: str) -> None:
    """One person asks in every guild, from its voice channel, and stays only where they were before."""
    asker = discord.add_user("asker")
    async with anyio.create_task_group() as tasks:
        for guild, channel in channels.items():
            guild.add_member(asker)
            tasks.start_soon(_ask, asker, guild, channel, url)


async def _ask(asker: ScriptedUser, guild: Guild, channel: VoiceChannel, url: str) -> None:
    text = guild.add_text_channel("general")
    await asker.wait_command(text, "play", HEARD_S)
    await asker.join(channel)
    await asker.slash(text, "play", query=url)
    await guild.listener.wait_frames(1, HEARD_S)
    await asker.leave(guild)


async def _kill(process: Process, guild: Guild, part: str) -> None:
    if process.stdin is not None:
        await process.stdin.send(f"guilds/{guild.id}{part}\n".encode())


async def all_heard(channels: Mapping[Guild, VoiceChannel]) -> None:
    """Until each guild has heard two seconds. Raises TimeoutError."""
    for guild in channels:
        await guild.listener.wait_frames(HEARD_FRAMES, HEARD_S)


async def _no_parts(_guild: Guild, part: str) -> None:
    raise ValueError(f"a rival has no part {part!r} to kill")


PLAYERS: Final[Mapping[str, Player]] = {
    "ostinato": OurPlayer(),
    "stock": Rival("stock discord.py", "stock"),
    # Its engine speaks version 4, and asks the system where a host is.
    "songbird": Rival("songbird", "songbird", versions=VERSIONS | {"4"}, numeric_endpoint=True),
}
"""By what they are called on the command line."""
