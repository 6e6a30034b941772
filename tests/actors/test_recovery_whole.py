"""The whole bot in trouble, one guild for each kind: what is told in the text channel, and who comes back.

All of them at once, in one bot: what happens to one guild is nothing to the others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from actors.app import open_bot
from actors.messages import GetVoice, LinkPhase
from actors.recovering import Recovering
from actors.recovery import POLICY, Outcome
from actors.settings import Address, Settings
from loopback import Loopback
from loopback.listening.listener import NoteKind

if TYPE_CHECKING:
    from pathlib import Path

    from actors.app import OpenBot
    from actors.messages import VoiceReport

pytestmark = pytest.mark.anyio


class Place:
    """A guild with somebody who has called the bot."""

    def __init__(self, discord: Loopback, name: str) -> None:
        self.discord = discord
        self.bot: Any = None
        self.guild = discord.add_guild(name)
        self.text = self.guild.add_text_channel("general")
        self.voice = self.guild.add_voice_channel("Music")
        self.user = discord.add_user(f"listener of {name}")
        self.guild.add_member(self.user)
        self.faults = discord.faults.of(self.guild)

    async def call(self, bot: OpenBot) -> None:
        self.bot = bot
        await self.user.wait_command(self.text, "join", 30)
        await self.user.join(self.voice)
        await (await self.user.slash(self.text, "join")).wait_answer(20.0)
        assert (await self.report()).phase is LinkPhase.READY

    async def report(self) -> VoiceReport:
        connection = self.bot.system.lookup(f"guilds/{self.guild.id}/connection")
        answer: VoiceReport = await connection.ask(GetVoice())
        return answer

    async def told(self, *words: str) -> None:
        """Wait for a message that says all of that; it stays the only one about the voice connection."""
        await self.text.wait_message(lambda each: all(word in str(each.embeds) for word in words), 20.0)
        assert len(self.about_voice) == 1, self.about_voice

    @property
    def about_voice(self) -> list[Any]:
        return [each for each in self.text.messages if each.embeds]

    async def gone(self) -> None:
        """Wait until the bot does not sit in the channel any more."""
        await self.guild.wait_voice(self.discord.bot, None)

    async def back(self, causes: list[str]) -> None:
        """Wait for the end of the incident, which had these causes."""
        with anyio.fail_after(20):
            while not (seen := await self.report()).past:  # noqa: ASYNC110 - asked, not told
                await anyio.sleep(0.02)
        assert seen.past[-1].outcome is Outcome.BACK
        assert [closure.label for closure in seen.past[-1].closures] == causes
        assert seen.phase is LinkPhase.READY


async def kicked(place: Place) -> None:
    place.faults.place.kick()
    await place.told("Disconnected from voice", "Somebody disconnected the bot", "Use join or play")
    assert (await place.report()).phase is LinkPhase.AWAY


async def deleted(place: Place) -> None:
    place.faults.place.delete_channel()
    await place.told("Disconnected from voice", "The voice channel was deleted")
    assert (await place.report()).phase is LinkPhase.AWAY


async def throttled(place: Place) -> None:
    """Who is told not to come back does not."""
    place.faults.voice.close(4021)
    await place.told("Disconnected from voice", "rate limiting (close code 4021)", "Wait some minutes")
    assert (await place.report()).phase is LinkPhase.AWAY
    await place.gone()
    await anyio.sleep(1.5)  # others have trouble for longer
    assert len(place.guild.listener.noted(NoteKind.IDENTIFIED)) == 1


async def forbidden(place: Place) -> None:
    place.faults.place.lose_permission("connect")
    place.faults.voice.close(4014)
    await place.told("Disconnected from voice", "may not be in the voice channel", "Give the bot")
    assert (await place.report()).phase is LinkPhase.AWAY
    await place.gone()


async def silenced(place: Place) -> None:
    with place.faults.place.lose_permission("speak"):
        await place.text.wait_message(lambda each: "I may not speak" in each.content, 20.0)
        assert (await place.report()).phase is LinkPhase.READY


async def dropped(place: Place) -> None:
    place.faults.voice.close(4014)
    await place.back(["4014"])
    assert not place.about_voice, "it was over soon"
    status = await (await place.user.slash(place.text, "voicestatus")).wait_answer(20.0)
    assert all(
        words in str(status.embeds) for words in ("aead_", "4014: disconnected", "back", "1 incident, ")
    ), status.embeds


async def refused(place: Place) -> None:
    """4006, and the next identifies too: attempts at once, at once, and after 2 s."""
    place.faults.voice.refuse_identifies([4006, 4006])
    place.faults.voice.close(4006)
    await place.told("Trouble with the voice connection", "Session no longer valid (close code 4006)", "<t:")
    await place.back(["4006"] * 3)
    await place.told("The voice connection is back")


KINDS = (kicked, deleted, throttled, forbidden, silenced, dropped, refused)


async def test_each_kind_of_trouble_is_handled_on_purpose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With less patience than the policy has, so that it need not be waited out."""
    monkeypatch.setattr(Recovering, "policy", replace(POLICY, tell_after_s=1.2))
    async with Loopback() as discord:
        places = [(kind, Place(discord, kind.__name__)) for kind in KINDS]
        host, port = discord.address.rsplit(":", 1)
        settings = Settings(
            token=discord.token,
            data_dir=tmp_path,
            discord_address=Address(host, int(port)),
            discord_ca=discord.ca_file,
            admin_socket=tmp_path / "admin.sock",
        )
        async with open_bot(settings) as bot:
            async with anyio.create_task_group() as tasks:
                for _, place in places:
                    tasks.start_soon(place.call, bot)
            async with anyio.create_task_group() as tasks:
                for kind, place in places:
                    tasks.start_soon(kind, place)
