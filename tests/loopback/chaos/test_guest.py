"""Whoever asks for music knows what the queue must be, and notices when it is not."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast

import anyio
import anyio.lowlevel
import pytest

from loopback.chaos.guest import SOUNDS, Guest, Tally
from loopback.chaos.ledger import Cost, Ledger
from loopback.chaos.line import OFF, QUEUE, TRACK, Line
from loopback.errors import NotAnswered

if TYPE_CHECKING:
    from loopback import Guild, ScriptedUser, TextChannel
    from loopback.chaos.music import Music

pytestmark = pytest.mark.anyio

PAGE_SIZE: Final = 10


@dataclass
class Answer:
    text: str


@dataclass
class Asked:
    """A command as Discord has it; None: it is not answered."""

    text: str | None

    async def wait_answer(self, _timeout_s: float) -> Answer:
        if self.text is None:
            raise NotAnswered
        return Answer(self.text)


@dataclass
class User:
    """Who gets these answers, one after the other; the last one again and again."""

    answers: list[str | None]
    given: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def slash(self, _channel: object, name: str, /, **options: Any) -> Asked:
        self.given.append((name, options))
        return Asked(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])


@dataclass
class Place:
    id: int = 1
    name: str = "g"
    count: int = 48
    seconds: float = 30.0

    deaf: bool = False
    """Whether nothing changes for those who listen."""
    frames: int = 0

    def heard(self, _guild_id: int) -> int:
        self.frames += 1000
        return self.frames

    def other_sound_ns(self, _guild_id: int) -> int:
        return 0 if self.deaf else time.time_ns()

    def url(self, number: int, _guild_id: int, _trouble: str) -> str:
        return f"track-{number}"


def guest(*answers: str | None, line: tuple[int, ...] = (), loop: str = OFF) -> Guest:
    place = Place()
    return Guest(
        place=place.name,
        line=Line(line, loop),
        guild=cast("Guild", place),
        text=cast("TextChannel", None),
        user=cast("ScriptedUser", User(list(answers))),
        music=cast("Music", place),
        random=Random(1),  # noqa: S311 - no secret
        tally=Tally(),
        ledger=Ledger(),
    )


def shown(*numbers: int, repeats: str = "", page: int = 1) -> str:
    """A queue, as the bot shows it: with the link of the current track, and what is repeated below."""
    rows = [f"**Now playing:** [track-{numbers[0]}](http://127.0.0.1/track-{numbers[0]}.webm)"]
    total, first = len(numbers) - 1, 1 + (page - 1) * PAGE_SIZE
    waiting = (f"`{n}.` track-{n} · 0:30" for n in numbers[first : first + PAGE_SIZE])
    foot = f"Page {page} of {max(1, -(-total // PAGE_SIZE))} · {total} waiting{repeats}"
    return "\n".join(["Queue", *rows, *waiting, foot])


async def test_what_was_acknowledged_is_expected() -> None:
    one = guest("Queued **track-0** at 3.", "Skipped **track-1**.", "Removed **track-0**.", line=(1, 2, 3))
    await one.play()
    assert list(one.line.tracks) == [1, 2, 3, 0]
    await one.skip()
    assert list(one.line.tracks) == [2, 3, 0]
    await one.remove(1)
    assert list(one.line.tracks) == [2, 3], "the answer names another one than was asked for"
    assert (one.tally.done.total(), one.tally.unanswered) == (3, 0)


async def test_a_queue_that_lacks_what_was_acknowledged_is_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loopback.chaos.guest.LOOKS_APART_S", 0.0)
    one = guest(shown(1, 3), line=(1, 2, 3))
    await one.look()
    assert one.tally.lost == 1
    assert one.tally.losses[0][2] == "the queue is [1, 3], and should be [1, 2, 3]"
    assert list(one.line.tracks) == [1, 3]


@pytest.mark.parametrize("found", [(1, 2, 3), (2, 3)])
async def test_a_track_may_have_ended_meanwhile(found: tuple[int, ...]) -> None:
    one = guest(shown(*found), line=(1, 2, 3))
    await one.look()
    assert one.tally.losses == []
    assert one.line.tracks == found


async def test_all_pages_of_a_queue_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chaos, seed 701: the eleventh that waited stood on the second page, and was taken for lost."""
    monkeypatch.setattr("loopback.chaos.guest.LOOKS_APART_S", 0.0)
    tracks = tuple(range(1, 13))
    one = guest(shown(*tracks), shown(*tracks, page=2), line=tracks)
    await one.look()
    assert one.tally.losses == []
    assert one.line == Line(tracks)
    assert cast("User", one.user).given == [("queue", {}), ("queue", {"page": 2})]
    left = tracks[:-1]
    one = guest(shown(*left), line=tracks)
    await one.look()
    assert [words for _, _, words in one.tally.losses] == [
        f"the queue is {list(left)}, and should be {list(tracks)}"
    ]


async def test_a_queue_that_goes_on_between_two_pages_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("loopback.chaos.guest.LOOKS_APART_S", 0.0)
    tracks = tuple(range(1, 14))
    answers = [shown(*tracks), shown(*tracks[1:], page=2), shown(*tracks[1:]), shown(*tracks[1:], page=2)]
    one = guest(*answers, line=tracks)
    await one.look()
    assert one.tally.losses == []
    assert one.line == Line(tracks[1:])


async def test_an_answer_is_older_than_what_was_heard_while_it_was_on_its_way() -> None:
    """Chaos, seed 702: REST was late, and and a track began while the queue was told in which it waited."""
    one = guest(shown(1, 2, 3), line=(1, 2, 3))
    ask = one.ask

    async def slowly(name: str, /, **options: Any) -> tuple[bool | None, str]:
        one.entered(2, 0)
        return await ask(name, **options)

    one.ask = slowly  # type: ignore[method-assign]
    await one.look()
    assert one.tally.losses == []
    assert one.line == Line((2, 3)), "what has been heard since holds"


async def test_a_queue_that_does_not_go_on_with_what_is_heard_is_a_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("loopback.chaos.guest.LOOKS_APART_S", 0.0)
    one = guest(shown(1, 2, 3), line=(1, 2, 3))
    one.entered(2, 0)
    await one.look()
    assert [words for _, _, words in one.tally.losses] == ["the queue is [1, 2, 3], and should be [2, 3]"]


@pytest.mark.parametrize("found", [(1, 2), (1, 2, 0)])
async def test_what_was_not_answered_may_have_been_done_or_not(found: tuple[int, ...]) -> None:
    one = guest(None, shown(*found), line=(1, 2))
    await one.play()
    await one.look()
    assert one.tally.losses == []
    assert one.tally.unanswered == 1
    assert one.line.tracks == found


@pytest.mark.parametrize("found", [(1, 2, 3, 0), (1, 3, 0)])
async def test_what_is_acknowledged_after_a_command_without_an_answer_is_expected(
    found: tuple[int, ...],
) -> None:
    one = guest(None, "Queued **track-0** at 3.", shown(*found), line=(1, 2, 3))
    await one.remove(1)
    await one.play()
    await one.look()
    assert one.tally.losses == []
    assert one.line.tracks == found


async def test_what_was_done_but_not_saved_may_be_lost_with_the_process() -> None:
    one = guest(
        "Done, but not saved: queued", "Skipped **track-1**. Done, but not saved", shown(1, 2), line=(1, 2)
    )
    await one.ask("skip")
    await one.skip()
    await one.look()
    assert one.tally.losses == []
    assert one.tally.not_saved == 1


async def test_a_command_that_jumps_is_known_for_a_while_and_through_a_silence() -> None:
    one = guest("The track goes on at 0:09.", line=(1, 2))
    one.random = Random(3)  # noqa: S311 - no secret
    await one.seek()
    second = int(cast("User", one.user).given[0][1]["position"].partition(":")[2])
    (wish,) = one.ledger.entries
    assert wish.end_ns is not None
    at_ns = wish.end_ns
    assert one.jumped(second * 50, at_ns, at_ns + 1)
    assert not one.jumped(second * 50 + 300, at_ns, at_ns + 1)
    assert not one.jumped(second * 50, 0, wish.start_ns - 1), "before it was asked for"
    assert one.jumped(second * 50, at_ns, at_ns + 60 * 10**9), "nothing was heard since"
    assert not one.jumped(second * 50, at_ns + 50 * 10**9, at_ns + 60 * 10**9)
    frame, later_ns = second * 50 + 150, at_ns + 2 * 10**9
    assert one.landed(frame, wish.start_ns, later_ns) == second * 50, "it went on unheard"
    assert one.landed(frame, at_ns + 10**9, later_ns) is None, "something was heard"
    assert one.jumped(second * 50, at_ns, at_ns + 1, same=True)
    await one.skip()
    assert not one.jumped(0, at_ns, time.time_ns(), same=True), "a skip leads to another track"
    assert one.landed(frame + 100, wish.start_ns, later_ns) is None, "it cannot have come so far"
    assert one.landed(frame - 100, wish.start_ns, later_ns) is None, "that is near enough"


async def test_a_command_without_an_answer_is_not_what_every_late_frame_comes_of() -> None:
    """Chaos, seed 601: UDP delay after it, and each frame out of its turn was taken for where it had led."""
    one = guest(None)
    await one.seek(10)
    at_ns = time.time_ns() + 9 * 10**9
    assert one.landed(800, at_ns - 9 * 10**9, at_ns) == 500, "it went on unheard"
    assert one.landed(800, at_ns - 40_000_000, at_ns) is None, "nothing can have been unheard but two frames"


def test_which_track_follows() -> None:
    one = guest("", line=(1, 2, 3))
    assert one.follows(1, 2, 0)
    assert not one.follows(1, 3, 0)
    one.maybe.add(9)
    assert one.follows(1, 9, 0)
    one.entered(2, 0)
    assert list(one.line.tracks) == [2, 3]


def test_a_loop_that_has_ended_is_heard_after_a_hole() -> None:
    """Chaos, seed 603: a track began anew in a hole of 5 s, was not repeated any more, and was rewound."""
    one = guest("", line=(1, 2), loop=TRACK)
    one.entered(1, 1350)
    one.line = Line((1, 2), OFF)
    now_ns = time.time_ns()
    assert one.follows(1, 1, now_ns + 6 * 10**9)
    assert not one.follows(1, 1, now_ns + 60 * 10**9)


async def test_a_queue_that_goes_on_in_a_hole_is_heard_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chaos, seed 21: the end of a track was sent again, seconds after the queue had been seen without it."""
    one = guest(shown(2, 3), line=(1, 2, 3))
    await one.look()
    monkeypatch.setattr("loopback.chaos.expecting.REMEMBERED_NS", 0)
    later_ns = time.time_ns() + 60 * 10**9
    assert one.follows(1, 2, later_ns)
    assert not one.follows(1, 3, later_ns)
    one.entered(2, 0)
    assert not one.follows(1, 2, later_ns)


async def test_a_queue_that_is_repeated_keeps_what_was_skipped() -> None:
    answers = (
        "The whole queue is repeated.",
        "Skipped **track-1**.",
        shown(2, 3, 1, repeats=" · repeats the queue"),
    )
    one = guest(*answers, "Nothing is repeated.", line=(1, 2, 3))
    await one.repeat_queue()
    assert one.line == Line((2, 3, 1))
    assert one.tally.losses == []


async def test_a_mode_that_was_acknowledged_and_is_not_shown_is_a_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("loopback.chaos.guest.LOOKS_APART_S", 0.0)
    one = guest("The current track is repeated.", shown(1, 2), line=(1, 2))
    await one.loop(TRACK)
    await one.look()
    assert [words for _, _, words in one.tally.losses] == [
        "the queue is [1, 2], and should be [1, 2], the track repeated"
    ]


async def test_a_track_that_ends_while_a_skip_is_answered_is_not_skipped_twice() -> None:
    one = guest("Skipped **track-2**.", line=(1, 2, 3, 4), loop=QUEUE)
    ask = one.ask

    async def slowly(name: str, /, **options: Any) -> tuple[bool | None, str]:
        one.entered(2, 0)
        one.entered(3, 0)
        return await ask(name, **options)

    one.ask = slowly  # type: ignore[method-assign]
    await one.skip()
    assert one.line == Line((3, 4, 1, 2), QUEUE)


async def test_another_sound_is_expected_from_its_command_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loopback.chaos.guest.SOUND_S", (0.0, 0.0))
    one = guest("The filter “bass” is on.", "The music is as it was recorded.")
    at_ns = time.time_ns()
    assert not one.sounds_otherwise(at_ns)
    await one.change_sound(SOUNDS[2])
    assert one.sounds_otherwise(time.time_ns())
    assert not one.sounds_otherwise(time.time_ns() + 60 * 10**9)
    assert one.tally.losses == []


async def test_another_sound_that_nobody_hears_is_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loopback.chaos.guest.SOUND_S", (0.0, 0.0))
    monkeypatch.setattr("loopback.chaos.guest.HEARD_S", 0.01)
    one = guest("The volume is 40 %.", "The volume is 100 %.")
    cast("Place", one.music).deaf = True
    await one.change_sound(SOUNDS[0])
    assert [words for _, _, words in one.tally.losses] == ["the volume was changed, and nobody heard it"]


@pytest.mark.parametrize(("most_s", "losses"), [(45.0, 0), (0.03, 1)])
async def test_what_makes_another_sound_may_wait_for_a_processor_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, most_s: float, losses: int
) -> None:
    """Chaos, seed 706: for 20 s no worker of any bot on the machine came to anything, then all did."""
    monkeypatch.setattr("loopback.chaos.guest.SOUND_S", (0.0, 0.0))
    monkeypatch.setattr("loopback.chaos.guest.HEARD_S", 0.01)
    monkeypatch.setattr("loopback.chaos.guest.CALL_S", most_s)
    one = guest("The volume is 40 %.", "The volume is 100 %.")
    place, looks = cast("Place", one.music), itertools.count()
    place.deaf = True

    def late_ns() -> int:
        place.deaf = next(looks) < 2
        return time.time_ns()

    one.workers_late_ns = late_ns
    await one.change_sound(SOUNDS[0])
    assert one.tally.lost == losses


async def test_a_queue_that_is_not_told_when_all_is_put_right_is_a_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("loopback.chaos.guest.LOOKS_APART_S", 0.0)
    one = guest(None, line=(1, 2))
    await one.look()
    assert one.tally.losses == []
    await one.look_last()
    assert [words for _, _, words in one.tally.losses] == ["the queue is not told at the end"]
    one = guest(shown(1, 2), line=(1, 2))
    await one.look_last()
    assert one.tally.losses == []


async def test_a_restart_may_undo_what_was_not_saved() -> None:
    """Chaos, seed 23: a queue that was seen meanwhile was taken for one that is kept."""
    unsaved = " (Done, but not saved: the disk does not take it.)"
    answers = f"Skipped **track-1**.{unsaved}", shown(2, 3), shown(1, 2, 3), "The volume is 100 %."
    one = guest(*answers, line=(1, 2, 3))
    await one.skip()
    await one.look()
    await one.look()
    assert one.tally.losses == []
    assert one.line == Line((1, 2, 3))
    assert one.undone
    assert await one.ask("volume", level=100)
    assert not one.undone


async def test_what_was_not_saved_is_undone_with_the_whole_tree_of_the_guild() -> None:
    """Chaos, seed 32: saved after that was what had been saved last, and not what had been acknowledged."""
    unsaved = " (Done, but not saved: the disk does not take it.)"
    given = f"The whole queue is repeated.{unsaved}", f"Skipped **track-1**.{unsaved}"
    seen = shown(2, 3, 1, repeats=" repeats the queue"), "The volume is 100 %.", shown(2, 3)
    one = guest(*given, *seen, line=(1, 2, 3))
    await one.loop(QUEUE)
    await one.skip()
    await one.look()
    one.entered(2, 0)
    cost = Cost("actors", forgets=True)
    one.ledger.begin("guild supervisor killed", cost, one.place)
    await one.ask("volume", level=100)
    await one.look()
    assert one.tally.losses == []


async def test_a_restart_that_undoes_a_skip_leads_back_to_what_was_sought_before() -> None:
    """Chaos, seed 701: sought and skipped in one silence, the skip not saved; a kill led back to the rest."""
    unsaved = "Skipped **track-1**. (Done, but not saved: the disk does not take it.)"
    one = guest("The track goes on at 0:18.", unsaved, line=(1, 2))
    await one.seek(18)
    await one.skip()
    before_ns = time.time_ns()
    assert not one.led_back(900, before_ns, time.time_ns())
    one.ledger.begin("SIGKILL", Cost("process", kills=True), None)
    after_ns = time.time_ns()
    assert one.led_back(900, before_ns, after_ns)
    assert not one.led_back(1100, before_ns, after_ns)
    assert not one.led_back(900, after_ns + 10**9, after_ns + 2 * 10**9)


async def test_what_was_not_saved_at_first_may_be_saved_without_a_word() -> None:
    """Chaos, seed 23: of two changes that were not saved the first one was, later, and the second undone."""
    answers = (f"Queued **track-{number}** at 3. (Done, but not saved)" for number in (0, 1))
    one = guest(*answers, shown(8, 9, 0), line=(8, 9))
    await one.play()
    one._settle(Line((8, 9, 0)))
    await one.play()
    one._settle(Line((8, 9, 0, 1)))
    await one.look()
    assert one.tally.losses == []


async def test_a_track_that_is_repeated_is_heard_before_it_is_answered() -> None:
    """Chaos, seed 23."""
    one = guest("The current track is repeated.", line=(1, 2))
    ask = one.ask

    async def slowly(name: str, /, **options: Any) -> tuple[bool | None, str]:
        assert one.follows(1, 1, time.time_ns())
        return await ask(name, **options)

    one.ask = slowly  # type: ignore[method-assign]
    assert not one.follows(1, 1, time.time_ns())
    await one.loop(TRACK)
    assert one.line.loop == TRACK


async def test_a_place_that_was_not_saved_is_left_by_a_restart_only() -> None:
    one = guest("The track goes on at 0:09. (Done, but not saved)", line=(1, 2))
    await one.seek(9)
    at_ns = time.time_ns() + 20 * 10**9
    assert not one.jumped(1234, at_ns, at_ns + 10**9)
    one.ledger.begin("SIGKILL", Cost("process", kills=True), "elsewhere").start_ns = at_ns
    assert not one.jumped(1234, at_ns, at_ns + 10**9)
    one.ledger.begin("SIGKILL", Cost("process", kills=True), None).start_ns = at_ns
    assert one.jumped(1234, at_ns, at_ns + 10**9)
    assert not one.jumped(1234, at_ns + 10**9, at_ns + 2 * 10**9), "after that"


async def test_a_pause_ends_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chaos, seed 23: a resume that was not saved was undone by a restart, and nobody resumed again."""
    monkeypatch.setattr("loopback.chaos.guest.PAUSED_S", (0.0, 0.0))
    monkeypatch.setattr("loopback.chaos.guest.AGAIN_S", 0.0)
    unsaved = (
        "The music goes on. (Done, but not saved)",
        "It is not paused.",
        "The volume is 100 %. (not saved)",
    )
    one = guest("Paused.", *unsaved, "The music goes on.", line=(1, 2))
    await one.pause()
    given = [name for name, _ in cast("User", one.user).given]
    assert given == ["pause", "resume", "resume", "volume", "resume"]


async def test_the_bot_is_called_until_it_is_there_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chaos, seed 708: a join that was not saved was undone by a restart, and nobody called the bot again."""
    monkeypatch.setattr("loopback.chaos.guest.AGAIN_S", 0.0)
    times = itertools.count(1)
    monkeypatch.setattr("loopback.chaos.guest.time", SimpleNamespace(time_ns=lambda: next(times)))
    unsaved = "Here I am, in <#1>. (Done, but not saved: the disk does not take it.)"
    one = guest(unsaved, unsaved, None, unsaved, unsaved, "Here I am, in <#1>.")
    monkeypatch.setattr(one, "_follow", anyio.lowlevel.checkpoint)
    away, ends = Ledger().begin("kicked", Cost("place"), one.place), list[int | None]()
    ask = one.ask

    async def seen(name: str, /, **options: Any) -> tuple[bool | None, str]:
        ends.append(away.end_ns)
        return await ask(name, **options)

    one.ask = seen  # type: ignore[method-assign]
    await one.come_back(away)
    assert [*ends, away.end_ns] == [None, 1, 1, None, 2, 2, 2], "it is away again when it does not answer"


@pytest.mark.parametrize("found", [(2, 3, 1), (2, 3)])
async def test_a_track_may_end_before_the_queue_is_repeated_or_after(found: tuple[int, ...]) -> None:
    """Chaos, seed 23."""
    one = guest("The whole queue is repeated.", shown(*found, repeats=" · repeats the queue"), line=(1, 2, 3))
    ask = one.ask

    async def slowly(name: str, /, **options: Any) -> tuple[bool | None, str]:
        if name == "loop":
            one.entered(2, 0)
        return await ask(name, **options)

    one.ask = slowly  # type: ignore[method-assign]
    await one.loop(QUEUE)
    await one.look()
    assert one.tally.losses == []
    assert list(one.line.tracks) == list(found)
