"""Unmodified discord.py with its own voice client against the loopback."""

from __future__ import annotations

import asyncio
import warnings
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from loopback import Loopback
from loopback.listening import ear
from loopback.listening.listener import NoteKind
from loopback.listening.report import report
from loopback.voice.rtp import FRAME_SAMPLES
from loopback.voice.tones import tone

with warnings.catch_warnings():
    # discord.py 2.7 imports the standard library's audioop, which Python 3.13 leaves out.
    warnings.filterwarnings("ignore", message="'audioop' is deprecated", category=DeprecationWarning)
    import discord

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from loopback.world.guild import Guild

pytestmark = pytest.mark.anyio

FRAMES = 75
"""1.5 s of sound."""


class Ready(discord.AudioSource):
    """Plays frames that are Opus already, so that no libopus is needed."""

    def __init__(self, frames: list[bytes]) -> None:
        self._frames = iter(frames)

    def is_opus(self) -> bool:
        return True

    def read(self) -> bytes:
        return next(self._frames, b"")


@asynccontextmanager
async def logged_in(loopback: Loopback) -> AsyncIterator[discord.Client]:
    """A client of stock discord.py that is ready, until the block ends."""
    ready = asyncio.Event()

    class Client(discord.Client):
        async def on_ready(self) -> None:
            ready.set()

    client = Client(intents=discord.Intents.default(), connector=loopback.connector())
    running = asyncio.create_task(client.start(loopback.token))
    try:
        async with asyncio.timeout(20):
            await ready.wait()
        yield client
    finally:
        await client.close()
        await running


async def join(client: discord.Client, guild: Guild, voice_id: int) -> discord.VoiceClient:
    """Join the voice channel with discord.py's own voice client."""
    seen = client.get_guild(guild.id)
    assert seen is not None
    channel = seen.get_channel(voice_id)
    assert isinstance(channel, discord.VoiceChannel)
    return await channel.connect(timeout=20)


async def play(voice: discord.VoiceClient, frames: list[bytes]) -> None:
    """Play all of ``frames`` and wait for the end."""
    ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def after(error: Exception | None) -> None:
        voice.loop.call_soon_threadsafe(ended.set_result, error)

    voice.play(Ready(frames), after=after)
    async with asyncio.timeout(30):
        assert await ended is None


async def test_the_stock_voice_client_is_heard() -> None:
    async with Loopback() as loopback:
        guild = loopback.add_guild("Guild")
        channel = guild.add_voice_channel("Music")
        async with logged_in(loopback) as client:
            voice = await join(client, guild, channel.id)
            await play(voice, tone(440, FRAMES))
            frames = [frame for frame in guild.listener.frames if not frame.silence]
            await voice.disconnect()

    assert len(frames) == FRAMES
    told = report(frames)
    assert (told.lost, told.repeated, told.out_of_order, told.undecryptable, told.reused_nonces) == (0,) * 5
    assert told.timestamp_steps == {FRAME_SAMPLES: FRAMES - 1}
    assert ear.ogg_headers(frames) == []
    assert ear.tone_hz(ear.decode(frames)) == pytest.approx(440, abs=1)


async def test_the_stock_client_is_heard_end_to_end_encrypted_while_listeners_come_and_go() -> None:
    async with Loopback() as loopback:
        guild = loopback.add_guild("Guild")
        channel = guild.add_voice_channel("Music")
        alice, carol = loopback.add_user("alice"), loopback.add_user("carol")
        for user in (alice, carol):
            guild.add_member(user)
        await alice.join(channel)
        async with logged_in(loopback) as client:
            voice = await join(client, guild, channel.id)
            async with asyncio.timeout(10):
                while voice.voice_privacy_code is None:  # noqa: ASYNC110 - discord.py has no event for it
                    await asyncio.sleep(0.01)
            playing = asyncio.create_task(play(voice, tone(440, FRAMES)))
            await guild.listener.wait_frames(10, timeout_s=10)
            await carol.join(channel)
            await guild.listener.wait_frames(40, timeout_s=10)
            await carol.leave(guild)
            await playing
            codes = {
                voice.voice_privacy_code,
                loopback.voice.calls.participant(guild.id, alice.id).privacy_code,
            }
            frames = [frame for frame in guild.listener.frames if not frame.silence]
            await voice.disconnect()

    assert len(codes) == 1
    assert len(frames) == FRAMES
    assert all(frame.encrypted for frame in frames)
    assert report(frames).undecryptable <= 2  # at each change of keys at most one is under way


async def test_several_guilds_each_hear_their_own() -> None:
    tones = {"one": 300.0, "two": 500.0, "three": 800.0}
    async with Loopback() as loopback:
        guilds = {name: loopback.add_guild(name) for name in tones}
        channels = {name: guild.add_voice_channel("Music") for name, guild in guilds.items()}
        async with logged_in(loopback) as client:
            voices = {name: await join(client, guilds[name], channels[name].id) for name in tones}
            await asyncio.gather(*(play(voices[name], tone(hz, FRAMES)) for name, hz in tones.items()))
            for voice in voices.values():
                await voice.disconnect()

    for name, hz in tones.items():
        frames = [frame for frame in guilds[name].listener.frames if not frame.silence]
        assert len(frames) == FRAMES
        assert report(frames).lost == 0
        assert ear.tone_hz(ear.decode(frames)) == pytest.approx(hz, abs=1)


async def test_leaving_closes_the_voice_session_and_joining_again_works() -> None:
    async with Loopback() as loopback:
        guild = loopback.add_guild("Guild")
        channel = guild.add_voice_channel("Music")
        async with logged_in(loopback) as client:
            for round_trip in (1, 2):
                voice = await join(client, guild, channel.id)
                await play(voice, tone(440, 10))
                await voice.disconnect()
                await guild.listener.wait_note(NoteKind.CLOSED, timeout_s=5, n=round_trip)

    frames = [frame for frame in guild.listener.frames if not frame.silence]
    assert [frame.session for frame in frames] == [1] * 10 + [2] * 10


async def test_a_bot_that_is_moved_is_heard_in_a_new_session() -> None:
    async with Loopback() as loopback:
        # discord.py listens for the answer of IP discovery a moment after it has asked.
        loopback.faults.everywhere.udp.delay(5.0)
        guild = loopback.add_guild("Guild")
        first, second = guild.add_voice_channel("First"), guild.add_voice_channel("Second")
        async with logged_in(loopback) as client:
            voice = await join(client, guild, first.id)
            await play(voice, tone(440, 10))
            guild.move(loopback.bot, second)
            await guild.listener.wait_note(NoteKind.SESSION, timeout_s=20, n=2)
            async with asyncio.timeout(20):
                while not voice.is_connected():  # noqa: ASYNC110 - discord.py has no event for it
                    await asyncio.sleep(0.01)
            await play(voice, tone(660, 10))
            assert voice.channel.id == second.id
            await voice.disconnect()

    frames = [frame for frame in guild.listener.frames if not frame.silence]
    assert [frame.session for frame in frames] == [1] * 10 + [2] * 10
