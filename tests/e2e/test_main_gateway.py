"""Faults of the main gateway are not heard, and every command works after them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest

from actors.app import open_bot
from actors.settings import Address, Settings
from loopback import Loopback
from loopback.faults.rows import GATEWAY_ROWS, Victim
from loopback.listening.places import by_number
from loopback.listening.since import heard_since
from loopback.media_server import MediaServer
from loopback.music.numbered import write_numbered

if TYPE_CHECKING:
    from pathlib import Path

    from loopback import Guild, ScriptedUser, TextChannel

pytestmark = pytest.mark.anyio

SECONDS: Final = 60.0
IDENTIFY_S: Final = 6.0
"""discord.py waits up to 5 s before it identifies anew."""
COMMANDS: Final[dict[str, dict[str, object]]] = {
    "nowplaying": {},
    "queue": {},
    "voicestatus": {},
    "tree": {},
    "pause": {},
    "resume": {},
    "volume": {"level": 80},
    "seek": {"position": "0:40"},
    "loop": {"mode": "queue"},
    "filter": {"name": "bass"},
    "shuffle": {},
    "skip": {},
    "reconnect": {},
    "stop": {},
    "leave": {},
    "join": {},
}


@dataclass(frozen=True, slots=True)
class Scene:
    """A guild with its owner, who listens and may use every command."""

    discord: Loopback
    guild: Guild
    text: TextChannel
    alice: ScriptedUser
    url: str

    async def slash(self, command: str, **options: Any) -> str:
        """The words of the final answer."""
        interaction = await self.alice.slash(self.text, command, **options)
        answer = await interaction.wait_answer(20.0)
        return answer.content + "".join(str(embed) for embed in answer.embeds)

    async def hear(self, frames: int = 25) -> None:
        await self.guild.listener.wait_frames(self.guild.listener.heard + frames, 20)

    async def back(self) -> None:
        """The bot has a living session of the main gateway again, and its place in voice belongs to that."""
        session = await self.discord.wait_bot(IDENTIFY_S * 2)
        with anyio.fail_after(10):
            while self.guild.voice_states[self.discord.bot.id].session_id != session.id:  # noqa: ASYNC110
                await anyio.sleep(0.05)


@pytest.mark.timeout(120)
async def test_the_main_gateway_may_fail_in_any_way(tmp_path: Path) -> None:
    """Closed, op 7 and op 9 in turn; then every command."""
    media = tmp_path / "media"
    media.mkdir()
    write_numbered(media / "music.webm", SECONDS)
    async with Loopback() as discord, MediaServer(media) as server:
        alice = discord.add_user("alice")
        guild = discord.add_guild("Guild", owner=alice)
        scene = Scene(discord, guild, guild.add_text_channel("general"), alice, server.url("music.webm"))
        voice = guild.add_voice_channel("Music")
        async with open_bot(settings_of(discord, tmp_path / "data")):
            await alice.wait_command(scene.text, "play", 30)
            await alice.join(voice)
            await scene.slash("play", query=scene.url)
            await scene.hear(50)
            await suffer(scene)
            await command(scene)


async def suffer(scene: Scene) -> None:
    """Inflict the faults and judge each."""
    victim = Victim(scene.discord, scene.guild, _no_kill)
    for row in GATEWAY_ROWS:
        mark = scene.guild.listener.mark()
        await row.inflict(victim)
        await scene.back()
        await scene.hear(50)
        heard = heard_since(scene.guild.listener, mark, places=by_number)
        assert row.broken(heard) == [], (row.name, heard)


async def command(scene: Scene) -> None:
    """Every command is answered, and does what it says."""
    guild, bot = scene.guild, scene.discord.bot
    await scene.slash("play", query=scene.url)
    for name, options in COMMANDS.items():
        assert await scene.slash(name, **options)
        if name == "leave":
            await guild.wait_voice(bot, None)
    await scene.slash("play", query=scene.url)
    await scene.hear()


async def _no_kill(_part: str) -> None: ...


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
