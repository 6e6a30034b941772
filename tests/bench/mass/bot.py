"""The bot's voice in many guilds, as a process: `python -m tests.bench.mass.bot CHANNEL[:play] ...`.

Clock, links and discord.py as in the bot, told by the environment where Discord is; no actors, so that
numbered frames can be sent without tracks being made. Only some channels hear any: it is the voice sessions
that count, and the embedded Discord shares the machine.
"""

from __future__ import annotations

import itertools
import sys
from functools import partial
from typing import TYPE_CHECKING, Final, cast

import anyio
import discord

from actors.network import make_connector
from actors.promptness import be_prompt
from actors.settings import load_settings
from actors.voice import Clock, Links, VoiceError
from loopback.listening.places import numbered
from supervision import run_foreign

if TYPE_CHECKING:
    from actors.settings import Settings

LOOK_AGAIN_S: Final = 0.05
TIMEOUT_S: Final = 200.0
"""For a join: there may be no room for it under the send limit for some minutes."""


class Numbered:
    """Numbered frames for ever."""

    ended = False

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def next_frame(self) -> bytes | None:
        return numbered(next(self._numbers))


class House:
    """What a bot's voice consists of."""

    def __init__(self, settings: Settings) -> None:
        wanted = discord.Intents.none()
        wanted.guilds = wanted.voice_states = True
        self.client = discord.AutoShardedClient(
            intents=wanted, connector=make_connector(settings), chunk_guilds_at_startup=False
        )
        self.clock = Clock()
        self.links = Links(self.clock, lambda: make_connector(settings), client=lambda: self.client)

    async def join(self, channel_id: int, *, play: bool) -> None:
        """Be in the channel, and send if it is to."""
        channel = cast("discord.VoiceChannel", self.client.get_channel(channel_id))
        try:
            await self.links.connect(channel, on_event=lambda _event: None, timeout_s=TIMEOUT_S)
        except VoiceError as error:
            print(channel.guild, error)
            raise
        if play:
            self.clock.stream(channel.guild.id).play(Numbered(), "numbers", on_event=lambda _event: None)


async def main(*channels: str) -> None:
    """Until the process is ended."""
    be_prompt()
    settings = load_settings()
    house = House(settings)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run_foreign, house.client.start, settings.token)
        tasks.start_soon(house.clock.run)
        tasks.start_soon(house.links.run)
        while not house.client.is_ready():  # noqa: ASYNC110 - discord.py has no event for it before the login
            await anyio.sleep(LOOK_AGAIN_S)
        for channel in channels:
            number, _, play = channel.partition(":")
            tasks.start_soon(partial(house.join, int(number), play=bool(play)))


if __name__ == "__main__":
    try:
        anyio.run(main, *sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(0)
