"""How the bot's life begins and ends: refused logins, signals, a second life on the same data."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from contextlib import asynccontextmanager
from subprocess import PIPE, STDOUT
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from actors import app
from actors.settings import Address, Settings
from actors.sweeping import quiet_start
from loopback import Intent, Loopback, LoopbackSettings
from loopback.media_server import MediaServer
from loopback.music.files import write_sound
from loopback.voice.tones import sine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from anyio.abc import Process

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def process(discord: Loopback, folder: Path, **environment: str) -> AsyncIterator[Process]:
    """`ostinato run` with the contract's variables; killed at the end if it still lives."""
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OSTINATO_")},
        "DISCORD_TOKEN": discord.token,
        "OSTINATO_DISCORD_ADDRESS": discord.address,
        "OSTINATO_DISCORD_CA": str(discord.ca_file),
        "OSTINATO_DATA_DIR": str(folder),
        "OSTINATO_ALLOW_PRIVATE_MEDIA": "1",
        "OSTINATO_LOG_FORMAT": "json",
        **environment,
    }
    command = [sys.executable, "-m", "bot_main", "run"]
    async with await anyio.open_process(command, env=variables, stdout=PIPE, stderr=STDOUT) as running:
        try:
            yield running
        finally:
            if running.returncode is None:
                running.kill()


async def output_of(running: Process) -> str:
    """All that it printed, until it ended."""
    assert running.stdout is not None
    return b"".join([chunk async for chunk in running.stdout]).decode()


async def test_a_second_process_on_the_same_data_is_refused(tmp_path: Path) -> None:
    async with Loopback() as discord, process(discord, tmp_path) as bot:
        await discord.wait_bot(30.0)
        async with process(discord, tmp_path, OSTINATO_ADMIN_SOCKET=str(tmp_path / "other.sock")) as second:
            with anyio.fail_after(30):
                printed = await output_of(second)
                assert await second.wait() == 1
        [line] = [line for line in printed.splitlines() if "level" in line]
        assert "another bot already uses the data folder" in line
        assert bot.returncode is None


async def test_state_of_a_later_version_ends_the_process_with_one_line_and_is_left_alone(
    tmp_path: Path,
) -> None:
    file = tmp_path / "state.sqlite3"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = file.read_bytes()
    async with Loopback() as discord, process(discord, tmp_path) as bot:
        with anyio.fail_after(30):
            printed = await output_of(bot)
            assert await bot.wait() == 1
    [line] = [line for line in printed.splitlines() if "run the version that wrote it" in line]
    assert "the state file has layout 99" in line
    assert "Traceback" not in printed
    assert file.read_bytes() == before


async def test_a_refused_token_ends_the_process_with_one_line(tmp_path: Path) -> None:
    async with Loopback() as discord, process(discord, tmp_path, DISCORD_TOKEN="wrong") as bot:
        with anyio.fail_after(30):
            printed = await output_of(bot)
            assert await bot.wait() == 1
    failures = [line for line in printed.splitlines() if "DISCORD_TOKEN" in line]
    assert len(failures) == 1
    assert "Traceback" not in printed


async def test_missing_intents_end_the_process_with_one_line(tmp_path: Path) -> None:
    granted = LoopbackSettings(granted_intents=Intent(0))
    async with Loopback(granted) as discord, process(discord, tmp_path) as bot:
        with anyio.fail_after(30):
            printed = await output_of(bot)
            assert await bot.wait() == 1
    assert len([line for line in printed.splitlines() if "Message Content Intent" in line]) == 1
    assert "Traceback" not in printed


async def test_a_signal_while_the_bot_starts_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = app.open_bot

    @asynccontextmanager
    async def interrupted(*arguments: Any) -> AsyncIterator[app.OpenBot]:
        signal.raise_signal(signal.SIGTERM)
        await anyio.sleep(0.05)  # for the receiver, before anything is open
        async with begin(*arguments) as bot:
            yield bot

    monkeypatch.setattr(app, "open_bot", interrupted)
    async with Loopback() as discord:
        host, _, port = discord.address.partition(":")
        settings = Settings(
            token=discord.token,
            data_dir=tmp_path,
            admin_socket=tmp_path / "admin.sock",
            discord_address=Address(host, int(port)),
            discord_ca=discord.ca_file,
        )
        with anyio.fail_after(15), quiet_start() as collector:
            assert await app.run(settings, collector) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_leaves_voice_and_ends_with_success(tmp_path: Path, number: signal.Signals) -> None:
    async with Loopback() as discord, MediaServer(tmp_path) as media:
        guild = discord.add_guild("Guild")
        text, voice = guild.add_text_channel("general"), guild.add_voice_channel("Music")
        alice = discord.add_user("alice")
        guild.add_member(alice)
        await alice.join(voice)
        write_sound(tmp_path / "song.webm", [sine(440.0, 500)], title="Song")
        (tmp_path / "tmp").mkdir()
        async with process(discord, tmp_path / "data", TMPDIR=str(tmp_path / "tmp")) as bot:
            await alice.wait_command(text, "play", 30.0)
            await (await alice.slash(text, "play", query=media.url("song.webm"))).wait_answer(20.0)
            await guild.listener.wait_frames(25, 20.0)
            children = children_of(bot.pid)
            assert children, "the media workers"
            bot.send_signal(number)
            with anyio.fail_after(5):
                printed = await output_of(bot)
                assert await bot.wait() == 0, printed
        assert guild.voice_of(discord.bot) is None
        assert not [pid for pid in children if is_alive(pid)]
        assert list((tmp_path / "tmp").iterdir()) == []
        left = {path.name for path in (tmp_path / "data").iterdir()}
        assert left == {"cache", "lock", "media", "state.sqlite3"}
        assert "Traceback" not in printed
        assert '"level": "error"' not in printed


def children_of(pid: int) -> list[int]:
    """Processes whose parent it is."""
    everybody = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - no paths wanted
    return [each for each in everybody if _parent(each) == pid]


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - as above
            return int(file.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def is_alive(pid: int) -> bool:
    return _parent(pid) != 0


class Place:
    """A guild with somebody who has the bot play there."""

    def __init__(self, discord: Loopback, name: str) -> None:
        self.guild = discord.add_guild(name)
        self.text, self.voice = self.guild.add_text_channel("general"), self.guild.add_voice_channel("Music")
        self.user = discord.add_user(f"listener of {name}")
        self.guild.add_member(self.user)
        self.bot = discord.bot

    async def ask(self, command: str, **options: Any) -> Any:
        return await (await self.user.slash(self.text, command, **options)).wait_answer(20.0)

    async def play(self, url: str) -> None:
        await self.user.join(self.voice)
        await self.ask("play", query=url)
        await self.guild.listener.wait_frames(25, 20.0)

    @property
    def bot_is_there(self) -> bool:
        return self.guild.voice_of(self.bot) is not None


async def test_every_guild_goes_on_as_it_was_in_the_next_life_even_after_a_sigkill(tmp_path: Path) -> None:
    """Playing, paused, left alone, kicked: all in one bot, which is killed once."""
    async with Loopback() as discord, MediaServer(tmp_path) as media:
        names = ("playing", "paused", "alone", "kicked")
        places = playing, paused, alone, kicked = [Place(discord, name) for name in names]
        write_sound(tmp_path / "song.webm", [sine(440.0, 1500)], title="Song")
        url = media.url("song.webm")

        async with process(discord, tmp_path / "data") as bot:
            await playing.user.wait_command(playing.text, "play", 30.0)
            async with anyio.create_task_group() as tasks:
                for place in places:
                    tasks.start_soon(place.play, url)
            await playing.ask("play", query=f"{url}?second")
            await playing.ask("loop", mode="queue")
            await playing.ask("volume", level=70)
            await playing.ask("filter", name="bass")
            await paused.ask("pause")
            await kicked.guild.listener.wait_frames(50, 20.0)
            discord.faults.of(kicked.guild).place.kick()
            told = "Somebody disconnected the bot"
            await kicked.text.wait_message(lambda each: told in str(each.embeds), 20.0)
            bot.kill()
            await output_of(bot)
        await alone.user.leave(alone.guild)
        for place in places:
            place.guild.listener.clear()
        async with process(discord, tmp_path / "data") as bot:
            await discord.wait_bot(30.0)
            await playing.guild.listener.wait_frames(25, 20.0)
            queue = await playing.ask("queue")
            assert "repeats the queue" in str(queue.embeds)
            assert "1 waiting" in str(queue.embeds)
            assert "volume 70 % · filter bass" in str((await playing.ask("nowplaying")).embeds)
            assert "Paused" in str((await paused.ask("nowplaying")).embeds)
            assert paused.guild.listener.heard == 0
            await paused.ask("resume")
            await paused.guild.listener.wait_frames(25, 20.0)
            await alone.user.join(alone.voice)
            await alone.guild.listener.wait_frames(25, 20.0)
            assert not kicked.bot_is_there
            bot.terminate()
            with anyio.fail_after(5):
                await output_of(bot)
