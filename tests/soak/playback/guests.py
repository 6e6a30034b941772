"""What happens to the bot meanwhile: people who ask for music, and faults of its connections."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import anyio

from loopback.errors import NotAnswered
from loopback.waiting import NotSeen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from loopback import Guild, Loopback, ScriptedUser, TextChannel

WAIT_S: Final = 120.0
TRACK_S: Final = 180.0
PAUSE_S: Final = (30.0, 240.0)
"""Between two commands of a guest."""
FAULT_S: Final = (300.0, 900.0)
"""Between two faults."""

WISHES: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("skip", {}),
    ("queue", {}),
    ("nowplaying", {}),
    ("voicestatus", {}),
    ("tree", {}),
    ("shuffle", {}),
    ("seek", {"position": "1:10"}),
    ("volume", {"level": 60}),
    ("volume", {"level": 100}),
    ("loop", {"mode": "queue"}),
    ("loop", {"mode": "off"}),
    ("pause", {}),
)
"""Commands with their options; a pause is followed by a resume."""


@dataclass(slots=True)
class Tally:
    """What was asked for, what was not answered, and what went wrong on purpose."""

    commands: int = 0
    unanswered: list[str] = field(default_factory=list)
    tracks: int = 0
    faults: int = 0


@dataclass(slots=True)
class Guest:
    """One guild's listener, who keeps the queue filled and cannot leave the bot alone."""

    guild: Guild
    user: ScriptedUser
    text: TextChannel
    urls: Sequence[str]
    random: Random
    tally: Tally

    async def visit(self) -> None:
        """For ever: a track each three minutes, and something else now and then."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._ask_for_music)
            tasks.start_soon(self._play_around)

    async def _ask_for_music(self) -> None:
        for number in itertools.count():
            url = self.urls[number % len(self.urls)]
            await self._ask("play", query=f"{url}?take={number}")  # a new address: found and made anew
            self.tally.tracks += 1
            await anyio.sleep(TRACK_S * 0.8)

    async def _play_around(self) -> None:
        while True:
            await anyio.sleep(self.random.uniform(*PAUSE_S))
            name, options = self.random.choice(WISHES)
            await self._ask(name, **options)
            if name == "pause":
                await anyio.sleep(5.0)
                await self._ask("resume")

    async def _ask(self, name: str, **options: Any) -> None:
        self.tally.commands += 1
        try:
            asked = await self.user.slash(self.text, name, **options)
            await asked.wait_answer(WAIT_S)
        except (NotAnswered, NotSeen) as error:
            self.tally.unanswered.append(f"{name}: {error}")


async def trouble(discord: Loopback, random: Random, tally: Tally) -> None:
    """For ever: a fault of the voice or of the main connection now and then."""
    voice, gateway = discord.faults.everywhere.voice, discord.faults.gateway
    faults: tuple[Callable[[], object], ...] = (
        lambda: voice.close(4006),
        lambda: voice.close(4015),
        voice.reset,
        discord.faults.everywhere.place.move_server,
        gateway.reconnect,
        lambda: gateway.close(4000),
        lambda: gateway.invalidate(resumable=False),
    )
    while True:
        await anyio.sleep(random.uniform(*FAULT_S))
        random.choice(faults)()
        tally.faults += 1
