"""The now-playing message: it ends with its track, never loops on, never spams, and survives a restart."""

from __future__ import annotations

import anyio
import pytest

from actors.discord_port import Trouble
from actors.display import EDIT_EVERY_S, EDITING_GUILDS, edit_every_s
from actors.messages import Enqueue, GetNowPlaying, Notice, SetLoop, Skip, Stop
from actors.queue import Loop
from actors.testing import Guild, tracks

pytestmark = pytest.mark.anyio


async def shown(guild: Guild, *titles: str) -> None:
    """The first title plays and its message stands."""
    await guild.link()
    await guild.ask(Enqueue(tracks(*titles), 7))
    await guild.until(lambda: bool(guild.port.embeds) and titles[0] in str(guild.port.embeds[0].description))


async def test_the_message_ends_with_its_track(guild: Guild) -> None:
    await shown(guild, "song")
    guild.stream.finish()
    await guild.until(lambda: guild.port.embeds[0].title == "Finished")
    count = len(guild.port.log)
    await guild.ask(GetNowPlaying())
    assert len(guild.port.log) == count
    assert len(guild.port.messages) == 1


async def test_the_next_track_takes_over_the_message_at_the_bottom(guild: Guild) -> None:
    await shown(guild, "first", "second")
    await guild.ask(Skip())
    await guild.until(lambda: "second" in str(guild.port.embeds[-1].description))
    assert len(guild.port.messages) == 1
    assert guild.port.log.count("post") == 1


async def test_the_next_track_gets_a_message_below_what_was_said(guild: Guild) -> None:
    await shown(guild, "first", "second")
    guild.port.last += 1  # somebody said something
    await guild.ask(Skip())
    await guild.until(lambda: "delete" in guild.port.log and bool(guild.port.embeds))
    assert len(guild.port.embeds) == 1, "one message per guild"
    assert "second" in str(guild.port.embeds[0].description)


async def test_a_restarted_display_edits_the_message_that_is_there(guild: Guild) -> None:
    await shown(guild, "song")
    await guild.system.kill("guilds/42/display")
    await guild.until(lambda: guild.incarnation("display") == 2)
    await guild.ask(Stop())
    await guild.until(lambda: guild.port.embeds[0].title == "Finished")
    assert guild.port.log.count("post") == 1


@pytest.mark.parametrize("trouble", [Trouble.GONE, Trouble.FORBIDDEN])
async def test_a_message_that_cannot_be_edited_is_let_go_once(guild: Guild, trouble: Trouble) -> None:
    await shown(guild, "first", "second")
    guild.port.trouble = trouble
    await guild.ask(Enqueue(tracks("third"), 7))
    await guild.until(lambda: "edit" in guild.port.log)
    tried = len(guild.port.log)
    for title in "abc":
        await guild.ask(Enqueue(tracks(title), 7))
    await guild.ask(SetLoop(Loop.QUEUE))
    await anyio.sleep(0.2)  # ten times the gap between edits
    assert len(guild.port.log) == tried, "it must not be tried again for the same track"
    guild.port.trouble = None
    await guild.ask(Skip())
    await guild.until(lambda: guild.port.log.count("post") == 2)


async def test_a_channel_without_permission_gets_one_try_per_track(guild: Guild) -> None:
    guild.port.trouble = Trouble.FORBIDDEN
    await guild.link()
    await guild.ask(Enqueue(tracks("a", "b"), 7))
    await guild.until(lambda: guild.port.log == ["post"])
    await guild.ask(Enqueue(tracks("c"), 7))
    await guild.ask(Skip())
    await guild.until(lambda: guild.port.log == ["post", "post"])
    assert guild.stream.titles == ["a", "b"], "the music does not care"


async def test_notices_are_bounded(guild: Guild) -> None:
    for number in range(20):
        guild.ref("display").tell(Notice(f"notice {number}", 7))
    await guild.until(lambda: len(guild.port.notices) == 5)
    await guild.ask(GetNowPlaying())
    assert len(guild.port.notices) == 5


def test_a_thousand_progress_bars_leave_room_for_commands() -> None:
    assert edit_every_s(1) == edit_every_s(EDITING_GUILDS) == EDIT_EVERY_S
    assert all(playing / edit_every_s(playing) <= EDITING_GUILDS / EDIT_EVERY_S for playing in range(1, 3000))
    assert 1000 / edit_every_s(1000) < 100 / edit_every_s(100)
