"""Whether music flows, as the whole bot knows it: against the embedded Discord, with faults of many kinds.

And its own metrics, which the dashboard is loaded with.
"""

from __future__ import annotations

import json
import re
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import pytest

from actors.app import OpenBot, open_bot
from actors.settings import Address, Settings
from loopback import Loopback
from loopback.media_server import MediaServer
from loopback.music.files import write_sound
from loopback.voice.tones import sine
from tests.actors.telemetry.promql import Scrape, ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from loopback import Guild, ScriptedUser, TextChannel
    from loopback.faults import GuildFaults
    from tests.actors.telemetry.promql import Vector

pytestmark = pytest.mark.anyio

DASHBOARD: Final = Path(__file__).parents[2] / "docs" / "operations" / "dashboard.json"
ALERTS: Final = DASHBOARD.with_name("alerts.yml")
EMPTY: Final = {
    "Failed attempts of open incidents",
    "How long an incident lasts",
    "Restarts a minute, by kind of actor",
    "Crashes a minute, by kind of actor",
    "Mailboxes that became full, a minute",
}
"""Panels of which a part is empty while nothing of that kind has happened."""


@dataclass
class Scene:
    """A guild where alice listens, and the bot."""

    discord: Loopback
    bot: OpenBot
    media: MediaServer
    guild: Guild
    text: TextChannel
    alice: ScriptedUser

    @property
    def faults(self) -> GuildFaults:
        return self.discord.faults.of(self.guild)

    async def slash(self, command: str, **options: str) -> str:
        return (await (await self.alice.slash(self.text, command, **options)).wait_answer(20.0)).text

    async def until(self, *, well: bool) -> None:
        with anyio.fail_after(20):
            while self.bot.house.telemetry.health().well is not well:  # noqa: ASYNC110 - asked, not told
                await anyio.sleep(0.01)

    async def scrape(self) -> Scrape:
        text = await self.bot.house.telemetry.metrics(self.bot.system)
        return Scrape(time.time(), text.decode())


@asynccontextmanager
async def open_scene(folder: Path) -> AsyncIterator[Scene]:
    write_sound(folder / "short.webm", [sine(440.0, 40)], title="Short")
    write_sound(folder / "long.webm", [sine(440.0, 1000)], title="Long")
    async with Loopback() as discord, MediaServer(folder) as media:
        guild = discord.add_guild("Guild")
        text, voice = guild.add_text_channel("general"), guild.add_voice_channel("Music")
        alice = discord.add_user("alice")
        guild.add_member(alice)
        host, _, port = discord.address.partition(":")
        settings = Settings(
            token=discord.token,
            data_dir=folder / "data",
            admin_socket=folder / "admin.sock",
            discord_address=Address(host, int(port)),
            discord_ca=discord.ca_file,
            allow_private_media=True,
        )
        async with open_bot(settings) as bot:
            await discord.wait_bot()
            await alice.wait_command(text, "play", 20.0)
            await alice.join(voice)
            yield Scene(discord, bot, media, guild, text, alice)


async def test_a_guild_that_misses_its_music_is_unhealthy_whoever_is_at_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.telemetry.telemetry.LOOK_EVERY_S", 0.05)
    monkeypatch.setattr("actors.telemetry.audio.UNHEARD_AFTER_S", 0.3)
    async with open_scene(tmp_path) as scene:
        system, player = scene.bot.system, f"guilds/{scene.guild.id}/player"
        assert scene.bot.house.telemetry.health().ready
        await scene.slash("play", query=scene.media.url("short.webm"))
        await scene.guild.listener.wait_frames(5, 20.0)
        before = await scene.scrape()

        await system.suspend(player)  # nobody hears that the track ends, and so nothing follows
        await scene.until(well=False)
        assert list(scene.bot.house.telemetry.health().unheard) == [scene.guild.id]
        system.resume(player)
        await scene.until(well=True)  # the queue is empty: nobody waits for anything

        await scene.slash("play", query=scene.media.url("long.webm"))
        await scene.until(well=True)
        hole = scene.faults.udp.hole()
        await scene.until(well=False)
        hole.end()
        await scene.until(well=True)
        await scene.guild.listener.wait_frames(10, 20.0)
        after = await scene.scrape()
        await scene.slash("pause")
        await anyio.sleep(0.4)  # longer than a guild may be unheard that is not paused
        await scene.until(well=True)
    loaded(before, after)


def loaded(before: Scrape, after: Scrape) -> None:
    """The dashboard and the alert rules with these metrics: every panel shows something."""
    drawn = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    panels = [panel for panel in drawn if panel["type"] != "row"]
    shown = {
        panel["title"]: [ask(one["expr"], before, after) for one in panel["targets"]] for panel in panels
    }
    empty = {title for title, found in shown.items() if any(map(is_empty, found))}
    assert empty <= EMPTY
    assert only(shown["Play now"]) == only(shown["Guilds"]) == only(shown["Discord's gateway"]) == 1
    assert only(shown["Miss their music"]) == only(shown["Alerts raised"]) == 0
    assert 0 < only(shown["Frames a second and stream"]) < 60
    assert 0 < only(shown["Up for"]) < 600
    assert only(shown["Music ready ahead"]) > 1
    assert only(shown["Memory"]) > 1e7
    alerts = re.findall(r"- alert: (\w+)\n +expr: (.+)$", ALERTS.read_text("utf-8"), re.MULTILINE)
    assert [name for name, expression in alerts if ask(expression, before, after)] == []


def is_empty(found: Vector) -> bool:
    """Nothing is drawn."""
    return all(map(isnan, found.values()))


def only(found: list[Vector]) -> float:
    """The one series of the first expression of a panel."""
    (value,) = found[0].values()
    return value
