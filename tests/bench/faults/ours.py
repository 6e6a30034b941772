"""The bot as a player, in a process of its own, of which parts can be killed.

`python -m tests.bench.faults.ours` runs the bot with the settings of the environment until its standard input
ends; each line of that is the path of a part of its tree that is killed.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import anyio

from actors.app import open_bot
from actors.promptness import be_prompt
from actors.settings import load_settings
from actors.sweeping import come_up, quiet_start
from actors.tls import slim_tls

if TYPE_CHECKING:
    from actors.app import OpenBot


async def obey(bot: OpenBot) -> None:
    """Kill what is named, until there is no more."""
    async for path in anyio.wrap_file(sys.stdin):
        await bot.system.kill(path.strip())


async def main() -> None:
    """Run as `ostinato run` does, until there are no more orders."""
    be_prompt()
    slim_tls()
    with quiet_start():
        async with open_bot(load_settings()) as bot:
            come_up()
            await obey(bot)


if __name__ == "__main__":
    anyio.run(main)
