"""A plain discord.py player as a process, to suffer what the bot suffers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import anyio

from loopback.demo.bot import bot_environment
from loopback.music.numbered import write_numbered

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anyio.abc import Process

    from loopback import Loopback, VoiceChannel

_GONE_S: Final = 60.0


@dataclass(eq=False)
class StockProcess:
    """discord.py's own voice client in every channel, see :mod:`loopback.rival`; its music has no end.

    A new process begins its music anew: it remembers nothing.
    """

    discord: Loopback
    folder: Path
    log: Path
    channels: Sequence[VoiceChannel]
    life: int = 0
    process: Process | None = field(default=None)

    @property
    def pid(self) -> int:
        """Of the process; 0 if there is none."""
        return 0 if self.process is None else self.process.pid

    async def start(self) -> None:
        """Begin a life."""
        ogg = write_numbered(self.folder / "music.ogg", 1.0)  # it wants a file, which it does not play
        environment = bot_environment(self.discord, self.discord.guilds[0].id, self.folder, os.environ)
        ids = [str(channel.id) for channel in self.channels]
        with self.log.open("ab" if self.life else "wb") as log:
            self.process = await anyio.open_process(
                [sys.executable, "-m", "loopback.rival", "stock", str(ogg), *ids],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
            )
        self.life += 1

    async def kill(self) -> None:
        """SIGKILL; when this returns, Discord has noticed. It could need minutes to stop in order."""
        process, self.process = self.process, None
        if process is None:
            return
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
            await process.aclose()
            with anyio.move_on_after(_GONE_S):
                while self.discord.sessions:  # noqa: ASYNC110 - a fact of another process
                    await anyio.sleep(0.005)
