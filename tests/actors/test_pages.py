"""Playlists that are longer than a page: the others are fetched as the queue runs short, and none is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from actors import embeds, preloader
from actors.commands.playback import _queued
from actors.media import ErrorKind, Listing, MediaError, Page, Rest
from actors.messages import (
    Enqueue,
    Enqueued,
    GetNowPlaying,
    GetQueue,
    No,
    Phase,
    Remove,
    SetLoop,
    Shuffle,
    Shuffled,
    Skip,
    Stop,
)
from actors.pages import LISTS, SHORT
from actors.queue import SHORT_ID, Loop, QueueLimits
from actors.session import Session, from_plain, joined, to_plain
from actors.testing import open_guild, tracks

if TYPE_CHECKING:
    from pathlib import Path

    from actors.testing import Guild

pytestmark = pytest.mark.anyio

SIZE = 50  # of a page
USER = 5


def site(length: int, *, bound: int = 500, states: bool = True) -> Rest:
    """A playlist as the media service describes it."""
    last = min(length, bound) if states else bound
    return Rest("https://x/list", "Mix", USER, 1, last, length if states else None)


def page_of(rest: Rest, length: int) -> Page:
    """The page with which `rest` begins, of a list of that length."""
    last = min(rest.first + SIZE - 1, rest.last)
    numbers = tuple(range(rest.first, min(last, length) + 1))
    more = last < length if rest.total is not None else len(numbers) == SIZE
    return Page(tracks(*map(str, numbers)), Listing(rest, numbers, last + 1 if more else None))


async def play(guild: Guild, length: int, rest: Rest) -> Enqueued:
    """The list is asked for, as the command does."""
    guild.media.pages = lambda rest: page_of(rest, length)
    await guild.link()
    page = page_of(rest, length)
    answer: Enqueued = await guild.ask(Enqueue(page.tracks, 7, page.listing))
    await guild.until(lambda: guild.stream.current is not None)
    return answer


async def skip_to_the_end(guild: Guild) -> None:
    """Until nothing plays and nothing is to come."""
    while (now := await guild.ask(GetNowPlaying())).track is not None:
        title = now.track.title
        await guild.until(lambda title=title: guild.stream.titles[-1:] == [title])  # type: ignore[misc]
        await guild.ask(Skip())
        if (await guild.ask(GetQueue())).rests:
            await guild.until(lambda: guild.stream.current is not None)


async def test_a_shuffle_says_that_what_is_to_come_keeps_its_order(guild: Guild) -> None:
    await play(guild, 51, site(51))
    assert await guild.ask(Shuffle()) == Shuffled(saved=True, count=49, lists=1)


@pytest.mark.parametrize("states", [True, False])
async def test_a_list_is_heard_whole_and_fetched_as_the_queue_runs_short(guild: Guild, states: bool) -> None:
    answer = await play(guild, 120, site(120, states=states))
    assert (answer.accepted, answer.refused) == (50, 0)
    assert answer.rest is not None
    assert (answer.rest.first, answer.rest.count) == (51, 70 if states else None)
    for _ in range(SIZE - 1 - SHORT - 1):
        await guild.ask(Skip())
    assert guild.media.asked_for == [], "more than enough wait"
    await guild.ask(Skip())
    await guild.until(lambda: len(guild.media.asked_for) == 1)
    await skip_to_the_end(guild)
    assert list(dict.fromkeys(guild.stream.titles)) == sorted(set(guild.stream.titles), key=int)
    assert guild.stream.titles[-1] == "120"
    assert [rest.first for rest in guild.media.asked_for] == [51, 101]


async def test_no_restart_loses_or_doubles_an_entry(tmp_path: Path) -> None:
    async with open_guild(tmp_path) as guild:
        await play(guild, 70, site(70))
        await guild.system.kill("guilds/42/player")
        await guild.system.kill("guilds/42/preloader")
        assert (await guild.ask(GetQueue())).rests[0].first == 51
    async with open_guild(tmp_path) as guild:
        guild.media.pages = lambda rest: page_of(rest, 70)
        await guild.link()
        for _ in range(SIZE - 1 - SHORT):
            await guild.ask(Skip())
        await guild.until(lambda: len(guild.media.asked_for) == 1)
        await guild.system.kill("guilds/42/player")
        await guild.until(lambda: guild.incarnation("player") == 2)
        view = await guild.ask(GetQueue())
        assert (view.now.track.title, view.rests) == ("40", ())
        assert view.total == 30
    async with open_guild(tmp_path) as guild:
        assert (await guild.ask(GetQueue())).total == 30


async def test_what_has_no_room_comes_later(tmp_path: Path) -> None:
    async with open_guild(tmp_path, limits=QueueLimits(capacity=30, per_user=20)) as guild:
        answer = await play(guild, 60, site(60))
        assert (answer.accepted, answer.refused) == (20, 0)
        others = tuple(replace(track, requested_by=6) for track in tracks("x", "y"))
        await guild.ask(Enqueue(others, 7))
        await skip_to_the_end(guild)
        heard = list(dict.fromkeys(guild.stream.titles))
        assert [title for title in heard if title.isdecimal()] == [str(number) for number in range(1, 61)]
        assert heard.index("x") < heard.index("30"), "the rest of a long list holds nobody up"


async def test_a_queue_that_repeats_is_fetched_whole(guild: Guild) -> None:
    await play(guild, 130, site(130))
    await guild.ask(SetLoop(Loop.QUEUE))
    await guild.until(lambda: len(guild.media.asked_for) == 2)
    await guild.until(lambda: guild.stream.next is not None)
    assert (await guild.ask(GetQueue())).total == 129


async def test_a_page_that_cannot_be_had_is_tried_again_or_told(
    guild: Guild, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preloader, "PAGE_AGAIN_S", (0.01, 0.01))
    await play(guild, 51, site(51))
    trouble = [MediaError(ErrorKind.TIMEOUT, "slow", retryable=True)] * 2

    def page(rest: Rest) -> Page:
        if trouble:
            raise trouble.pop()
        return page_of(rest, 51)

    guild.media.pages = page
    for _ in range(SIZE - 1 - SHORT):
        await guild.ask(Skip())
    await guild.until(lambda: len(guild.media.asked_for) == 3)
    assert (await guild.ask(GetQueue())).total == SHORT + 1
    await guild.ask(Stop())
    await play(guild, 99, site(99))
    guild.media.pages = lambda rest: page_of(rest, 0) if rest.first < 0 else _gone()
    for _ in range(SIZE - 1 - SHORT):
        await guild.ask(Skip())
    await guild.until(lambda: any("rest of “Mix” is left out" in text for text in guild.port.notices))
    view = await guild.ask(GetQueue())
    assert (view.rests, view.total) == ((), SHORT)


def _gone() -> Page:
    raise MediaError(ErrorKind.NOT_FOUND, "This list is gone.")


async def test_a_queue_that_has_run_out_goes_on_when_the_page_comes(guild: Guild) -> None:
    await play(guild, 51, site(51))
    wait = MediaError(ErrorKind.NOT_FOUND, "", retryable=True)
    guild.media.pages = lambda rest: (_ for _ in ()).throw(wait)
    for _ in range(SIZE):
        last = await guild.ask(Skip())
    assert last.next_title == "Mix"
    assert (await guild.ask(GetNowPlaying())).phase is Phase.IDLE
    guild.media.pages = lambda rest: page_of(rest, 51)
    await guild.system.kill("guilds/42/preloader")  # it would wait for two seconds
    await guild.until(lambda: guild.stream.titles[-1] == "51")


async def test_it_is_shown_and_can_be_removed_or_stopped_and_is_bounded(guild: Guild) -> None:
    await play(guild, 90, site(90))
    await play(guild, 90, site(90))
    view = await guild.ask(GetQueue(99))
    text = embeds.queue(view).description or ""
    assert text.count("… 40 more of Mix, from its entry 51 on") == 2
    assert (await guild.ask(GetQueue(1))).page != view.page
    with pytest.raises(No):
        await guild.ask(Remove(view.rests[0].id[:2] + "zzzz"))
    assert (await guild.ask(Remove(f"#{view.rests[0].id[:SHORT_ID]}"))).title == "Mix"
    assert (await guild.ask(GetQueue())).rests == view.rests[1:]
    await guild.ask(Stop())
    assert (await guild.ask(GetQueue())).rests == ()
    for number in range(LISTS + 1):
        listing = Listing(site(90), (1,), 2)
        answer = await guild.ask(Enqueue(tracks("a"), 7, listing))
        assert answer.left_out == (number == LISTS)


def test_the_answer_says_what_follows() -> None:
    def said(accepted: int, rest: Rest | None, **more: bool) -> str:
        return _queued("a", Enqueued(position=3, accepted=accepted, rest=rest, **more))

    rest = replace(site(300), first=51)
    assert (
        said(50, rest)
        == "Queued **a** and 49 more at 3. 250 more of the list follow as the queue runs short."
    )
    assert "(it has 900; 500 is the limit)" in said(50, replace(site(900), first=51))
    assert "up to entry 500, of the list follows" in said(50, replace(site(9, states=False), first=51))
    assert "is left out: 10 others wait" in said(50, None, left_out=True)
    assert said(1, None) == "Queued **a** at 3."


def test_it_is_stored_and_older_states_have_none() -> None:
    session = Session(rests=(site(90),))
    assert from_plain(to_plain(session)) == session
    assert (
        from_plain({name: each for name, each in to_plain(session).items() if name != "rests"}) == Session()
    )


def test_joined_sessions_have_each_list_once() -> None:
    one, other = site(90), site(80)
    assert joined(Session(rests=(one, other)), Session(rests=(replace(one, first=51),))).rests == (
        other,
        replace(one, first=51),
    )
