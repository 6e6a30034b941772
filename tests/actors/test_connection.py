"""The connection actor with links that a test makes and breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from actors import connection, voice
from actors.messages import (
    AloneTimeout,
    GetVoice,
    Join,
    Leave,
    LinkPhase,
    No,
    Reconnect,
    VoiceReport,
    VoiceStates,
)
from actors.voice import VoiceError

if TYPE_CHECKING:
    from actors.testing import Guild

pytestmark = pytest.mark.anyio

MUSIC, OTHER, TEXT = 100, 101, 7


async def report(guild: Guild) -> VoiceReport:
    answer: VoiceReport = await guild.ask(GetVoice(), "connection")
    return answer


async def phase(guild: Guild, wanted: LinkPhase) -> VoiceReport:
    """Wait until the connection stands so."""
    with anyio.fail_after(20):
        while (seen := await report(guild)).phase is not wanted:  # noqa: ASYNC110 - asked, not told
            await anyio.sleep(0.005)
    return seen


async def joined(guild: Guild, channel_id: int = MUSIC) -> None:
    await guild.ask(Join(channel_id, TEXT), "connection")
    await phase(guild, LinkPhase.READY)


async def test_a_join_is_answered_at_once_and_done_beside(guild: Guild) -> None:
    guild.links.gate = anyio.Event()
    first = await guild.ask(Join(MUSIC, TEXT), "connection")
    assert first.phase is LinkPhase.JOINING
    again = await guild.ask(Join(MUSIC, TEXT), "connection")
    assert again.attempt == first.attempt, "the same channel twice is one attempt"
    guild.links.gate.set()
    seen = await phase(guild, LinkPhase.READY)
    assert (seen.channel_id, seen.latency_ms, seen.mode) == (MUSIC, 12.0, "aead_aes256_gcm_rtpsize")
    assert guild.links.log == [f"connect {MUSIC}"]


async def test_a_refused_join_says_why_and_is_not_repeated(guild: Guild) -> None:
    guild.links.trouble = [VoiceError(4017, "end-to-end encryption required")]
    await guild.ask(Join(MUSIC, TEXT), "connection")
    seen = await phase(guild, LinkPhase.AWAY)
    assert (seen.close_code, seen.problem) == (4017, "end-to-end encryption required")
    assert seen.channel_id is None
    assert guild.links.log == [f"connect {MUSIC}"]


async def test_a_successor_claims_the_link(guild: Guild) -> None:
    await joined(guild)
    await guild.system.kill("guilds/42/connection")
    seen = await phase(guild, LinkPhase.READY)
    assert seen.channel_id == MUSIC
    assert guild.links.log == [f"connect {MUSIC}", "release"]
    guild.links.lose(4014, "disconnected from the channel")
    await phase(guild, LinkPhase.AWAY)


async def test_a_successor_goes_on_with_the_join(guild: Guild) -> None:
    guild.links.gate = anyio.Event()
    await guild.ask(Join(MUSIC, TEXT), "connection")
    await guild.system.kill("guilds/42/connection")
    guild.links.gate.set()
    await phase(guild, LinkPhase.READY)
    assert guild.links.log == [f"connect {MUSIC}", "release", f"connect {MUSIC}"]


async def test_a_kick_is_final_and_told_once(guild: Guild) -> None:
    await joined(guild)
    guild.links.lose(4014, "disconnected from the channel")
    await guild.until(lambda: bool(guild.port.notices))
    assert "disconnected from the channel" in guild.port.notices[0]
    assert (await report(guild)).channel_id is None
    assert guild.links.log == [f"connect {MUSIC}"]


async def test_what_may_pass_is_tried_again(guild: Guild) -> None:
    await joined(guild)
    guild.links.lose(4006, "gave up after 5 attempts")
    await phase(guild, LinkPhase.READY)
    assert guild.links.log == [f"connect {MUSIC}"] * 2
    assert not guild.port.notices


async def test_retries_are_bounded_and_their_end_is_told(
    guild: Guild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "RETRIES_S", (0.0, 0.01, 0.01))
    await joined(guild)
    guild.links.trouble = [VoiceError(4006, "no")] * 10
    guild.links.lose(4006, "gave up")
    await guild.until(lambda: bool(guild.port.notices))
    assert guild.links.log == [f"connect {MUSIC}"] * 4
    assert "connection is lost" in guild.port.notices[0]
    guild.links.trouble = []
    await guild.ask(Reconnect(), "connection")
    await phase(guild, LinkPhase.READY)


async def test_a_link_that_recovers_by_itself_is_left_alone(guild: Guild) -> None:
    await joined(guild)
    assert guild.links.living is not None
    guild.links.living.on_event(voice.Lost(4015, "voice server crashed", True))
    await phase(guild, LinkPhase.LOST)
    guild.links.living.on_event(voice.Ready())
    await phase(guild, LinkPhase.READY)
    assert guild.links.log == [f"connect {MUSIC}"]


async def test_a_move_is_followed(guild: Guild) -> None:
    await joined(guild)
    assert guild.links.living is not None
    guild.links.living.on_event(voice.Moved(OTHER))
    assert (await report(guild)).channel_id == OTHER
    await guild.ask(Reconnect(), "connection")
    await phase(guild, LinkPhase.READY)
    assert guild.links.log == [f"connect {MUSIC}", "disconnect", f"connect {OTHER}"]


async def test_leave_is_final(guild: Guild) -> None:
    with pytest.raises(No, match="no voice channel"):
        await guild.ask(Leave(), "connection")
    await joined(guild)
    left = await guild.ask(Leave(), "connection")
    assert (left.phase, left.channel_id) == (LinkPhase.AWAY, None)
    await guild.system.kill("guilds/42/connection")
    assert (await report(guild)).phase is LinkPhase.AWAY
    assert guild.links.log == [f"connect {MUSIC}", "disconnect", "release"]
    assert not guild.port.notices


async def test_a_leave_during_a_join_wins(guild: Guild) -> None:
    guild.links.gate = anyio.Event()
    await guild.ask(Join(MUSIC, TEXT), "connection")
    await guild.ask(Leave(), "connection")
    guild.links.gate.set()
    await guild.until(lambda: guild.links.log.count("disconnect") == 2)
    await report(guild)
    assert (await report(guild)).phase is LinkPhase.AWAY
    assert guild.links.living is None


async def test_a_leave_between_two_attempts_wins(guild: Guild, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "RETRIES_S", (60.0,))
    await joined(guild)
    guild.links.lose(4006, "gave up")
    await phase(guild, LinkPhase.AWAY)
    left = await guild.ask(Leave(), "connection")
    assert left.channel_id is None
    with pytest.raises(No, match="no voice channel"):
        await guild.ask(Leave(), "connection")


async def test_a_move_that_fails_leaves_it_where_it_was(guild: Guild) -> None:
    await joined(guild)
    guild.links.trouble = [VoiceError(None, "no permission to connect in Other")]
    assert (await guild.ask(Join(OTHER, TEXT), "connection")).phase is LinkPhase.JOINING
    seen = await phase(guild, LinkPhase.READY)
    assert (seen.channel_id, seen.problem) == (MUSIC, "no permission to connect in Other")
    await guild.ask(Leave(), "connection")
    assert guild.links.living is None


async def test_a_link_that_ends_before_its_join_is_told_is_made_again(guild: Guild) -> None:
    guild.links.gate = anyio.Event()
    guild.links.ends = 1
    await guild.ask(Join(MUSIC, TEXT), "connection")
    guild.links.gate.set()
    await guild.until(lambda: len(guild.links.log) == 2)
    await phase(guild, LinkPhase.READY)


async def test_a_join_elsewhere_during_a_join_wins(guild: Guild) -> None:
    guild.links.gate = anyio.Event()
    await guild.ask(Join(MUSIC, TEXT), "connection")
    await guild.ask(Join(OTHER, TEXT), "connection")
    guild.links.gate.set()
    seen = await phase(guild, LinkPhase.READY)
    assert seen.channel_id == OTHER


async def test_alone_for_long_it_leaves(guild: Guild, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "ALONE_S", 0.05)
    await joined(guild)
    guild.port.people = 0
    guild.ref("connection").tell(VoiceStates())
    await phase(guild, LinkPhase.AWAY)
    await guild.until(lambda: bool(guild.port.notices))
    assert "nobody was there" in guild.port.notices[0]


async def test_after_a_false_alarm_it_leaves_when_it_is_alone(
    guild: Guild, monkeypatch: pytest.MonkeyPatch
) -> None:
    await joined(guild)
    guild.port.people = 0
    guild.ref("connection").tell(VoiceStates())
    await report(guild)
    guild.port.people = 1  # nobody tells: Discord's client was away
    guild.ref("connection").tell(AloneTimeout())
    assert (await report(guild)).phase is LinkPhase.READY
    guild.port.people = 0
    monkeypatch.setattr(connection, "ALONE_S", 0.05)
    guild.ref("connection").tell(VoiceStates())
    await phase(guild, LinkPhase.AWAY)


async def test_somebody_who_comes_back_in_time_keeps_it(
    guild: Guild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ALONE_S", 0.1)
    await joined(guild)
    guild.port.people = 0
    guild.ref("connection").tell(VoiceStates())
    await report(guild)
    guild.port.people = 1
    guild.ref("connection").tell(VoiceStates())
    await anyio.sleep(0.2)
    assert (await report(guild)).phase is LinkPhase.READY
