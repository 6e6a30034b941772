"""The player among its siblings: what is heard, and what the restart of an actor changes (nothing)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from actors.envelope import encode
from actors.media import ErrorKind, MediaError, Track
from actors.messages import (
    Enqueue,
    GetFate,
    GetNowPlaying,
    GetQueue,
    Move,
    No,
    Pause,
    Phase,
    Remove,
    Resume,
    Seek,
    SetEffect,
    SetLoop,
    SetVolume,
    Shuffle,
    Skip,
    Stop,
)
from actors.queue import SHORT_ID, Loop, Queue, QueueLimits
from actors.session import Session, to_plain
from actors.store import Position, Store
from actors.testing import GUILD_ID, Guild, open_guild, tracks
from actors.voice import Expected

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def playing(guild: Guild, entries: tuple[Track, ...]) -> None:
    """The first of the entries plays; the following one, if any, is queued behind it."""
    await guild.link()
    await guild.ask(Enqueue(entries, 7))
    await guild.until(lambda: guild.stream.current is not None)
    if len(entries) > 1:
        await guild.until(lambda: guild.stream.next is not None)


async def test_what_is_enqueued_is_heard_in_order_without_a_gap(guild: Guild) -> None:
    await playing(guild, tracks("a", "b", "c"))
    guild.stream.finish()
    assert guild.stream.titles == ["a", "b"], "the second track must follow in the same tick"
    await guild.until(lambda: guild.stream.next is not None)
    guild.stream.finish()
    await guild.until(lambda: guild.stream.next is None)
    guild.stream.finish()
    assert guild.stream.titles == ["a", "b", "c"]
    assert guild.stream.plays == 1
    await guild.until(lambda: guild.stream.current is None)
    assert (await guild.ask(GetNowPlaying())).phase is Phase.IDLE


async def test_nothing_plays_before_the_link_is_ready(guild: Guild) -> None:
    await guild.ask(Enqueue(tracks("a"), 7))
    assert (await guild.ask(GetNowPlaying())).phase is Phase.WAITING
    assert guild.stream.current is None
    await guild.link()
    await guild.until(lambda: guild.stream.current is not None)


async def test_a_killed_player_takes_over_what_is_heard(guild: Guild) -> None:
    await playing(guild, tracks("a", "b", "c"))
    guild.stream.position = 120
    before = guild.stream.current, guild.stream.next
    await guild.system.kill("guilds/42/player")
    now = await guild.ask(GetNowPlaying())
    assert guild.incarnation("player") == 2
    assert (guild.stream.current, guild.stream.next) == before
    assert guild.stream.plays == 1
    assert now.track.title == "a"
    assert now.position_s == pytest.approx(2.4)
    assert [track.title for track in (await guild.ask(GetQueue())).entries] == ["b", "c"]


async def test_a_track_that_began_while_the_player_was_down_is_current(guild: Guild) -> None:
    await playing(guild, tracks("a", "b", "c"))
    on_event, guild.stream.on_event = guild.stream.on_event, lambda _event: None
    guild.stream.finish()  # nobody was told
    await guild.system.kill("guilds/42/player")
    now = await guild.ask(GetNowPlaying())
    assert now.track.title == "b"
    assert guild.stream.on_event is not on_event, "the successor listens"
    assert [track.title for track in (await guild.ask(GetQueue())).entries] == ["c"]
    await guild.until(lambda: guild.stream.next is not None)
    guild.stream.finish()
    assert guild.stream.titles == ["a", "b", "c"]


async def test_all_that_ended_while_the_player_was_down_is_over(guild: Guild) -> None:
    await playing(guild, tracks("a", "b"))
    await guild.system.kill("guilds/42/player")
    guild.stream.finish()
    guild.stream.finish()
    await guild.until(lambda: guild.incarnation("player") == 2)
    await guild.link()
    assert (await guild.ask(GetNowPlaying())).phase is Phase.IDLE
    assert guild.stream.titles == ["a", "b"]


@pytest.mark.parametrize("actor", ["persistence", "preloader", "display", "connection"])
async def test_no_sibling_that_dies_is_heard(guild: Guild, actor: str) -> None:
    await playing(guild, tracks("a", "b", "c"))
    before = guild.stream.current, guild.stream.next
    await guild.system.kill(f"guilds/42/{actor}")
    await guild.until(lambda: guild.incarnation(actor) == 2)
    assert (await guild.ask(GetNowPlaying())).track.title == "a"
    assert (guild.stream.current, guild.stream.next) == before
    assert not any(spool.closed for spool in guild.media.spools[:2])
    await guild.ask(SetLoop(Loop.QUEUE))


async def test_the_whole_guild_can_be_killed_unheard(guild: Guild) -> None:
    await playing(guild, tracks("a", "b"))
    before = guild.stream.current
    await guild.system.kill("guilds/42")
    await guild.until(lambda: guild.incarnation("display") > 0)
    assert (await guild.ask(GetNowPlaying())).track.title == "a"
    assert guild.stream.current == before
    assert guild.stream.plays == 1


async def test_what_should_be_heard_is_declared_and_outlives_who_declared_it(guild: Guild) -> None:
    """By it health judges silence: a player that is held, or gone, does not make silence well."""
    await playing(guild, tracks("a"))

    def expected() -> Expected:
        return guild.stream.expected

    assert expected() is Expected.NOW
    await guild.ask(Pause())
    assert expected() is Expected.NOTHING
    await guild.ask(Resume())
    assert expected() is Expected.NOW
    guild.media.eager = None
    await guild.ask(Enqueue(tracks("b"), 7))
    await guild.ask(Skip())
    assert expected() is Expected.SOON
    guild.media.spools[-1].make(500)
    await guild.until(lambda: expected() is Expected.NOW)
    await guild.system.suspend("guilds/42/player")
    guild.stream.finish()
    assert (guild.stream.current, expected()) == (None, Expected.NOW)
    guild.system.resume("guilds/42/player")
    await guild.until(lambda: expected() is Expected.NOTHING)


async def test_skip_plays_the_prepared_next_track(guild: Guild) -> None:
    await playing(guild, tracks("a", "b"))
    skipped = await guild.ask(Skip())
    assert (skipped.title, skipped.next_title, skipped.saved) == ("a", "b", True)
    assert guild.stream.titles == ["a", "b"]
    await guild.ask(Skip())
    assert guild.stream.current is None
    with pytest.raises(No, match="Nothing is playing"):
        await guild.ask(Skip())


async def test_skip_is_silent_until_the_next_track_is_ready(guild: Guild) -> None:
    await playing(guild, tracks("a"))
    guild.media.eager = None
    await guild.ask(Enqueue(tracks("b")))
    await guild.ask(Skip())
    assert guild.stream.current is None
    assert (await guild.ask(GetNowPlaying())).phase is Phase.LOADING
    guild.media.spools[-1].make(500)
    await guild.until(lambda: guild.stream.titles == ["a", "b"])


async def test_a_seek_within_what_is_made_needs_no_other_spool(guild: Guild) -> None:
    await playing(guild, tracks("a"))
    await guild.ask(Seek(4.0))
    await guild.until(lambda: guild.stream.plays == 2)
    (spool,) = guild.media.spools
    assert guild.stream.heard == [(spool, 0), (spool, 200)]
    assert spool.soft == [False, True], "other music than before: it comes up softly"
    assert (await guild.ask(GetNowPlaying())).position_s == pytest.approx(4.0)
    guild.stream.position = 25
    await guild.ask(SetVolume(50))
    await guild.until(lambda: guild.stream.plays == 3)
    assert (guild.media.spools[1].start_frame, guild.media.spools[1].soft) == (225, [False])


async def test_a_filter_joins_at_the_very_frame_and_is_kept(guild: Guild) -> None:
    await playing(guild, tracks("a", "b"))
    guild.stream.position = 100
    await guild.ask(SetEffect("bass"))
    await guild.until(lambda: guild.stream.plays == 2)
    spool = guild.stream.heard[-1][0]
    assert (spool.effect, spool.start_frame, spool.soft) == ("bass", 100, [False])
    await guild.until(lambda: guild.stream.next is not None and guild.stream.next[0][0].effect == "bass")
    await guild.system.kill("guilds/42/player")
    assert (await guild.ask(GetNowPlaying())).effect == "bass"
    assert guild.stream.plays == 2
    with pytest.raises(No, match="off, bass, treble"):
        await guild.ask(SetEffect("loud"))


async def test_seek_swaps_when_the_new_spool_is_ready(guild: Guild) -> None:
    await playing(guild, tracks("a"))
    guild.media.spools[0].make(100, complete=False)
    guild.media.eager = None
    await guild.ask(Seek(4.0))
    await guild.until(lambda: len(guild.media.spools) == 2)
    assert guild.stream.plays == 1, "the old position plays on meanwhile"
    guild.media.spools[1].make(300)
    await guild.until(lambda: guild.stream.plays == 2)
    assert (await guild.ask(GetNowPlaying())).position_s == pytest.approx(4.0)
    await guild.until(lambda: guild.media.spools[0].closed)


async def test_an_acknowledged_seek_survives_a_kill(guild: Guild) -> None:
    await playing(guild, tracks("a"))
    guild.media.spools[0].make(100, complete=False)
    guild.media.eager = None
    await guild.ask(Seek(4.0))
    await guild.system.kill("guilds/42/player")
    assert (await guild.ask(GetNowPlaying())).position_s == pytest.approx(4.0)
    await guild.link()
    await guild.until(lambda: len(guild.media.spools) == 2)
    guild.media.spools[1].make(300)
    await guild.until(lambda: guild.stream.plays == 2)
    assert guild.stream.heard[-1][0].start_frame == 200


async def test_a_new_volume_joins_at_the_very_frame(guild: Guild) -> None:
    await playing(guild, tracks("a"))
    guild.stream.position = 100
    guild.media.eager = None
    await guild.ask(SetVolume(50))
    await guild.until(lambda: len(guild.media.spools) == 2)
    spool = guild.media.spools[1]
    assert (spool.volume, spool.start_frame) == (50, 100)
    guild.stream.position = 130  # the old loudness has played on
    spool.make(60, complete=False)
    await guild.until(lambda: guild.stream.plays == 2)
    assert guild.stream.heard[-1] == (spool, 30)
    assert guild.stream.joined
    assert (await guild.ask(GetNowPlaying())).position_s == pytest.approx(130 * 0.02)
    await guild.ask(Skip())
    await guild.ask(Enqueue(tracks("b")))
    guild.media.spools[-1].make(500)
    await guild.until(lambda: guild.stream.plays == 3)
    assert not guild.stream.joined


async def test_a_volume_waits_for_what_a_hole_has_taken_back(guild: Guild) -> None:
    await playing(guild, tracks("a"))
    guild.stream.position = 100
    guild.media.eager = None
    await guild.ask(SetVolume(50))
    await guild.until(lambda: len(guild.media.spools) == 2)
    guild.stream.position = 60
    guild.media.spools[1].make(500)
    await guild.ask(GetNowPlaying())
    assert guild.stream.plays == 1
    guild.stream.position = 110
    await guild.until(lambda: guild.stream.plays == 2)
    assert guild.stream.heard[-1][1] == 10


async def test_a_volume_waits_until_it_is_ahead_of_the_listener(guild: Guild) -> None:
    await playing(guild, tracks("a"))
    guild.media.eager = None
    await guild.ask(SetVolume(150))
    await guild.until(lambda: len(guild.media.spools) == 2)
    guild.stream.position = 100
    guild.media.spools[1].make(60, complete=False)
    await guild.ask(GetNowPlaying())
    assert guild.stream.plays == 1
    guild.media.spools[1].make(200, complete=False)
    await guild.until(lambda: guild.stream.plays == 2)
    assert guild.stream.heard[-1][1] == 100


async def test_pause_survives_a_kill_and_a_seek(guild: Guild) -> None:
    await playing(guild, tracks("a"))
    await guild.ask(Pause())
    with pytest.raises(No, match="paused already"):
        await guild.ask(Pause())
    await guild.system.kill("guilds/42/player")
    assert (await guild.ask(GetNowPlaying())).phase is Phase.PAUSED
    await guild.link()
    await guild.ask(Seek(2.0))
    await guild.until(lambda: guild.stream.plays == 2)
    assert guild.stream.paused
    await guild.ask(Resume())
    assert not guild.stream.paused


async def test_a_looping_track_repeats_without_a_gap(guild: Guild) -> None:
    await playing(guild, tracks("a", "b"))
    await guild.ask(SetLoop(Loop.TRACK))
    guild.stream.finish()
    await guild.until(lambda: guild.stream.next is not None)
    guild.stream.finish()
    assert guild.stream.titles == ["a", "a", "a"]
    assert guild.stream.plays == 1
    assert [spool.track.title for spool in guild.media.spools] == ["a", "b"], "one spool for every round"


async def test_a_changed_order_changes_what_is_queued(guild: Guild) -> None:
    await playing(guild, tracks("a", *"bcdefghijklmnop"))
    await guild.ask(Shuffle())
    view = await guild.ask(GetQueue())
    await guild.until(
        lambda: guild.stream.next is not None and guild.stream.next[0][0].track.title == view.entries[0].title
    )


async def test_an_unplayable_track_is_skipped_with_the_reason(guild: Guild) -> None:
    guild.media.eager = None
    await guild.link()
    await guild.ask(Enqueue(tracks("bad", "good"), 7))
    await guild.until(lambda: len(guild.media.spools) == 2)
    guild.media.spools[0].fail(MediaError(ErrorKind.NOT_AUDIO, "It holds no audio."))
    guild.media.spools[1].make(500)
    await guild.until(lambda: guild.stream.titles == ["good"])
    await guild.until(lambda: bool(guild.port.notices))
    assert "bad" in guild.port.notices[0]
    assert "no audio" in guild.port.notices[0]


async def test_who_waits_for_a_track_is_told_of_its_failure_and_nobody_else(guild: Guild) -> None:
    guild.media.eager = None
    await guild.link()
    (bad,) = entries = tracks("bad")
    await guild.ask(Enqueue(entries, 7))
    assert not (await guild.ask(GetFate(bad.id))).settled
    await guild.until(lambda: len(guild.media.spools) == 1)
    guild.media.spools[0].fail(MediaError(ErrorKind.NOT_AUDIO, "It holds no audio."))
    await guild.until(lambda: guild.media.spools[0].closed)
    fate = await guild.ask(GetFate(bad.id))
    assert (fate.settled, fate.problem) == (True, "It holds no audio.")
    assert not guild.port.messages


async def test_the_fate_of_a_good_track_has_the_title_of_the_media(guild: Guild) -> None:
    guild.media.eager = None
    (good,) = entries = tracks("good")
    await guild.link()
    await guild.ask(Enqueue(entries, 7))
    await guild.until(lambda: len(guild.media.spools) == 1)
    guild.media.spools[0].title = "The good one"
    guild.media.spools[0].make(500)
    await guild.until(lambda: guild.stream.current is not None)
    fate = await guild.ask(GetFate(good.id))
    assert (fate.settled, fate.title, fate.problem) == (True, "The good one", None)


async def test_a_failed_preload_is_told_when_its_turn_comes(guild: Guild) -> None:
    await playing(guild, tracks("a"))
    guild.media.eager = None
    await guild.ask(Enqueue(tracks("bad", "good")))
    await guild.until(lambda: len(guild.media.spools) == 2)
    guild.media.spools[1].fail(MediaError(ErrorKind.UNAVAILABLE, "Gone."))
    await guild.ask(GetNowPlaying())
    assert not guild.port.notices
    guild.media.eager = 500
    guild.stream.finish()
    await guild.until(lambda: guild.stream.titles == ["a", "good"])
    await guild.until(lambda: bool(guild.port.notices))


async def test_a_failed_seek_leaves_the_music_alone(guild: Guild) -> None:
    await playing(guild, tracks("a"))
    guild.media.spools[0].make(100, complete=False)
    guild.media.eager = None
    await guild.ask(Seek(5.0))
    await guild.until(lambda: len(guild.media.spools) == 2)
    guild.media.spools[1].fail(MediaError(ErrorKind.UNAVAILABLE, "Gone."))
    await guild.until(lambda: bool(guild.port.notices))
    assert guild.stream.plays == 1
    assert (await guild.ask(GetNowPlaying())).phase is Phase.PLAYING


async def test_a_passing_failure_gets_one_more_try(guild: Guild) -> None:
    guild.media.eager = None
    await guild.link()
    await guild.ask(Enqueue(tracks("a"), 7))
    await guild.until(lambda: len(guild.media.spools) == 1)
    guild.media.spools[0].fail(MediaError(ErrorKind.TIMEOUT, "Too slow."))
    await guild.until(lambda: len(guild.media.spools) == 2)
    guild.media.spools[1].make(500)
    await guild.until(lambda: guild.stream.titles == ["a"])
    assert not guild.port.notices


async def test_a_track_without_a_frame_does_not_loop_for_ever(guild: Guild) -> None:
    await playing(guild, tracks("a"))
    await guild.ask(SetLoop(Loop.TRACK))
    await guild.until(lambda: guild.stream.next is not None)
    guild.stream.unqueue()
    guild.stream.finish(frames=0)
    await guild.until(lambda: guild.stream.current is None and bool(guild.port.notices))
    assert (await guild.ask(GetNowPlaying())).phase is Phase.IDLE


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Seek(11.0), "not that long"),
        (Seek(-1.0), "not that long"),
        (SetVolume(201), "0 to 200"),
        (SetVolume(-1), "0 to 200"),
        (Resume(), "not paused"),
        (Shuffle(), "fewer than two"),
    ],
)
async def test_bad_requests_are_refused_and_change_nothing(guild: Guild, request_: Any, words: str) -> None:
    await playing(guild, tracks("a"))
    with pytest.raises(No, match=words):
        await guild.ask(request_)
    assert guild.stream.plays == 1
    assert guild.incarnation("player") == 1


async def test_a_live_stream_cannot_be_sought(guild: Guild) -> None:
    await playing(guild, tracks("radio", is_live=True, duration_s=None))
    with pytest.raises(No, match="live"):
        await guild.ask(Seek(1.0))


async def test_the_queue_is_bounded_for_all_and_for_each_user(tmp_path: Path) -> None:
    async with open_guild(tmp_path, limits=QueueLimits(capacity=5, per_user=3)) as guild:
        answer = await guild.ask(Enqueue(tracks(*"abcd"), 7))
        assert (answer.accepted, answer.refused, answer.position) == (3, 1, 0)
        await guild.ask(Enqueue(tracks("e"), 7))  # the first one plays, and waits no more
        with pytest.raises(No, match="3 tracks of yours wait already"):
            await guild.ask(Enqueue(tracks("f"), 7))
        others = tuple(replace(track, requested_by=6) for track in tracks(*"ghi"))
        assert (await guild.ask(Enqueue(others, 7))).accepted == 2
        with pytest.raises(No, match="full: 5 tracks"):
            await guild.ask(Enqueue(others, 7))


async def test_entries_are_removed_and_moved_by_number_or_by_id(guild: Guild) -> None:
    await guild.ask(Enqueue(tracks(*"abcde")))

    async def waiting() -> list[Track]:
        return list((await guild.ask(GetQueue())).entries)

    before = await waiting()
    assert (await guild.ask(Remove("2"))).title == "c"
    moved = await guild.ask(Move(f"#{before[3].id[:SHORT_ID]}", 1))
    assert (moved.title, moved.number) == ("e", 1)
    assert (await guild.ask(Move(before[0].id, 99))).number == 3
    assert [track.title for track in await waiting()] == ["e", "d", "b"]
    for gone in ("2" * 9, "0", before[1].id, "#", "nonsense"):
        with pytest.raises(No, match="Nothing that waits"):
            await guild.ask(Remove(gone))
    await guild.system.kill("guilds/42/player")
    await guild.until(lambda: guild.incarnation("player") == 2)
    assert [track.title for track in await waiting()] == ["e", "d", "b"]


async def test_stop_is_silent_and_empties_the_queue(guild: Guild) -> None:
    await playing(guild, tracks("a", "b"))
    await guild.ask(Stop())
    assert guild.stream.current is None
    assert (await guild.ask(GetQueue())).total == 0
    await guild.until(lambda: all(spool.closed for spool in guild.media.spools))


async def test_a_full_disk_is_admitted_and_music_goes_on(guild: Guild) -> None:
    await playing(guild, tracks("a", "b"))
    await guild.store.aclose()
    skipped = await guild.ask(Skip())
    assert not skipped.saved
    assert guild.stream.titles == ["a", "b"]
    await guild.system.kill("guilds/42/player")
    assert (await guild.ask(GetNowPlaying())).track.title == "b", "persistence still has it in memory"


@pytest.mark.parametrize("actor", ["player", "preloader"])
async def test_a_failure_ahead_of_time_is_not_forgotten_over_a_kill(guild: Guild, actor: str) -> None:
    guild.media.eager = None
    await guild.link()
    await guild.ask(Enqueue(tracks("a", "bad", "c"), 7))
    await guild.until(lambda: len(guild.media.spools) == 2)
    guild.media.spools[0].make(500)
    await guild.until(lambda: guild.stream.current is not None)
    guild.media.eager = 500
    guild.media.spools[1].fail(MediaError(ErrorKind.UNAVAILABLE, "Gone."))
    await guild.ask(GetNowPlaying())
    before = guild.incarnation(actor)
    await guild.system.kill(f"guilds/42/{actor}")
    await guild.until(lambda: guild.incarnation(actor) == before + 1)
    await guild.ask(GetNowPlaying())
    await guild.link()
    guild.stream.finish()
    await guild.until(lambda: guild.stream.titles == ["a", "c"])


async def test_the_fate_of_the_next_entry_tells_the_title_of_its_medium(guild: Guild) -> None:
    await playing(guild, tracks("a"))
    guild.media.eager = None
    following, later = tracks("file", "far")
    await guild.ask(Enqueue((following, later), 7))
    await guild.until(lambda: len(guild.media.spools) == 2)
    assert not (await guild.ask(GetFate(following.id))).settled
    assert (await guild.ask(GetFate(later.id))).settled, "nothing is made of it yet"
    guild.media.spools[1].title = "The good one"
    guild.media.spools[1].make(500)
    await guild.until(lambda: guild.stream.next is not None)
    fate = await guild.ask(GetFate(following.id))
    assert (fate.settled, fate.title, fate.problem) == (True, "The good one", None)
    assert (await guild.ask(GetQueue())).entries[0].title == "The good one"


@pytest.mark.parametrize(
    ("position_ms", "seeking", "resumed"), [(12_000, False, True), (12_000, True, False), (0, False, False)]
)
async def test_what_was_being_heard_when_the_process_ended_is_resumed_and_nothing_else(
    tmp_path: Path, position_ms: int, seeking: bool, resumed: bool
) -> None:
    first, second = tracks("a", "b")
    store = Store(tmp_path / "state.sqlite3")
    store.open()
    session = to_plain(Session(Queue(current=first, waiting=(second,))))
    await store.put(GUILD_ID, "player", encode(session), Position(first.id, position_ms, seeking))
    await store.aclose()
    async with open_guild(tmp_path) as guild:
        await playing_again(guild)
        spools = {spool.title: (spool.start_frame, spool.resumed) for spool in guild.media.spools}
        assert spools == {"a": (position_ms // 20, resumed), "b": (0, False)}
        await guild.ask(SetVolume(50))
        await guild.until(lambda: any(spool.volume == 50 for spool in guild.media.spools))
        assert not any(spool.resumed for spool in guild.media.spools if spool.volume == 50)


async def test_a_live_stream_goes_on_at_its_edge_and_not_at_a_position(tmp_path: Path) -> None:
    station = replace(tracks("radio")[0], is_live=True)
    store = Store(tmp_path / "state.sqlite3")
    store.open()
    await store.put(
        GUILD_ID, "player", encode(to_plain(Session(Queue(current=station)))), Position(station.id, 90_000)
    )
    await store.aclose()
    async with open_guild(tmp_path) as guild:
        await guild.link()
        await guild.until(lambda: guild.stream.current is not None)
        assert [(spool.title, spool.start_frame) for spool in guild.media.spools] == [("radio", 0)]


async def playing_again(guild: Guild) -> None:
    """What was restored plays, and what follows is queued behind it."""
    await guild.link()
    await guild.until(lambda: guild.stream.next is not None)
