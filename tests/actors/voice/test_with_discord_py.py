"""The links with the real discord.py, against the whole embedded Discord; the listener is the judge."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import anyio
import discord
import pytest

from actors.voice import Clock, Closed, Fault, LinkEvent, Links, LinkState, Moved
from loopback import Loopback, LoopbackSettings
from loopback.listening.report import longest_gap_ms, report
from tests.actors.voice.doubt import unsure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio


class Numbers:
    """An endless source of numbered frames."""

    def __init__(self) -> None:
        self.drawn = 0

    @property
    def ended(self) -> bool:
        return False

    def next_frame(self) -> bytes | None:
        self.drawn += 1
        return b"\xfc" + (self.drawn - 1).to_bytes(4, "big") + bytes(100)


class Bot:
    """A logged-in client with clock and links, in one guild with two voice channels."""

    def __init__(self, loopback: Loopback, client: discord.Client, clock: Clock, links: Links) -> None:
        self.loopback, self.client, self.clock, self.links = loopback, client, clock, links
        [self.guild] = loopback.guilds
        self.music = self.guild.add_voice_channel("Music")
        self.other = self.guild.add_voice_channel("Other")
        self.events: list[LinkEvent] = []

    def seen(self, channel: Any) -> discord.VoiceChannel:
        found = self.client.get_channel(channel.id)
        assert isinstance(found, discord.VoiceChannel)
        return found

    def known(self) -> bool:
        """discord.py has a voice client for the guild."""
        guild = self.client.get_guild(self.guild.id)
        return guild is not None and guild.voice_client is not None

    async def play(self) -> Any:
        link = await self.links.connect(self.seen(self.music), on_event=self.events.append)
        self.clock.stream(self.guild.id).play(Numbers(), "numbers", on_event=print)
        await self.hear(25)
        return link

    async def hear(self, frames: int, timeout_s: float = 10.0) -> None:
        listener = self.guild.listener
        await listener.wait_frames(listener.heard + frames, timeout_s)

    @property
    def heard(self) -> list[int]:
        frames = [one.opus for one in self.guild.listener.frames if one.opus and not one.silence]
        return [int.from_bytes(opus[1:5], "big") for opus in frames]

    def nothing_lost(self, *, repeated: int = 0) -> bool:
        """Every frame was heard, in order; so many may have been sent again, as they may have been lost."""
        heard = self.heard
        whole = heard[0] == 0 and all(later <= earlier + 1 for earlier, later in pairwise(heard))
        return whole and len(heard) - len(set(heard)) <= repeated

    async def until(self, fact: Any, timeout_s: float = 10.0) -> None:
        with anyio.fail_after(timeout_s):
            while not fact():  # noqa: ASYNC110  (any fact, whoever brings it about)
                await anyio.sleep(0.005)


@asynccontextmanager
async def logged_in(loopback: Loopback) -> AsyncIterator[discord.Client]:
    client = discord.Client(
        intents=discord.Intents.default(), connector=loopback.connector(), guild_ready_timeout=0.0
    )
    running = asyncio.create_task(client.start(loopback.token))
    try:
        async with asyncio.timeout(20):
            while not client.is_ready():  # noqa: ASYNC110  (wait_until_ready needs a login before)
                await anyio.sleep(0.005)
        yield client
    finally:
        await client.close()
        await running


@pytest.fixture
async def bot(request: pytest.FixtureRequest) -> AsyncIterator[Bot]:
    async with Loopback(getattr(request, "param", None)) as loopback:
        loopback.add_guild("Guild")
        clients: list[discord.Client] = []
        clock = Clock()
        links = Links(clock, loopback.connector, client=lambda: clients[-1] if clients else None)
        async with logged_in(loopback) as client, anyio.create_task_group() as tasks:
            clients.append(client)
            tasks.start_soon(clock.run)
            tasks.start_soon(links.run)
            try:
                bot = Bot(loopback, client, clock, links)
                await bot.until(lambda: client.get_channel(bot.other.id) is not None)
                yield bot
            finally:
                tasks.cancel_scope.cancel()
                await links.aclose()


async def test_three_seconds_arrive_whole_and_evenly(bot: Bot) -> None:
    await bot.play()
    await bot.hear(150)
    frames = bot.guild.listener.frames
    figures = report(frames)
    assert bot.nothing_lost()
    assert (figures.lost, figures.repeated, figures.out_of_order, figures.undecryptable) == (0, 0, 0, 0)
    assert figures.largest_burst <= 4
    assert set(figures.timestamp_steps) == {960}
    assert bot.guild.voice_of(bot.loopback.bot) is not None
    assert isinstance(bot.seen(bot.music).guild.voice_client, discord.VoiceProtocol)


async def test_a_dead_session_costs_a_moment_and_no_frame(bot: Bot) -> None:
    link = await bot.play()
    bot.loopback.voice.close(bot.guild.id, bot.loopback.bot.id, 4006)
    await bot.until(lambda: link.status().identifies == 2)
    await bot.hear(50)
    assert bot.nothing_lost(repeated=unsure(bot.clock, bot.guild.id))
    assert longest_gap_ms(bot.guild.listener.frames) < 1000  # of a busy machine; the bench states figures


async def test_a_tcp_reset_is_not_heard(bot: Bot) -> None:
    link = await bot.play()
    bot.loopback.voice.reset(bot.guild.id, bot.loopback.bot.id)
    await bot.until(lambda: link.status().resumes == 1)
    await bot.hear(25)
    frames = bot.guild.listener.frames
    assert bot.nothing_lost()
    assert {(b.timestamp - a.timestamp) % 2**32 for a, b in pairwise(frames)} == {960}
    assert link.status().identifies == 1


async def test_no_frame_leaves_in_clear_where_somebody_listens_but_from_a_stage(bot: Bot) -> None:
    stage = bot.guild.add_stage_channel("Stage")
    alice = bot.loopback.add_user("alice")
    bot.guild.add_member(alice)
    await alice.join(bot.music)
    await bot.until(lambda: alice.id in bot.seen(bot.music).voice_states)
    link = await bot.play()
    assert link.standing.credentials.others == {alice.id}  # before the voice server says so
    bot.loopback.voice.close(bot.guild.id, bot.loopback.bot.id, 4006)
    await bot.until(lambda: link.status().identifies == 2)
    await bot.hear(10)
    frames = bot.guild.listener.frames
    assert all(frame.encrypted and frame.opus for frame in frames)

    bot.guild.move(alice, stage)
    bot.guild.move(bot.loopback.bot, stage)
    await bot.until(lambda: link.status().identifies == 3)
    assert (link.status().dave.version, link.status().dave.epoch) == (0, None)


@pytest.mark.parametrize(
    "bot",
    [LoopbackSettings(gateway_latency_ms=5, voice_state_first=False)],
    indirect=True,
    ids=["server first"],
)
async def test_an_administrator_moves_the_bot(bot: Bot) -> None:
    """Where it ends up somebody listens, with the keys of that channel."""
    alice = bot.loopback.add_user("alice")
    bot.guild.add_member(alice)
    await alice.join(bot.other)
    link = await bot.play()
    bot.guild.move(bot.loopback.bot, bot.other)
    await bot.until(lambda: link.status().dave.epoch is not None)
    await bot.hear(25)
    assert link.channel_id == bot.other.id
    assert Moved(bot.other.id) in bot.events
    assert bot.guild.listener.frames[-1].encrypted
    assert link.status().failures == 0
    assert bot.nothing_lost(repeated=unsure(bot.clock, bot.guild.id))


@pytest.mark.parametrize(
    "bot", [LoopbackSettings(close_voice_on_leave=False)], indirect=True, ids=["by the main gateway alone"]
)
async def test_a_kick_is_final(bot: Bot) -> None:
    link = await bot.play()
    bot.guild.disconnect(bot.loopback.bot)
    await bot.until(lambda: link.state is LinkState.CLOSED)
    assert bot.events[-1] == Closed(4014, "disconnected from the channel", Fault.KICKED)
    assert bot.seen(bot.music).guild.voice_client is None
    await bot.links.connect(bot.seen(bot.music), on_event=bot.events.append)


async def test_leaving_and_joining_again(bot: Bot) -> None:
    await bot.play()
    for _ in range(3):
        await bot.links.disconnect(bot.guild.id)
        assert bot.guild.voice_of(bot.loopback.bot) is None
        await bot.links.connect(bot.seen(bot.other), on_event=bot.events.append)
    await bot.hear(25)
    assert bot.nothing_lost()


async def test_a_stale_stock_client_is_disposed_of(bot: Bot) -> None:
    stale: discord.VoiceClient = await bot.seen(bot.music).connect(timeout=10)
    await bot.play()
    assert not stale.is_connected()
    assert bot.nothing_lost()


async def test_a_ghost_of_an_earlier_process_is_joined_again(bot: Bot) -> None:
    seen = bot.seen(bot.music)
    await seen.guild.change_voice_state(channel=seen)
    await bot.until(lambda: seen.guild.me.voice is not None)
    await bot.play()
    assert bot.nothing_lost()


async def test_a_main_gateway_that_resumes_is_not_heard(bot: Bot) -> None:
    link = await bot.play()
    [session] = bot.loopback.sessions
    old = session.connection
    assert old is not None
    old.abort()
    await bot.until(lambda: session.connection not in (None, old))
    await bot.hear(25)
    assert bot.nothing_lost()
    assert link.status().identifies == 1


async def test_a_new_main_session_is_not_heard_and_every_command_works_after_it(bot: Bot) -> None:
    link = await bot.play()
    [session] = bot.loopback.sessions
    bot.loopback.gateway.end_session(session)
    assert session.connection is not None
    session.connection.abort()
    await bot.until(lambda: session not in bot.loopback.sessions)
    await bot.until(lambda: bool(bot.loopback.sessions), 15.0)  # discord.py waits 5 s before it identifies
    await bot.until(bot.known)
    await bot.hear(25)
    [session] = bot.loopback.sessions
    place = bot.guild.voice_states[bot.loopback.bot.id]
    await bot.until(lambda: place.session_id == session.id)  # the new main session was told
    await bot.hear(25)
    assert bot.nothing_lost()
    assert link.status().identifies == 1
    bot.guild.renew_voice_server()
    await bot.until(lambda: link.status().identifies == 2)
    await bot.hear(25)
    assert bot.nothing_lost(repeated=unsure(bot.clock, bot.guild.id))
    await bot.links.disconnect(bot.guild.id)
    assert bot.guild.voice_of(bot.loopback.bot) is None
