"""What takes the bot's channel from it, or the right to be in it or to be heard there.

It stays away, and comes back when somebody asks for it.
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import anyio

from loopback.voice.protocol import CloseCode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from random import Random

    from loopback import VoiceChannel
    from loopback.chaos.guest import Guest
    from loopback.chaos.ledger import Entry
    from loopback.chaos.scene import Scene, Seat

AWAY_S: Final = (1.5, 4.0)
MUTED_S: Final = 3.0


async def delete_channel(_scene: Scene, seat: Seat, dice: Random, entry: Entry) -> None:
    """The channel in which the bot is; whoever listens goes to a new one, and calls it."""
    async with _calling(seat, entry) as (guest, old):
        if guest is None or old is None:
            return
        entry.start_ns = seat.banned_ns = time.time_ns()
        seat.guild.delete_channel(old)
        new = seat.guild.add_voice_channel(old.name)
        seat.voices = tuple(new if one is old else one for one in seat.voices)
        await seat.user.join(new)
        await anyio.sleep(dice.uniform(*AWAY_S))
        seat.banned_ns = None
        await guest.come_back(entry)


async def lose_connect(_scene: Scene, seat: Seat, dice: Random, entry: Entry) -> None:
    """The bot may not connect to its channel any more, and loses its session there."""
    async with _calling(seat, entry) as (guest, channel):
        if guest is None or channel is None:
            return
        entry.start_ns = time.time_ns()
        with seat.faults.place.lose_permission("connect"):
            seat.faults.voice.close(CloseCode.DISCONNECTED)
            await anyio.sleep(dice.uniform(*AWAY_S))
        await guest.come_back(entry)


async def lose_speak(_scene: Scene, seat: Seat, _dice: Random, entry: Entry) -> None:
    """Nobody hears the bot for a while. It comes back uncalled, unless something else has put it out."""
    async with _calling(seat, entry) as (guest, channel):
        if guest is None or channel is None:
            return
        entry.start_ns = time.time_ns()
        with seat.faults.place.lose_permission("speak"):
            await anyio.sleep(MUTED_S)
        await guest.come_back(entry)


@asynccontextmanager
async def _calling(seat: Seat, entry: Entry) -> AsyncIterator[tuple[Guest | None, VoiceChannel | None]]:
    """Who can call the bot back, and asks for nothing else meanwhile, and where the bot is."""
    if seat.guest is None:
        entry.refused = "nobody is there to ask for it"
        yield None, None
        return
    async with seat.guest.turn:
        state = seat.guild.voice_of(seat.discord.bot)
        place = None if state is None else state.channel_id
        channel = next((one for one in seat.voices if one.id == place), None)
        if channel is None:
            entry.refused = "the bot is in no channel"
        yield seat.guest, channel
