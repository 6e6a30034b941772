"""Unmodified discord.py against the loopback, by nothing but its public `connector=`."""

from __future__ import annotations

import asyncio
import socket
import warnings
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="'audioop' is deprecated", category=DeprecationWarning)
    import discord
    from discord import app_commands
    from discord.ext import commands

from loopback import Guild, Loopback, LoopbackSettings, ScriptedUser, TextChannel
from loopback.gateway.intents import Intent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.anyio

Context = commands.Context[commands.Bot]


@pytest.fixture
async def world() -> AsyncIterator[Loopback]:
    async with Loopback() as made:
        yield made


@pytest.fixture
def guild(world: Loopback) -> Guild:
    return world.add_guild("Guild")


@pytest.fixture
def text(guild: Guild) -> TextChannel:
    return guild.add_text_channel("general")


@pytest.fixture
def alice(world: Loopback, guild: Guild) -> ScriptedUser:
    made = world.add_user("alice")
    guild.add_member(made)
    return made


def _intents() -> discord.Intents:
    intents = discord.Intents.default()
    intents.message_content = True
    return intents


def _bot(world: Loopback, **options: Any) -> commands.Bot:
    settings = {"intents": _intents(), "guild_ready_timeout": 0.05, **options}
    return commands.Bot("!", connector=world.connector(), **settings)


@asynccontextmanager
async def running(world: Loopback, bot: commands.Bot, *, shards: int = 1) -> AsyncIterator[None]:
    """The bot, from its login to its close."""
    async with bot:
        task = asyncio.create_task(bot.start(world.token))
        try:
            await world.wait_bot(shards=shards)
            await bot.wait_until_ready()
            yield
        finally:
            await bot.close()
            await task


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - a cache of discord.py says nothing when it changes
            await asyncio.sleep(0.005)


def _with_play(bot: commands.Bot) -> commands.Bot:
    @bot.hybrid_command()
    @app_commands.describe(query="what to play")
    async def play(context: Context, *, query: str) -> None:
        """Play something"""
        await context.defer()
        await context.send(f"playing {query}", embed=discord.Embed(title="now"))

    async def sync() -> None:
        await bot.tree.sync()

    bot.setup_hook = sync  # type: ignore[method-assign]  # the documented way besides a subclass
    return bot


async def test_a_hybrid_command_by_slash_and_by_text(
    world: Loopback, text: TextChannel, alice: ScriptedUser
) -> None:
    async with running(world, _with_play(_bot(world))):
        definition = await alice.wait_command(text, "play")
        assert definition["options"][0]["description"] == "what to play"
        asked = await alice.slash(text, "play", query="this")
        assert (await asked.wait_answer()).text == "playing this\nnow"
        await alice.say(text, "!play that")
        heard = await text.wait_message(lambda one: one.content == "playing that")
        assert heard.author is world.bot


async def test_guild_commands_are_synced_to_the_guild(
    world: Loopback, guild: Guild, text: TextChannel, alice: ScriptedUser
) -> None:
    bot = _with_play(_bot(world))

    async def sync() -> None:
        place = discord.Object(guild.id)
        bot.tree.copy_global_to(guild=place)
        await bot.tree.sync(guild=place)

    bot.setup_hook = sync  # type: ignore[method-assign]  # the documented way besides a subclass
    async with running(world, bot):
        await alice.wait_command(text, "play")
        assert (len(world.commands.all(guild.id)), world.commands.all()) == (1, [])
        assert (await (await alice.slash(text, "play", query="x")).wait_answer()).content == "playing x"


async def test_a_view_is_pressed_and_updates_its_message(
    world: Loopback, text: TextChannel, alice: ScriptedUser
) -> None:
    bot = _bot(world)

    @bot.command()
    async def ask(context: Context) -> None:
        view = discord.ui.View()
        button: discord.ui.Button[discord.ui.View] = discord.ui.Button(label="Skip", custom_id="skip")

        async def pressed(interaction: discord.Interaction) -> None:
            await interaction.response.edit_message(content=f"skipped by {interaction.user.name}", view=None)
            await interaction.followup.send("bye", ephemeral=True)

        button.callback = pressed  # type: ignore[method-assign]  # the documented way besides a subclass
        view.add_item(button)
        await context.send("sure?", view=view)

    async with running(world, bot):
        await alice.say(text, "!ask")
        message = await text.wait_message(lambda one: one.content == "sure?")
        pressed = await alice.press(message, "skip")
        assert (await pressed.wait_answer()) is message
        assert (message.content, message.components) == ("skipped by alice", [])
        told = await pressed.wait_message(lambda one: one.content == "bye")
        assert told.ephemeral


async def test_a_cut_connection_is_resumed_without_losing_an_event(
    world: Loopback, text: TextChannel, alice: ScriptedUser
) -> None:
    bot = _with_play(_bot(world))
    resumed = asyncio.Event()

    @bot.listen()
    async def on_resumed() -> None:
        resumed.set()

    async with running(world, bot):
        await alice.wait_command(text, "play")
        session = world.sessions[0]
        session.cut()
        await alice.say(text, "!play while away")
        await text.wait_message(lambda one: one.content == "playing while away", timeout_s=20)
        assert (resumed.is_set(), world.gateway.identifies, session.resumes) == (True, 1, 1)


async def test_op_7_makes_the_client_resume(world: Loopback, guild: Guild) -> None:
    async with running(world, _bot(world)):
        session = world.sessions[0]
        session.ask_to_reconnect()
        await world.world.watch.until(lambda: session.resumes or None, 10, lambda: "a resume")
        assert world.gateway.identifies == 1


async def test_a_rate_limited_answer_is_tried_again(
    world: Loopback, text: TextChannel, alice: ScriptedUser
) -> None:
    world.faults.rest.rate_limit("POST", "/channels/{channel_id}/messages", retry_after_s=0.05)
    async with running(world, _with_play(_bot(world))):
        await alice.wait_command(text, "play")
        await alice.say(text, "!play x")
        await text.wait_message(lambda one: one.content == "playing x")
    assert world.rest.limits.refusals == 1


async def test_a_wrong_token_is_a_login_failure(world: Loopback) -> None:
    async with _bot(world) as bot:
        with pytest.raises(discord.LoginFailure):
            await bot.start("wrong")


async def test_an_intent_that_is_not_granted_is_named_by_discord_py() -> None:
    async with Loopback(LoopbackSettings(granted_intents=Intent(0))) as world, _bot(world) as bot:
        with pytest.raises(discord.PrivilegedIntentsRequired):
            await bot.start(world.token)


async def test_application_flags_say_what_is_granted(world: Loopback) -> None:
    async with running(world, _bot(world)) as _, _bot(world) as asking:
        await asking.login(world.token)
        flags = (await asking.application_info()).flags
        assert (flags.gateway_message_content_limited, flags.gateway_guild_members_limited) == (True, True)


async def test_members_are_chunked_at_start_up(world: Loopback, guild: Guild, alice: ScriptedUser) -> None:
    intents = _intents()
    intents.members = True
    bot = _bot(world, intents=intents)
    async with running(world, bot):
        seen = bot.get_guild(guild.id)
        assert seen is not None
        assert {one.name for one in seen.members} == {"alice", "owner", "ostinato"}
        assert seen.owner is not None


async def test_each_shard_sees_its_guilds(world: Loopback) -> None:
    for number in (10, 11, 12):
        world.add_guild(f"Guild {number}", guild_id=(number << 22) | 1)
    shards = [_bot(world, shard_id=shard_id, shard_count=2) for shard_id in (0, 1)]
    async with running(world, shards[0]), running(world, shards[1], shards=2):
        assert [{one.name for one in shard.guilds} for shard in shards] == [
            {"Guild 10", "Guild 12"},
            {"Guild 11"},
        ]


async def test_permissions_look_to_the_bot_as_they_are(world: Loopback, guild: Guild) -> None:
    voice = guild.add_voice_channel("Music")
    guild.deny(voice, "speak")
    bot = _bot(world)
    async with running(world, bot):
        channel = bot.get_channel(voice.id)
        assert isinstance(channel, discord.VoiceChannel)
        mine = channel.permissions_for(channel.guild.me)
        assert (mine.connect, mine.speak) == (True, False)
        guild.allow(voice, "speak")
        await _until(lambda: channel.permissions_for(channel.guild.me).speak)


async def test_direct_messages_are_answered(world: Loopback, alice: ScriptedUser) -> None:
    bot = _with_play(_bot(world))
    async with running(world, bot):
        direct = world.direct_channel(alice)
        await alice.say(direct, "!play here")
        await direct.wait_message(lambda one: one.content == "playing here")


async def test_a_cancelled_block_leaves_nothing_either() -> None:
    before = asyncio.all_tasks()
    with anyio.CancelScope() as scope:
        async with Loopback() as world:
            address = world.address.split(":")
            scope.cancel()
            await anyio.sleep_forever()
    assert asyncio.all_tasks() == before
    with pytest.raises(ConnectionRefusedError), socket.create_connection((address[0], int(address[1]))):
        pytest.fail("something still listens")


async def test_nothing_is_left_after_the_block() -> None:
    before = asyncio.all_tasks()
    async with Loopback() as world:
        guild = world.add_guild("Guild")
        guild.add_text_channel("general")
        async with running(world, _bot(world)):
            ca_file, (host, port) = world.ca_file, world.address.split(":")
            assert ca_file.exists()
    assert asyncio.all_tasks() == before
    assert not ca_file.parent.exists()
    with pytest.raises(ConnectionRefusedError), socket.create_connection((host, int(port))):
        pytest.fail("something still listens")
