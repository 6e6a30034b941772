"""What a connection does after a restart of the whole process, by what the last one left behind."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from actors import connecting
from actors.envelope import decode, encode
from actors.guild import guilds_to_restore
from actors.messages import GetVoice, GuildThere, Join, Leave, LinkPhase, Reconnect, VoiceStates
from actors.recovering import Recovering
from actors.recovery import POLICY, Health, Incident, Outcome, Recovery, State, Timeline, to_plain
from actors.store import Position, Store
from actors.testing import GUILD_ID, Guild, open_guild
from actors.voice import Fault, cause_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from actors.messages import VoiceReport

pytestmark = pytest.mark.anyio

MUSIC, OTHER, TEXT = 100, 101, 7
PLAYED = Recovery(State.STABLE, 1.0)


def left_behind(recovery: Recovery = PLAYED, **more: Any) -> dict[str, Any]:
    """The state of a connection of another process."""
    return {
        "boot": "another process",
        "channel_id": MUSIC,
        "home_id": MUSIC,
        "text_channel_id": TEXT,
        "override": False,
        "health": {},
        "recovery": to_plain(recovery, Timeline()),
    } | more


@asynccontextmanager
async def restarted(
    folder: Path, state: dict[str, Any], *, people: int = 1, there: bool = True
) -> AsyncIterator[Guild]:
    """A guild's tree on that state."""
    store = Store(folder / "state.sqlite3")
    store.open()
    await store.put(GUILD_ID, "connection", encode(state))
    await store.aclose()
    async with open_guild(folder, people=people, there=there) as guild:
        yield guild


async def kept(store: Store) -> dict[str, Any]:
    """The state of the connection as it is on disk."""
    blob = await store.get(GUILD_ID, "connection")
    assert blob is not None
    return decode("connection", blob)


async def report(guild: Guild) -> VoiceReport:
    answer: VoiceReport = await guild.ask(GetVoice(), "connection")
    return answer


async def health_of(guild: Guild) -> Health:
    health = (await report(guild)).health
    assert health is not None
    return health


async def phase(guild: Guild, wanted: LinkPhase) -> VoiceReport:
    with anyio.fail_after(20):
        while (seen := await report(guild)).phase is not wanted:  # noqa: ASYNC110 - asked, not told
            await anyio.sleep(0.005)
    return seen


async def test_it_comes_back_to_its_channel_where_somebody_is(tmp_path: Path) -> None:
    async with restarted(tmp_path, left_behind()) as guild:
        seen = await phase(guild, LinkPhase.READY)
        assert seen.channel_id == MUSIC
        assert [each.outcome for each in seen.past] == [Outcome.BACK]
        assert [each.label for each in seen.past[0].closures] == ["restarted"]
        assert guild.port.notices == []


async def test_it_comes_back_to_where_it_had_been_moved_to_though_that_was_not_saved(tmp_path: Path) -> None:
    """Chaos, seed 31: moved while the disk was full, and killed a second later; its place was still there."""
    async with restarted(tmp_path, left_behind(), there=False) as guild:
        guild.port.bot_at, guild.port.there = OTHER, True
        guild.ref("connection").tell(GuildThere())
        assert (await phase(guild, LinkPhase.READY)).channel_id == OTHER
        assert guild.links.log == [f"connect {OTHER}"]
        assert (await kept(guild.store))["channel_id"] == OTHER


async def test_it_waits_for_discord_before_it_decides(tmp_path: Path) -> None:
    async with restarted(tmp_path, left_behind(), there=False) as guild:
        assert (await report(guild)).phase is LinkPhase.RETURNING
        assert guild.links.log == []
        guild.port.there = True
        guild.ref("connection").tell(GuildThere())
        await phase(guild, LinkPhase.READY)


async def test_it_stays_out_of_an_empty_channel_until_somebody_comes(tmp_path: Path) -> None:
    async with restarted(tmp_path, left_behind(), people=0) as guild:
        guild.ref("connection").tell(GuildThere())
        guild.ref("connection").tell(VoiceStates())
        assert (await report(guild)).phase is LinkPhase.RETURNING
        guild.port.people = 1
        guild.ref("connection").tell(VoiceStates())
        await phase(guild, LinkPhase.READY)


@pytest.mark.parametrize("channel_id", [MUSIC, 101])
async def test_it_can_be_asked_before_that(tmp_path: Path, channel_id: int) -> None:
    async with restarted(tmp_path, left_behind(), people=0) as guild:
        await guild.ask(Join(channel_id, TEXT), "connection")
        assert (await phase(guild, LinkPhase.READY)).channel_id == channel_id


async def test_it_can_be_sent_away_before_that_and_stays_away(tmp_path: Path) -> None:
    async with restarted(tmp_path, left_behind(), people=0) as guild:
        assert (await guild.ask(Leave(), "connection")).phase is LinkPhase.AWAY
        guild.port.people = 1
        guild.ref("connection").tell(VoiceStates())
        assert (await report(guild)).phase is LinkPhase.AWAY
        assert await guilds_to_restore(guild.store) == []


async def test_it_does_not_come_back_to_where_it_is_not_wanted(tmp_path: Path) -> None:
    async with restarted(tmp_path, left_behind(channel_id=None)) as guild:
        guild.ref("connection").tell(GuildThere())
        assert (await report(guild)).phase is LinkPhase.AWAY
        assert guild.links.log == []


async def test_a_channel_that_was_deleted_meanwhile_is_told(tmp_path: Path) -> None:
    async with restarted(tmp_path, left_behind(), there=False) as guild:
        guild.port.deleted, guild.port.there = {MUSIC}, True
        guild.ref("connection").tell(GuildThere())
        await phase(guild, LinkPhase.AWAY)
        await guild.until(lambda: bool(guild.port.embeds))
        assert "deleted" in str(guild.port.embeds[0].to_dict())
        assert await guilds_to_restore(guild.store) == []


def resting(left_s: float) -> Recovery:
    """A cooldown runs after two failed series."""
    cause = cause_of(None, Fault.UNREACHABLE)
    incident = Incident("1234", time.time() - 60).noted(time.time() - 60, cause).silenced(time.time() - 60)
    return Recovery(
        State.RETRYING, 1.0, incident, cause, series=2, told=True, resting=True, next_at=time.time() + left_s
    )


async def test_a_cooldown_is_waited_out_and_its_incident_goes_on(tmp_path: Path) -> None:
    async with restarted(tmp_path, left_behind(resting(1.0))) as guild:
        seen = await phase(guild, LinkPhase.RESTING)
        assert guild.links.log == []
        assert seen.incident is not None
        seen = await phase(guild, LinkPhase.READY)
        assert [each.id for each in seen.past] == ["1234"]


async def test_a_clock_that_was_wrong_makes_no_cooldown_longer_than_any_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Recovering, "policy", replace(POLICY, cooldowns_s=(0.05,)))
    async with restarted(tmp_path, left_behind(resting(40 * 86400.0))) as guild:
        await phase(guild, LinkPhase.READY)


async def test_a_wall_clock_that_is_set_makes_no_silence_longer(
    guild: Guild, monkeypatch: pytest.MonkeyPatch
) -> None:
    await guild.ask(Join(MUSIC, TEXT), "connection")
    await phase(guild, LinkPhase.READY)
    guild.links.gate = anyio.Event()
    guild.links.lose(4006, "session no longer valid")
    await phase(guild, LinkPhase.JOINING)
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + 40 * 86400.0)
    guild.links.gate.set()
    seen = await phase(guild, LinkPhase.READY)
    assert 0.0 < seen.past[0].silent_s < 3600.0


@pytest.mark.parametrize(("left_s", "override"), [(-5.0, False), (300.0, True)])
async def test_a_cooldown_that_is_over_or_overridden_holds_nobody_up(
    tmp_path: Path, left_s: float, override: bool
) -> None:
    async with restarted(tmp_path, left_behind(resting(left_s), override=override)) as guild:
        await phase(guild, LinkPhase.READY)


async def test_an_override_is_kept_until_the_connection_is_back(tmp_path: Path, guild: Guild) -> None:
    guild.links.gate = anyio.Event()
    await guild.ask(Reconnect(MUSIC, TEXT), "connection")
    assert (await kept(guild.store))["override"] is True
    guild.links.gate.set()
    await phase(guild, LinkPhase.READY)
    state = await kept(guild.store)
    assert (state["override"], state["channel_id"]) == (False, MUSIC)


async def test_health_is_kept_over_restarts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "HEALTH_S", 0.01)
    monkeypatch.setattr(Recovering, "policy", replace(POLICY, cooldowns_s=(0.01,)))
    before = Health(close_code=4006, reason="session no longer valid", attempts=3, failed_at=5.0)
    async with restarted(tmp_path, left_behind(health=before.to_dict()), there=False) as guild:
        assert (await report(guild)).health == before
        guild.port.there = True
        guild.ref("connection").tell(GuildThere())
        await phase(guild, LinkPhase.READY)
        with anyio.fail_after(20):
            while (health := await health_of(guild)).ping_ms is None:  # noqa: ASYNC110 - asked, not told
                await anyio.sleep(0.005)
        assert (health.attempts, health.failed_at, health.ping_ms) == (0, None, 12.0)
        assert (health.close_code, health.reason) == (4006, "session no longer valid")
        assert health.success_at is not None
        assert health.heartbeat_at is not None
        assert health.attempt_at is not None
        assert health.attempt_at <= health.success_at
    store = Store(tmp_path / "state.sqlite3")
    store.open()
    assert Health.from_dict((await kept(store))["health"]).ping_ms == 12.0
    await store.aclose()


async def test_guilds_with_music_are_restored_first_and_corrupt_rows_are_looked_at(guild: Guild) -> None:
    for guild_id, blob in (
        (1, encode(left_behind())),
        (2, encode(left_behind(channel_id=None))),
        (3, b"\xc1"),
        (4, encode(left_behind())),
    ):
        await guild.store.put(guild_id, "connection", blob, Position("a", 0) if guild_id == 4 else None)
    assert await guilds_to_restore(guild.store) == [4, 1, 3]
