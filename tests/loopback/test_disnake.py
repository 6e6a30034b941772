"""disnake, another code base with a gateway and a voice client of its own, against the loopback.

disnake refuses voice without ``dave.py`` (Discord's libdave). Where that is not installed, a stand-in takes
its place that supports no DAVE version; disnake itself runs unmodified and announces version 0.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from contextlib import asynccontextmanager
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from loopback import Loopback
from loopback.listening import ear
from loopback.listening.report import report
from loopback.voice.rtp import FRAME_SAMPLES
from loopback.voice.tones import tone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class NoGroup:
    """What disnake asks of ``dave.Session`` while nothing is encrypted end to end."""

    def __init__(self, on_failure: object) -> None:
        """The failures of a group that never comes into being are of no interest."""

    def reset(self) -> None:
        """There is nothing to reset."""

    def has_established_group(self) -> bool:
        return False


class NoDave(ModuleType):
    """A module ``dave`` that supports protocol version 0 only."""

    Session = NoGroup

    @staticmethod
    def get_max_supported_protocol_version() -> int:
        return 0


if importlib.util.find_spec("dave") is None:
    sys.modules["dave"] = NoDave("dave")
import disnake  # noqa: E402 - it looks for dave.py when it is imported
from disnake.ext import commands  # noqa: E402 - as above
from disnake.interactions.application_command import (  # noqa: E402 - as above
    GuildCommandInteraction,  # noqa: TC002 - disnake reads the annotation of the command when it runs
)

if isinstance(sys.modules["dave"], NoDave):
    del sys.modules["dave"]  # disnake keeps it; nobody else is to find it

pytestmark = pytest.mark.anyio

FRAMES = 75
"""1.5 s of sound."""
HZ = 523.25


class Ready(disnake.AudioSource):
    """Plays frames that are Opus already, so that no libopus is needed."""

    def __init__(self, frames: list[bytes]) -> None:
        self._frames = iter(frames)

    def is_opus(self) -> bool:
        return True

    def read(self) -> bytes:
        return next(self._frames, b"")


def player(loopback: Loopback) -> commands.InteractionBot:
    """A bot with one slash command, which plays a tone where the asking user is."""
    bot = commands.InteractionBot(intents=disnake.Intents.default(), connector=loopback.connector())

    @bot.slash_command(description="Plays a tone")
    async def play(inter: GuildCommandInteraction[commands.InteractionBot], query: str) -> None:
        await inter.response.defer()
        assert isinstance(inter.author, disnake.Member)
        assert inter.author.voice is not None
        assert isinstance(inter.author.voice.channel, disnake.VoiceChannel)
        voice: disnake.VoiceClient = await inter.author.voice.channel.connect(timeout=20)
        await sound(voice, tone(HZ, FRAMES))
        await voice.disconnect()
        await inter.edit_original_response(f"played {query}")

    return bot


async def sound(voice: disnake.VoiceClient, frames: list[bytes]) -> None:
    """Play all of ``frames`` and wait for the end."""
    ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def after(error: Exception | None) -> None:
        voice.loop.call_soon_threadsafe(ended.set_result, error)

    voice.play(Ready(frames), after=after)
    async with asyncio.timeout(30):
        assert await ended is None


@asynccontextmanager
async def logged_in(bot: commands.InteractionBot, loopback: Loopback) -> AsyncIterator[None]:
    """``bot`` is ready and its commands are registered, until the block ends."""
    ready = asyncio.Event()

    @bot.event
    async def on_ready() -> None:
        ready.set()

    running = asyncio.create_task(bot.start(loopback.token))
    try:
        async with asyncio.timeout(20):
            await ready.wait()
        yield
    finally:
        await bot.close()
        await running


async def test_disnake_answers_a_slash_command_and_its_tone_is_heard() -> None:
    async with Loopback() as loopback:
        guild = loopback.add_guild("Guild")
        channel, text = guild.add_voice_channel("Music"), guild.add_text_channel("general")
        alice = loopback.add_user("alice")
        guild.add_member(alice)
        await alice.join(channel)
        async with logged_in(player(loopback), loopback):
            asked = await alice.slash(text, "play", query="a tone")
            answer = await asked.wait_answer(30)
            frames = [frame for frame in guild.listener.frames if not frame.silence]

    assert answer.content == "played a tone"
    assert len(frames) == FRAMES
    told = report(frames)
    assert (told.lost, told.repeated, told.out_of_order, told.undecryptable, told.reused_nonces) == (0,) * 5
    assert told.timestamp_steps == {FRAME_SAMPLES: FRAMES - 1}
    assert ear.tone_hz(ear.decode(frames)) == pytest.approx(HZ, abs=1)
