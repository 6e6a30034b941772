"""disnake, another code base with a gateway and a voice client of its own, against the loopback.

It encrypts end to end by ``dave.py``, which is Discord's own libdave: two implementations of DAVE agree on
what the loopback arranges, this one and davey, by which the listeners decrypt.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import disnake
import pytest
from disnake.ext import commands
from disnake.interactions.application_command import (
    GuildCommandInteraction,  # noqa: TC002 - disnake reads the annotation of the command when it runs
)

from loopback import Loopback
from loopback.listening import ear
from loopback.listening.report import report
from loopback.voice.protocol import DavePolicy, VoiceSettings
from loopback.voice.rtp import FRAME_SAMPLES
from loopback.voice.server import VoiceServer
from loopback.voice.tones import tone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


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
        assert voice.dave is not None
        async with asyncio.timeout(10):
            while not voice.dave.can_encrypt():  # noqa: ASYNC110 - disnake has no event for it
                await asyncio.sleep(0.01)
        await sound(voice, tone(HZ, FRAMES))
        code = voice.dave.voice_privacy_code
        await voice.disconnect()
        await inter.edit_original_response(f"played {query} with {code}")

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


async def test_disnake_answers_a_slash_command_and_its_tone_is_heard_end_to_end_encrypted() -> None:
    # With a listener at some distance it is mostly libdave's commits that win.
    voice = VoiceServer(settings=VoiceSettings(dave=DavePolicy.REQUIRED, dave_latency_ms=30))
    async with Loopback(voice=voice) as loopback:
        guild = loopback.add_guild("Guild")
        channel, text = guild.add_voice_channel("Music"), guild.add_text_channel("general")
        alice, carol = loopback.add_user("alice"), loopback.add_user("carol")
        for user in (alice, carol):
            guild.add_member(user)
        await alice.join(channel)
        async with logged_in(player(loopback), loopback):
            asked = await alice.slash(text, "play", query="a tone")
            await guild.listener.wait_frames(10, timeout_s=20)
            await carol.join(channel)
            await guild.listener.wait_frames(40, timeout_s=20)
            await carol.leave(guild)
            await guild.listener.wait_frames(FRAMES - 2, timeout_s=20)
            listener = voice.calls.participant(guild.id, alice.id)
            code, epoch = listener.privacy_code, listener.epoch
            answer = await asked.wait_answer(30)
            frames = [frame for frame in guild.listener.frames if not frame.silence]

    assert answer.content == f"played a tone with {code}"
    assert epoch == 3
    # Two changes of keys: a frame that meets one is dropped by disnake, or comes under keys of the past.
    assert FRAMES - 2 <= len(frames) <= FRAMES
    assert all(frame.encrypted for frame in frames)
    told = report(frames)
    assert (told.lost, told.repeated, told.out_of_order, told.reused_nonces) == (0, 0, 0, 0)
    assert told.undecryptable <= 2
    assert told.timestamp_steps[FRAME_SAMPLES] >= FRAMES - 5
    assert ear.tone_hz(ear.decode(frames)) == pytest.approx(HZ, abs=1)
