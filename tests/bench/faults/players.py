"""Who plays while faults are inflicted: processes that reach the embedded Discord as any bot does."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from loopback import Guild, Loopback, VoiceChannel

ROOT = Path(__file__).resolve().parents[3]
HEARD_S = 60.0
HEARD_FRAMES = 100


class Player(Protocol):
    """`playing` starts it, and begins its block when every guild hears numbered frames in its channel.

    What it yields kills a part of a guild's tree ("/player", "" = all of it), for the rows that are `ours`.
    """

    name: str
    ours: bool

    def playing(
        self, discord: Loopback, channels: Mapping[Guild, VoiceChannel], folder: Path
    ) -> AbstractAsyncContextManager[Callable[[Guild, str], Awaitable[None]]]: ...


class StockPlayer:
    """discord.py as it comes, see stock.py; its log goes to stock.log in the folder."""

    name = "stock discord.py"
    ours = False

    @asynccontextmanager
    async def playing(
        self, discord: Loopback, channels: Mapping[Guild, VoiceChannel], folder: Path
    ) -> AsyncIterator[Callable[[Guild, str], Awaitable[None]]]:
        """Until the end of the block; then the process is killed, for it could need minutes to stop."""
        ids = [str(channel.id) for channel in channels.values()]
        with (folder / "stock.log").open("wb") as log:
            process = await anyio.open_process(
                [sys.executable, "-m", f"{__package__}.stock", discord.address, str(discord.ca_file), *ids],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "DISCORD_TOKEN": discord.token, "PYTHONPATH": str(ROOT)},
            )
        try:
            await all_heard(channels)
            yield _no_parts
        finally:
            with anyio.CancelScope(shield=True):
                if process.returncode is None:
                    process.kill()
                await process.wait()


async def all_heard(channels: Mapping[Guild, VoiceChannel]) -> None:
    """Until each guild has heard two seconds. Raises TimeoutError."""
    for guild in channels:
        await guild.listener.wait_frames(HEARD_FRAMES, HEARD_S)


async def _no_parts(_guild: Guild, part: str) -> None:
    raise ValueError(f"stock discord.py has no part {part!r} to kill")
