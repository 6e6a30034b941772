"""The connection actor with links that a test makes and breaks."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest
from structlog.testing import capture_logs

from actors import attending, connecting, voice
from actors.discord_port import Trouble
from actors.messages import (
    AloneTimeout,
    GatewayBack,
    GetVoice,
    Join,
    Leave,
    LinkPhase,
    No,
    Reconnect,
    RestOver,
    Silenced,
    VoiceReport,
    VoiceStates,
)
from actors.recovering import Recovering
from actors.recovery import POLICY, Alert, Outcome
from actors.store import StoreError
from actors.testing import GUILD_ID, FakeLink
from actors.voice import Fault, VoiceError

if TYPE_CHECKING:
    from actors.testing import Guild

pytestmark = pytest.mark.anyio

MUSIC, OTHER, TEXT = 100, 101, 7
LIFECYCLE = {
    "guild_id",
    "voice_channel_id",
    "state",
    "close_code",
    "attempt",
    "failed_attempts",
    "latency_ms",
    "incident",
}
"""Fields of every log line about a voice connection."""


@pytest.fixture(autouse=True)
def prompt_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "VERDICT_S", 0.01)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trouble is told at once, and cooldowns are short."""
    policy = replace(POLICY, tell_after_s=0.01, cooldowns_s=(0.03, 0.04, 0.05))
    monkeypatch.setattr(Recovering, "policy", policy)


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


def kick(guild: Guild) -> None:
    guild.links.lose(4014, "disconnected from the channel", Fault.KICKED)


async def told(guild: Guild, title: str) -> str:
    """Wait for a message about the connection; its text."""
    await guild.until(lambda: any(embed.title == title for embed in guild.port.embeds))
    embed = next(embed for embed in guild.port.embeds if embed.title == title)
    return "\n".join(str(field.value) for field in embed.fields)


# --- joining ------------------------------------------------------------------------------------------------


async def test_a_join_is_answered_at_once_and_done_beside(guild: Guild) -> None:
    guild.links.gate = anyio.Event()
    first = await guild.ask(Join(MUSIC, TEXT), "connection")
    assert first.phase is LinkPhase.JOINING
    again = await guild.ask(Join(MUSIC, TEXT), "connection")
    assert again.attempt == first.attempt, "the same channel twice is one attempt"
    guild.links.gate.set()
    seen = await phase(guild, LinkPhase.READY)
    assert seen.link is not None
    assert (seen.channel_id, seen.link.latency_ms) == (MUSIC, 12.0)
    assert seen.link.mode == "aead_aes256_gcm_rtpsize"
    assert guild.links.log == [f"connect {MUSIC}"]


async def test_where_the_bot_is_meant_to_be_is_known_while_the_connection_is_down(guild: Guild) -> None:
    meant = guild.rooms.watch.meant
    assert meant == set()
    await joined(guild)
    assert meant == {GUILD_ID}
    await guild.system.suspend(f"guilds/{GUILD_ID}/connection")
    guild.links.lose(4006, "session no longer valid")
    assert (guild.links.living, meant) == (None, {GUILD_ID})
    guild.system.resume(f"guilds/{GUILD_ID}/connection")
    await phase(guild, LinkPhase.READY)
    assert meant == {GUILD_ID}
    await guild.ask(Leave(), "connection")
    assert meant == set()


async def test_every_line_about_the_connection_has_the_same_fields(guild: Guild) -> None:
    """And those of one incident its id, from the closure to the outcome."""
    await joined(guild)
    assert guild.links.living is not None
    tell = guild.links.living.on_event
    with capture_logs() as logs:
        for event in (
            voice.Lost(4006, "session no longer valid", resumable=False),
            voice.Failed(4006, "session no longer valid"),
            voice.Waiting(2, 2.3),
            voice.Ready(),
            voice.Moved(OTHER),
        ):
            tell(event)
        await guild.until(lambda: any(line["event"] == "voice_moved" for line in logs))
    lines = {str(line["event"]): line for line in logs if str(line["event"]).startswith("voice_")}
    told = {"voice_state", "voice_attempt_failed", "voice_pause", "voice_incident", "voice_moved"}
    assert lines.keys() == told
    assert all(line.keys() >= LIFECYCLE for line in lines.values())
    failed, pause, over = lines["voice_attempt_failed"], lines["voice_pause"], lines["voice_incident"]
    assert (failed["state"], failed["close_code"], failed["failed_attempts"]) == ("LOST", 4006, 1)
    assert (failed["voice_channel_id"], failed["latency_ms"]) == (MUSIC, 12.0)
    assert pause["delay_s"] == 2.3
    assert failed["incident"] == pause["incident"] == over["incident"] is not None
    assert (over["outcome"], over["close_code"], over["failed_attempts"]) == ("BACK", 4006, 1)
    assert (lines["voice_moved"]["voice_channel_id"], lines["voice_moved"]["incident"]) == (OTHER, None)


async def test_a_refused_join_says_why_and_is_not_repeated(guild: Guild) -> None:
    guild.links.trouble = [VoiceError(4017, "end-to-end encryption required")]
    await guild.ask(Join(MUSIC, TEXT), "connection")
    seen = await phase(guild, LinkPhase.AWAY)
    assert (seen.close_code, seen.problem) == (4017, "end-to-end encryption required")
    assert (seen.channel_id, seen.past) == (None, ())
    assert guild.links.log == [f"connect {MUSIC}"]
    assert not guild.port.messages, "the answer says it"


async def test_a_join_of_a_channel_that_is_gone_or_unknown(guild: Guild) -> None:
    guild.port.deleted = {MUSIC}
    await guild.ask(Join(MUSIC, TEXT), "connection")
    assert "deleted" in str((await phase(guild, LinkPhase.AWAY)).problem)
    guild.port.there = False
    await guild.ask(Join(OTHER, TEXT), "connection")
    assert "connection to Discord" in str((await phase(guild, LinkPhase.AWAY)).problem)
    assert guild.links.log == []


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


async def test_a_join_elsewhere_does_not_wait_for_attempts_that_nobody_wants_any_more(guild: Guild) -> None:
    guild.links.gate = anyio.Event()
    await guild.ask(Join(MUSIC, TEXT), "connection")
    guild.links.living = FakeLink(MUSIC, lambda _event: None, voice.LinkState.CONNECTING)
    await guild.ask(Join(OTHER, TEXT), "connection")
    guild.links.gate.set()
    assert (await phase(guild, LinkPhase.READY)).channel_id == OTHER
    assert guild.links.log[:2] == [f"connect {MUSIC}", "disconnect"]


async def test_a_move_that_fails_leaves_it_where_it_was(guild: Guild) -> None:
    await joined(guild)
    guild.links.trouble = [VoiceError(None, "no permission to connect in Other", Fault.PERMISSION_LOST)]
    assert (await guild.ask(Join(OTHER, TEXT), "connection")).phase is LinkPhase.JOINING
    seen = await phase(guild, LinkPhase.READY)
    assert (seen.channel_id, seen.problem) == (MUSIC, "no permission to connect in Other")
    await guild.ask(Leave(), "connection")
    assert guild.links.living is None


async def test_a_move_is_followed(guild: Guild) -> None:
    await joined(guild)
    assert guild.links.living is not None
    guild.links.living.on_event(voice.Moved(OTHER))
    assert (await report(guild)).channel_id == OTHER
    await guild.ask(Reconnect(), "connection")
    await phase(guild, LinkPhase.READY)
    assert guild.links.log == [f"connect {MUSIC}", "disconnect", f"connect {OTHER}"]


# --- leaving ------------------------------------------------------------------------------------------------


async def test_leave_is_final(guild: Guild) -> None:
    with pytest.raises(No, match="no voice channel"):
        await guild.ask(Leave(), "connection")
    await joined(guild)
    left = await guild.ask(Leave(), "connection")
    assert (left.phase, left.channel_id) == (LinkPhase.AWAY, None)
    await guild.system.kill("guilds/42/connection")
    assert (await report(guild)).phase is LinkPhase.AWAY
    assert guild.links.log == [f"connect {MUSIC}", "disconnect", "release"]
    assert not guild.port.messages


async def test_a_leave_during_a_join_wins(guild: Guild) -> None:
    guild.links.gate = anyio.Event()
    await guild.ask(Join(MUSIC, TEXT), "connection")
    await guild.ask(Leave(), "connection")
    guild.links.gate.set()
    await guild.until(lambda: guild.links.log.count("disconnect") == 2)
    await report(guild)
    assert (await report(guild)).phase is LinkPhase.AWAY
    assert guild.links.living is None


async def test_a_leave_during_a_cooldown_wins(guild: Guild) -> None:
    await joined(guild)
    guild.links.trouble = [VoiceError(4006, "no")]
    guild.links.lose(4006, "gave up")
    resting = await phase(guild, LinkPhase.RESTING)
    assert resting.next_at == pytest.approx(time.time() + POLICY.cooldowns_s[0], abs=5.0)
    left = await guild.ask(Leave(), "connection")
    assert (left.channel_id, left.next_at, left.past[-1].outcome) == (None, None, Outcome.LEFT)
    await told(guild, "Left the voice channel")
    guild.ref("connection").tell(RestOver())
    assert (await report(guild)).phase is LinkPhase.AWAY
    with pytest.raises(No, match="no voice channel"):
        await guild.ask(Leave(), "connection")


async def test_alone_for_long_it_leaves(guild: Guild, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attending, "ALONE_S", 0.05)
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
    guild.port.there = False  # nobody knows who is there
    guild.ref("connection").tell(AloneTimeout())
    assert (await report(guild)).phase is LinkPhase.READY
    guild.port.there = True
    monkeypatch.setattr(attending, "ALONE_S", 0.05)
    guild.ref("connection").tell(VoiceStates())
    await phase(guild, LinkPhase.AWAY)


async def test_a_voice_server_is_asked_after_whenever_somebody_comes_or_goes(guild: Guild) -> None:
    guild.ref("connection").tell(VoiceStates())  # nothing to ask after yet
    await joined(guild)
    link = guild.links.living
    assert link is not None
    guild.ref("connection").tell(VoiceStates())
    await guild.until(lambda: link.asked_after == 1)


async def test_somebody_who_comes_back_in_time_keeps_it(
    guild: Guild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attending, "ALONE_S", 0.1)
    await joined(guild)
    guild.port.people = 0
    guild.ref("connection").tell(VoiceStates())
    await report(guild)
    guild.port.people = 1
    guild.ref("connection").tell(VoiceStates())
    await anyio.sleep(0.2)
    assert (await report(guild)).phase is LinkPhase.READY


# --- fatal causes -------------------------------------------------------------------------------------------


async def test_a_kick_is_final_and_told_once(guild: Guild) -> None:
    await joined(guild)
    kick(guild)
    text = await told(guild, "Disconnected from voice")
    assert "Somebody disconnected the bot" in text
    assert "join or play" in text
    seen = await report(guild)
    assert (seen.channel_id, seen.phase, seen.past[-1].outcome) == (None, LinkPhase.AWAY, Outcome.FATAL)
    assert guild.links.log == [f"connect {MUSIC}"]
    assert len(guild.port.messages) == 1


async def test_a_kick_is_final_even_if_the_actor_is_killed_before_it_is_told(
    guild: Guild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "VERDICT_S", 60.0)
    await joined(guild)
    kick(guild)
    await phase(guild, LinkPhase.AWAY)
    await guild.system.kill("guilds/42/connection")
    await guild.until(lambda: guild.incarnation("connection") == 2)
    assert (await report(guild)).phase is LinkPhase.AWAY
    assert guild.links.log == [f"connect {MUSIC}", "release"]


@pytest.mark.parametrize("whole_tree", [False, True])
async def test_a_kick_is_final_even_if_nobody_hears_of_it(guild: Guild, *, whole_tree: bool) -> None:
    """Chaos, seed 5: whoever follows the link is just being restarted."""
    await joined(guild)
    assert guild.links.living is not None
    guild.links.living.on_event = lambda _event: None
    kick(guild)
    await guild.system.kill("guilds/42" + ("" if whole_tree else "/connection"))
    text = await told(guild, "Disconnected from voice")
    assert "Somebody disconnected the bot" in text
    assert (await report(guild)).phase is LinkPhase.AWAY
    assert guild.links.log == [f"connect {MUSIC}", "release"]
    await joined(guild)


async def test_a_link_that_was_lost_unheard_is_made_again(guild: Guild) -> None:
    await joined(guild)
    assert guild.links.living is not None
    guild.links.living.on_event = lambda _event: None
    guild.links.lose(4006, "gave up")
    await guild.system.kill("guilds/42/connection")
    await guild.until(lambda: guild.incarnation("connection") == 2)
    seen = await phase(guild, LinkPhase.READY)
    assert [closure.label for closure in seen.past[-1].closures] == ["4006"]


async def test_a_deleted_channel_is_told_from_a_kick(guild: Guild) -> None:
    await joined(guild)
    kick(guild)
    guild.port.deleted = {MUSIC}
    assert "The voice channel was deleted" in await told(guild, "Disconnected from voice")
    assert guild.links.log == [f"connect {MUSIC}"]


async def test_a_lost_permission_ends_the_attempts(guild: Guild) -> None:
    await joined(guild)
    guild.links.lose(None, "no permission to connect in Music", Fault.PERMISSION_LOST)
    assert "Give the bot View Channel" in await told(guild, "Disconnected from voice")
    assert guild.links.log == [f"connect {MUSIC}"]


async def test_after_a_kick_an_administrator_brings_it_back(guild: Guild) -> None:
    await joined(guild)
    kick(guild)
    await told(guild, "Disconnected from voice")
    guild.port.bot_at = OTHER
    seen = await guild.ask(Reconnect(OTHER), "connection")
    assert seen.channel_id == MUSIC, "the session's own channel comes first"
    await phase(guild, LinkPhase.READY)


async def test_where_a_reconnect_goes(guild: Guild) -> None:
    with pytest.raises(No, match="join one first"):
        await guild.ask(Reconnect(), "connection")
    third = 102
    assert (await guild.ask(Reconnect(third), "connection")).channel_id == third, "to the asking user"
    await phase(guild, LinkPhase.READY)
    guild.port.deleted = {third}
    guild.port.bot_at = OTHER
    assert (await guild.ask(Reconnect(MUSIC), "connection")).channel_id == OTHER, "to where the bot is"


# --- what may pass ------------------------------------------------------------------------------------------


async def test_what_may_pass_is_tried_again_at_once(guild: Guild) -> None:
    await joined(guild)
    guild.links.lose(4006, "gave up after 5 attempts")
    seen = await phase(guild, LinkPhase.READY)
    assert guild.links.log == [f"connect {MUSIC}"] * 2
    assert [one.outcome for one in seen.past] == [Outcome.BACK]
    assert [closure.label for closure in seen.past[0].closures] == ["4006"]
    assert not guild.port.messages, "it was over soon"


@pytest.mark.usefixtures("impatient")
async def test_after_a_failed_series_it_rests_and_goes_on_while_somebody_waits(guild: Guild) -> None:
    await joined(guild)
    guild.links.trouble = [VoiceError(4006, "no")] * 6
    guild.links.lose(4006, "gave up")
    seen = await phase(guild, LinkPhase.READY)
    assert guild.links.log == [f"connect {MUSIC}"] * 8
    assert seen.past[-1].outcome is Outcome.BACK
    text = await told(guild, "The voice connection is back")
    assert "Session no longer valid (close code 4006)" in text
    assert len(guild.port.messages) == 1, "one message, kept true"


@pytest.mark.usefixtures("impatient")
async def test_it_gives_up_with_a_message_when_nobody_waits(guild: Guild) -> None:
    await joined(guild)
    guild.port.people = 0
    guild.links.trouble = [VoiceError(4006, "no")] * 10
    guild.links.lose(4006, "gave up")
    await told(guild, "The voice connection is lost")
    assert guild.links.log == [f"connect {MUSIC}"] * 5, "at once, and after each of three cooldowns"
    assert (await report(guild)).phase is LinkPhase.AWAY
    await guild.until(lambda: guild.links.vacated == 1)
    guild.links.trouble = []
    await guild.ask(Reconnect(), "connection")
    await phase(guild, LinkPhase.READY)


async def test_a_cooldown_is_kept_until_an_administrator_ends_it(guild: Guild) -> None:
    await joined(guild)
    guild.links.trouble = [VoiceError(4006, "no")]
    guild.links.lose(4006, "gave up")
    await phase(guild, LinkPhase.RESTING)
    seen = await guild.ask(Join(OTHER, TEXT), "connection")
    assert (seen.phase, seen.channel_id) == (LinkPhase.RESTING, OTHER), "the next attempt goes there"
    assert (await guild.ask(Reconnect(), "connection")).phase is LinkPhase.JOINING
    seen = await phase(guild, LinkPhase.READY)
    assert (seen.channel_id, seen.next_at) == (OTHER, None)
    await told(guild, "The voice connection is back")


async def test_a_link_that_recovers_by_itself_is_left_alone(guild: Guild) -> None:
    await joined(guild)
    assert guild.links.living is not None
    guild.links.living.on_event(voice.Lost(4015, "voice server crashed", True))
    await phase(guild, LinkPhase.LOST)
    guild.links.living.on_event(voice.Ready())
    seen = await phase(guild, LinkPhase.READY)
    assert guild.links.log == [f"connect {MUSIC}"]
    assert [(one.outcome, one.silent_s) for one in seen.past] == [(Outcome.BACK, 0.0)]


@pytest.mark.usefixtures("impatient")
async def test_what_lasts_is_told_with_the_next_attempt(guild: Guild) -> None:
    await joined(guild)
    assert guild.links.living is not None
    guild.links.living.on_event(voice.Lost(4006, "session no longer valid", False))
    await told(guild, "Trouble with the voice connection")
    guild.links.living.on_event(voice.Failed(4011, "voice server not found"))
    guild.links.living.on_event(voice.Waiting(2, 7.0))
    seen = await report(guild)
    assert seen.next_at is not None
    eta = f"<t:{round(seen.next_at)}:R>"
    await guild.until(lambda: eta in str(guild.port.embeds[0].fields[1].value))
    assert "Voice server not found (close code 4011)" in str(guild.port.embeds[0].fields[0].value)
    guild.links.living.on_event(voice.Ready())
    await told(guild, "The voice connection is back")
    assert len(guild.port.messages) == 1


async def test_a_pause_for_want_of_the_gateway_ends_with_its_return(guild: Guild) -> None:
    await joined(guild)
    guild.links.trouble = [VoiceError(None, "the main gateway is not connected", Fault.GATEWAY_AWAY)]
    guild.links.lose(4006, "gave up")
    await phase(guild, LinkPhase.RESTING)
    assert guild.rooms.watch.guilds == {42}, "whom to tell"
    guild.ref("connection").tell(GatewayBack())
    await phase(guild, LinkPhase.READY)
    assert not guild.rooms.watch.guilds


async def test_other_pauses_are_not_ended_by_the_gateways_return(guild: Guild) -> None:
    await joined(guild)
    guild.links.trouble = [VoiceError(4006, "no")]
    guild.links.lose(4006, "gave up")
    await phase(guild, LinkPhase.RESTING)
    guild.ref("connection").tell(GatewayBack())
    assert (await report(guild)).phase is LinkPhase.RESTING


@pytest.mark.parametrize(("muted", "words"), [(True, "muted on this server"), (False, "may not speak")])
async def test_a_bot_that_nobody_hears_says_so(guild: Guild, muted: bool, words: str) -> None:
    await joined(guild)
    guild.ref("connection").tell(Silenced(muted))
    await guild.until(lambda: bool(guild.port.notices))
    assert words in guild.port.notices[0]
    assert (await report(guild)).phase is LinkPhase.READY


@pytest.mark.usefixtures("impatient")
async def test_trouble_that_cannot_be_told_is_put_right_all_the_same(guild: Guild) -> None:
    guild.port.trouble = Trouble.FORBIDDEN
    await joined(guild)
    guild.links.trouble = [VoiceError(4006, "no")] * 2
    guild.links.lose(4006, "gave up")
    await phase(guild, LinkPhase.READY)
    assert guild.links.log == [f"connect {MUSIC}"] * 4


async def test_three_unknown_close_codes_in_a_row_are_an_alert(guild: Guild) -> None:
    alerts: list[Alert] = []
    guild.rooms.watch.on_alert = alerts.append
    await joined(guild)
    assert guild.links.living is not None
    for code in (4990, 4991, 4992):
        guild.links.living.on_event(voice.Lost(code, "unknown close code", False))
        guild.links.living.on_event(voice.Ready())
    await report(guild)
    (alert,) = alerts
    assert (alert.name, alert.guild_id) == ("unknown_close_codes", 42)
    assert "4992" in alert.words


# --- a connection actor that is killed ----------------------------------------------------------------------


async def test_a_successor_claims_the_link(guild: Guild) -> None:
    await joined(guild)
    await guild.system.kill("guilds/42/connection")
    seen = await phase(guild, LinkPhase.READY)
    assert seen.channel_id == MUSIC
    assert guild.links.log == [f"connect {MUSIC}", "release"]
    kick(guild)
    await phase(guild, LinkPhase.AWAY)
    await told(guild, "Disconnected from voice")


async def test_a_successor_goes_on_with_the_join(guild: Guild) -> None:
    guild.links.gate = anyio.Event()
    await guild.ask(Join(MUSIC, TEXT), "connection")
    await guild.system.kill("guilds/42/connection")
    guild.links.gate.set()
    await phase(guild, LinkPhase.READY)
    assert guild.links.log == [f"connect {MUSIC}", "release", f"connect {MUSIC}"]


async def test_a_successor_keeps_the_cooldown_and_the_message(guild: Guild) -> None:
    await joined(guild)
    guild.links.trouble = [VoiceError(4006, "no")]
    guild.links.lose(4006, "gave up")
    before = await phase(guild, LinkPhase.RESTING)
    await told(guild, "Trouble with the voice connection")
    await guild.system.kill("guilds/42/connection")
    await guild.system.kill("guilds/42/display")
    after = await phase(guild, LinkPhase.RESTING)
    assert (after.next_at, after.incident) == (before.next_at, before.incident)
    guild.ref("connection").tell(RestOver())
    seen = await phase(guild, LinkPhase.READY)
    assert before.incident is not None
    assert seen.past[-1].id == before.incident.id
    await told(guild, "The voice connection is back")
    assert len(guild.port.messages) == 1


async def test_a_successor_sees_the_end_of_what_its_predecessor_recovered_from(guild: Guild) -> None:
    await joined(guild)
    assert guild.links.living is not None
    guild.links.living.state = voice.LinkState.RECONNECTING
    guild.links.living.on_event(voice.Lost(4006, "session no longer valid", False))
    before = await phase(guild, LinkPhase.LOST)
    await guild.system.kill("guilds/42/connection")
    guild.links.living.state = voice.LinkState.READY
    await guild.until(lambda: guild.incarnation("connection") == 2)
    guild.links.living.on_event(voice.Ready())
    seen = await phase(guild, LinkPhase.READY)
    assert before.incident is not None
    assert [one.id for one in seen.past] == [before.incident.id]


async def test_who_asks_again_is_told_when_it_is_saved(guild: Guild, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chaos, seed 708: a bot that was where it had been called said for minutes that this was not saved."""
    put = guild.store.put

    async def refuse(*_all: object, **_options: object) -> None:
        raise StoreError("full")

    monkeypatch.setattr(guild.store, "put", refuse)
    assert not (await guild.ask(Join(MUSIC, TEXT), "connection")).saved
    await guild.until(lambda: guild.links.log == [f"connect {MUSIC}"])
    assert not (await guild.ask(Join(MUSIC, TEXT), "connection")).saved
    monkeypatch.setattr(guild.store, "put", put)
    assert (await guild.ask(Join(MUSIC, TEXT), "connection")).saved
    assert guild.links.log == [f"connect {MUSIC}"]
