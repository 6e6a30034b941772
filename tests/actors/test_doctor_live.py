"""`doctor --live` against the embedded Discord, which takes the real one's place."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from actors.doctor.live import Place, examine_live
from actors.doctor.report import Level
from actors.settings import Address, Settings
from loopback import Loopback

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from actors.doctor import Finding
    from loopback import Guild

pytestmark = pytest.mark.anyio

PLAY_S = 1.0


class Scene:
    """One guild with a voice and a text channel, and how the doctor is called."""

    def __init__(self, discord: Loopback, folder: Path) -> None:
        self.discord = discord
        self.guild: Guild = discord.add_guild("Guild")
        self.voice = self.guild.add_voice_channel("Music")
        self.text = self.guild.add_text_channel("general")
        host, port = discord.address.rsplit(":", 1)
        self.settings = Settings(
            token=discord.token,
            data_dir=folder,
            discord_address=Address(host, int(port)),
            discord_ca=discord.ca_file,
            admin_socket=folder / "admin.sock",
        )

    async def examine(self, channel_id: int | None = None, guild_id: int | None = None) -> dict[str, Finding]:
        place = Place(guild_id or self.guild.id, channel_id or self.voice.id)
        findings = await examine_live(self.settings, place, play_s=PLAY_S)
        return {finding.name: finding for finding in findings}


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with Loopback() as discord:
        yield Scene(discord, tmp_path)


async def test_what_a_voice_server_does_is_reported(scene: Scene) -> None:
    """With a listener and RTCP; then alone, at a server that resumes nothing and sends nothing back."""
    listener = scene.discord.add_user("listener")
    scene.guild.add_member(listener)
    await listener.join(scene.voice)
    with scene.discord.faults.of(scene.guild).udp.rtcp(0.2):
        seen = await scene.examine()
    assert [finding.level for finding in seen.values()] == [Level.OK] * len(seen), seen
    assert "aead_aes256_gcm_rtpsize" in seen["encryption mode"].what
    assert "epoch" in seen["DAVE"].what
    assert "RESUMED" in seen["resume"].what
    assert scene.guild.listener.heard >= PLAY_S * 45
    assert scene.guild.voice_of(scene.discord.bot) is None, "it has left again"

    await listener.leave(scene.guild)
    faults = scene.discord.faults.of(scene.guild)
    faults.voice.refuse_resumes([4006])
    with faults.udp.mute_keep_alives():
        seen = await scene.examine()
    assert (seen["resume"].level, "session no longer valid" in seen["resume"].what) == (Level.NOTE, True)
    assert seen["keep-alives"].level is Level.WARN
    assert "none" in seen["inbound RTCP"].what
    assert seen["DAVE"].level is Level.NOTE


async def test_what_keeps_it_from_trying_is_said(scene: Scene) -> None:
    unknown = (await scene.examine(guild_id=1))["guild"]
    assert (unknown.level, f"Guild ({scene.guild.id})" in unknown.todo) == (Level.FAIL, True)
    text = (await scene.examine(scene.text.id))["channel"]
    assert f"Music ({scene.voice.id})" in text.todo
    scene.guild.deny(scene.voice, "connect")
    refused = (await scene.examine())["voice"]
    assert (refused.level, "no permission to connect" in refused.what) == (Level.FAIL, True)
    scene.settings = replace(scene.settings, token="wrong")
    assert "token" in (await scene.examine())["login"].what.lower()
