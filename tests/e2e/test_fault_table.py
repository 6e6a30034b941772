"""Every row of the fault table, once, side by side: a guild for each fault, judged at its listener.

The server sends no RTCP, and the channels are encrypted end to end; `make bench-faults` has the rest.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
import pytest

from actors.app import OpenBot, open_bot
from actors.settings import Address, Settings
from loopback import Loopback
from loopback.listening.places import by_number
from loopback.listening.since import GapReport, heard_since
from loopback.media_server import MediaServer
from tests.bench.faults.numbered import write_numbered
from tests.bench.faults.rows import GUILD_ROWS, LISTEN_S, UNDISTURBED, Row, Victim, slowness

if TYPE_CHECKING:
    from pathlib import Path

    from loopback import Guild
    from loopback.listening.listener import Mark

pytestmark = pytest.mark.anyio

SECONDS: Final = 90.0
STAGGER_S: Final = 0.13
"""Between two faults: a handshake takes the machine some tens of milliseconds, and is not to meet others."""


@pytest.mark.timeout(150)
async def test_every_fault_costs_the_listener_no_more_than_the_table_says(tmp_path: Path) -> None:
    """Nineteen guilds hear the same music; each suffers one fault, the last one none."""
    media = tmp_path / "media"
    media.mkdir()
    write_numbered(media / "music.webm", SECONDS)
    async with Loopback() as discord, MediaServer(media) as server:
        guilds = {row: discord.add_guild(row.name) for row in GUILD_ROWS}
        async with open_bot(settings_of(discord, tmp_path / "data")) as bot:
            async with anyio.create_task_group() as tasks:
                for guild in guilds.values():
                    tasks.start_soon(partial(start, discord, guild, server.url("music.webm")))
            heard = await suffer(discord, bot, guilds)
    slow = slowness(heard[UNDISTURBED])
    judged = [(row.name, row.broken(report, slow), report) for row, report in heard.items()]
    assert [each for each in judged if each[1]] == []


async def start(discord: Loopback, guild: Guild, url: str) -> None:
    """Join and ask; returns when music is heard."""
    listener = discord.add_user(f"listener of {guild.name}")
    guild.add_member(listener)
    text, voice = guild.add_text_channel("general"), guild.add_voice_channel("Music")
    await listener.wait_command(text, "play", 30)
    await listener.join(voice)
    await listener.slash(text, "play", query=url)
    await guild.listener.wait_frames(50, 30)


async def suffer(discord: Loopback, bot: OpenBot, guilds: dict[Row, Guild]) -> dict[Row, GapReport]:
    """Inflict every row on its guild, one shortly after the other, and listen."""
    marks = {row: guild.listener.mark() for row, guild in guilds.items()}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.sleep, LISTEN_S)
        for row, guild in guilds.items():
            await anyio.sleep(STAGGER_S)
            tasks.start_soon(row.inflict, Victim(discord, guild, partial(kill, bot, guild)))
    return {row: hear(guild, marks[row]) for row, guild in guilds.items()}


async def kill(bot: OpenBot, guild: Guild, part: str) -> None:
    """Kill the guild's supervisor, or an actor under it."""
    await bot.system.kill(f"guilds/{guild.id}{part}")


def hear(guild: Guild, mark: Mark) -> GapReport:
    """What the guild's listener has heard since."""
    return heard_since(guild.listener, mark, places=by_number)


def settings_of(discord: Loopback, folder: Path) -> Settings:
    """What the environment would say."""
    host, port = discord.address.rsplit(":", 1)
    return Settings(
        token=discord.token,
        data_dir=folder,
        discord_address=Address(host, int(port)),
        discord_ca=discord.ca_file,
        allow_private_media=True,
        admin_socket=folder / "admin.sock",
    )
