"""The bot as the demo runs it: a process of its own, told by environment variables where its Discord is."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from anyio.abc import Process

    from loopback.server import Loopback

STOP_S: Final = 5.0  # after SIGTERM; then the process is killed
_ROOT: Final = Path(__file__).resolve().parents[2]


class BotEndedError(Exception):
    """The bot's process ended by itself; the message says with which code."""


def bot_environment(
    discord: Loopback, guild_id: int, folder: Path, base: Mapping[str, str]
) -> dict[str, str]:
    """The variables that the bot is given; the user's own settings of a bot are kept out."""
    kept = {name: value for name, value in base.items() if not name.startswith(("OSTINATO_", "DISCORD_"))}
    modules = [str(_ROOT), *filter(None, [base.get("PYTHONPATH")])]
    return kept | {
        "DISCORD_TOKEN": discord.token,
        "OSTINATO_DISCORD_ADDRESS": discord.address,
        "OSTINATO_DISCORD_CA": str(discord.ca_file),
        "OSTINATO_ALLOW_PRIVATE_MEDIA": "1",
        "OSTINATO_DATA_DIR": str(folder / "data"),
        "OSTINATO_GUILD_SYNC": str(guild_id),
        "PYTHONPATH": os.pathsep.join(modules),
        "XDG_CONFIG_HOME": str(folder / "config"),
    }


def look_inside(environment: Mapping[str, str]) -> str:
    """What to type in another terminal to see the tree of the bot that was given these variables."""
    name = next(each for each in ("OSTINATO_ADMIN_SOCKET", "OSTINATO_DATA_DIR") if each in environment)
    typed = Path(sys.argv[0])
    program = os.path.relpath(typed) if typed.name == "ostinato" and typed.exists() else "ostinato"
    return f"{name}={environment[name]} {program} tree --watch"


@asynccontextmanager
async def bot_process(environment: Mapping[str, str], folder: Path) -> AsyncIterator[Process]:
    """The running bot; its log goes to bot.log in the folder. It is stopped, or killed, with the block."""
    with (folder / "bot.log").open("wb") as log:
        process = await anyio.open_process(
            [sys.executable, "-m", "bot_main", "run"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=dict(environment),
            cwd=folder,
        )
        try:
            yield process
        finally:
            with anyio.CancelScope(shield=True):
                await stop(process)


async def stop(process: Process) -> None:
    """SIGTERM, and SIGKILL if the process has not ended after STOP_S."""
    if process.returncode is None:
        process.terminate()
        with anyio.move_on_after(STOP_S):
            await process.wait()
    if process.returncode is None:
        process.kill()
    await process.aclose()


async def raise_when_ended(process: Process) -> None:
    """Waits for the process; raises BotEndedError when it is gone."""
    code = await process.wait()
    raise BotEndedError(f"the bot ended by itself with code {code}")


def last_lines(log: Path, count: int = 15) -> list[str]:
    """The last lines of the bot's log."""
    if not log.exists():
        return []
    return log.read_text("utf-8", errors="replace").splitlines()[-count:]
