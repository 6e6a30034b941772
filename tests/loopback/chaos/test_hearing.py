"""The one who listens counts what was lost, repeated, misplaced and out of turn, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loopback.chaos.hearing import Hearing
from loopback.listening.listener import Frame, Listener
from loopback.listening.places import numbered

if TYPE_CHECKING:
    from collections.abc import Iterable

LENGTH = 50
FRAME_NS = 20_000_000
MS = 1_000_000


@dataclass
class Asker:
    """Tracks come one after the other by their numbers; `jumps` were asked for."""

    jumps: set[int] = field(default_factory=set)
    begun: list[int] = field(default_factory=list)

    loops: bool = False
    unheard: bool = False
    onward: bool = False
    otherwise: bool = True
    undone: bool = False
    until_frame: int = 10**9
    """The jumps may be heard until so many frames of time have passed."""

    def follows(self, before: int, after: int, _since_ns: int) -> bool:
        return after == before + (0 if self.loops else 1)

    def jumped(self, frame: int, since_ns: int, at_ns: int, *, same: bool = False, unheard: int = 0) -> bool:
        return (
            not (same and self.onward)
            and since_ns < at_ns
            and since_ns <= self.until_frame * FRAME_NS
            and any(jump <= frame <= jump + unheard for jump in self.jumps)
        )

    def landed(self, frame: int, _since_ns: int, _at_ns: int, *, same: bool = False) -> int | None:
        del same
        return next((jump for jump in self.jumps if self.unheard and frame > jump), None)

    def led_back(self, frame: int, _since_ns: int, _at_ns: int) -> bool:
        return self.undone and frame in self.jumps

    def sounds_otherwise(self, _at_ns: int) -> bool:
        return self.otherwise

    def entered(self, track: int, _frame: int) -> None:
        self.begun.append(track)


OTHER = (-1, -1)
"""A frame of music that says no number."""
NOTHING = (-2, -2)
"""20 ms of silence."""


def hear(places: Iterable[tuple[int, int]], *jumps: int, length: int = LENGTH, **how: int) -> Hearing:
    """What is made of frames that come 20 ms apart."""
    listener = Listener(1)
    hearing = Hearing(listener, Asker(set(jumps), **how), length)  # type: ignore[arg-type]  # no sets
    for index, (track, number) in enumerate(places):
        if (track, number) == NOTHING:
            continue
        opus = b"\xfcother" if (track, number) == OTHER else numbered(number, track=track)
        at_ns = (index + 1) * FRAME_NS
        listener.record(Frame(at_ns, index, index * 960, 1, index, opus, silence=False))
    hearing.take()
    return hearing


def run(track: int, first: int = 0, end: int = LENGTH) -> list[tuple[int, int]]:
    return [(track, number) for number in range(first, end)]


def slips(hearing: Hearing) -> list[tuple[int, int, int, int]]:
    """Track, frame, lost, repeated."""
    return [
        (one.track, one.frame, one.lost, one.repeated) for one in hearing.slips if one.lost or one.repeated
    ]


def test_music_as_it_should_be() -> None:
    hearing = hear([*run(1), *run(2)])
    assert (hearing.heard, hearing.slips, hearing.gaps, hearing.out_of_order) == (100, [], [], 0)


def test_a_hole_in_a_track_is_lost_at_its_place() -> None:
    assert slips(hear([*run(1, 0, 10), *run(1, 14)])) == [(1, 10, 4, 0)]


def test_frames_that_come_after_all_are_not_lost_but_out_of_order() -> None:
    hearing = hear([*run(1, 0, 10), (1, 12), (1, 10), (1, 11), *run(1, 13)])
    assert slips(hearing) == []
    assert hearing.out_of_order == 2


def test_a_rewind_is_repeated_once_for_each_frame() -> None:
    assert slips(hear([*run(1, 0, 30), *run(1, 20)])) == [(1, 20, 0, 10)]


def test_a_rewind_over_the_end_of_a_track() -> None:
    hearing = hear([*run(1), *run(2, 0, 5), *run(1, 45), *run(2)])
    assert sum(one.repeated for one in hearing.slips) == 10
    assert slips(hearing)[0][:2] == (1, 45)
    assert not any(one.lost or one.unasked for one in hearing.slips)


def test_a_rewind_goes_to_the_latest_playing_of_a_track() -> None:
    hearing = hear([*run(1, 0, 20), *run(1, 12), *run(2, 0, 9), *run(1, 45), *run(2)], 12)
    assert not any(one.lost or one.unasked for one in hearing.slips)
    assert sum(one.repeated for one in hearing.slips) == 14


def test_a_track_that_ends_early_and_one_that_begins_late() -> None:
    assert slips(hear([*run(1, 0, 40), *run(2, 3)])) == [(1, 40, 10, 0), (2, 0, 3, 0)]


def test_a_track_out_of_turn() -> None:
    hearing = hear([*run(1), *run(3)])
    assert [one.unasked for one in hearing.slips] == ["track 3 after track 1"]


def test_what_was_asked_for_is_no_slip() -> None:
    hearing = hear([*run(1, 0, 20), *run(1, 5, 30), *run(3, 0, 9)], 5, 0)
    assert hearing.slips == []


def test_a_seek_to_what_has_just_been_heard_repeats_nothing() -> None:
    """Chaos, seed 5: to second 18 when the frame after it had come."""
    hearing = hear([*run(1, 0, 31), *run(1, 29)], 29)
    assert slips(hearing) == []
    assert hearing.tracks == 2


def test_frames_that_overtake_each_other_where_a_track_ends_are_not_lost() -> None:
    """Chaos, seed 5: a path whose delay changes mixes the end of a track and the beginning of the next."""
    mixed = [(2, 0), (1, LENGTH - 1), (2, 2), (2, 1)]
    assert slips(hear([*run(1, end=LENGTH - 1), *mixed, *run(2, 3)])) == []


def test_frames_that_overtake_each_other_where_a_command_leads_elsewhere_are_not_lost() -> None:
    """Chaos, seed 5: the same where somebody seeks, be it to just beyond."""
    back = [(1, 10), (1, 31), (1, 12), (1, 30), (1, 11)]
    assert slips(hear([*run(1, 0, 30), *back, *run(1, 13)], 10)) == []
    on = [(1, 35), (1, 31), (1, 37), (1, 36), (1, 30)]
    assert slips(hear([*run(1, 0, 30), *on, *run(1, 38)], 35)) == []


def test_a_seek_to_just_beyond_loses_nothing() -> None:
    """Chaos, seed 35: to what came next, which comes up out of a frame of silence."""
    assert slips(hear([*run(1, 0, 120), *run(1, 121, 150)], 121, length=150)) == []


def test_what_nobody_heard_of_the_place_to_which_a_command_has_led_is_lost_and_no_more() -> None:
    """Chaos, seed 5: a track was skipped while the bot had lost the right to speak."""
    skipped = hear([*run(1, 0, 10), *run(2, 20)], 0, unheard=True)
    assert slips(skipped) == [(2, 0, 20, 0)]
    sought = hear([*run(1, 0, 10), *run(1, 40)], 30, unheard=True)
    assert slips(sought) == [(1, 30, 10, 0)]


def test_what_is_heard_again_is_nothing_that_a_skip_has_led_to() -> None:
    """Chaos, seed 31: skipped near its beginning, and just then its last frames were sent again."""
    hearing = hear([*run(1, 0, 10), *run(1, 8, 10), *run(2, 8)], 8, onward=True)
    assert slips(hearing) == [(1, 8, 0, 2)]
    assert hearing.tracks == 2


def test_what_is_heard_again_after_a_silence_may_be_as_old_as_that() -> None:
    hearing = hear([*run(1, 0, 30), *run(1, 25)])
    assert [(one.since_ns, one.at_ns) for one in hearing.slips] == [(30 * FRAME_NS, 31 * FRAME_NS)]


def test_a_restart_that_undoes_a_skip_leads_back_to_where_the_track_had_been_sought() -> None:
    """Chaos, seed 701: sought in a silence, skipped on a full disk before that was heard, then killed."""
    places = [*run(1, 0, 10), *run(2, 0, 9), *[NOTHING] * 9, *run(1, 30)]
    assert slips(hear(places, 0, 30, undone=True, until_frame=12)) == []
    assert slips(hear(places, 0, 30, until_frame=12)) == [(1, 10, 20, 0)]
    assert slips(hear(places, 0, 29, undone=True, until_frame=12)) == [(1, 10, 20, 0)]


def test_a_track_that_is_repeated_begins_anew() -> None:
    hearing = hear([*run(1, 0, 300), *run(1, 0, 300)], length=300, loops=True)
    assert (hearing.slips, hearing.heard) == ([], 600)


def test_a_rewind_over_the_end_of_a_track_that_is_repeated() -> None:
    places = [*run(1, 0, 300), *run(1, 0, 9), *run(1, 290, 300), *run(1, 0, 300)]
    hearing = hear(places, length=300, loops=True)
    assert not any(one.lost or one.unasked for one in hearing.slips)
    assert sum(one.repeated for one in hearing.slips) == 19


def test_a_hole_in_a_track_that_was_left_and_begun_anew_is_lost_once() -> None:
    """Chaos, seed 21: its frames were taken for the end of an earlier playing, and lost in both."""
    places = [*run(1, 0, 98), *run(1, 0, 107), *run(1, 261, 300)]
    assert slips(hear(places, 0, length=300, loops=True)) == [(1, 107, 154, 0)]


def test_what_follows_after_a_rewind_follows_the_track_that_was_gone_back_to() -> None:
    """Chaos, seed 23: a process that was killed had forgotten that the next track had begun."""
    places = [*run(1, 0, 300), *run(2, 0, 5), *run(1, 250, 300), *run(1, 0, 300)]
    hearing = hear(places, length=300, loops=True)
    assert [one.unasked for one in hearing.slips if one.unasked] == ["track 2 after track 1"]
    assert sum(one.lost for one in hearing.slips) == 0


def test_a_skip_that_a_restart_had_undone_is_done_again_and_repeats_nothing() -> None:
    """Chaos, seed 703: skipped, not saved, killed; the track went on where it was, and was skipped later."""
    places = [*run(1, 0, 50), *run(2, 0, 60), *run(1, 45, 280), *run(2, 0, 100)]
    assert slips(hear(places, 0, length=300)) == [(1, 45, 0, 5)]


def test_a_track_that_is_repeated_uncalled_is_heard_twice() -> None:
    assert slips(hear([*run(1, 0, 300), *run(1, 0, 300)], length=300)) == [(1, 0, 0, 300)]


def test_frames_without_a_place_count_as_much_as_others() -> None:
    hearing = hear([*run(1, 0, 10), *[OTHER] * 20, *run(1, 30)])
    assert (hearing.slips, hearing.gaps, len(hearing.arrivals)) == ([], [], LENGTH)


def test_frames_lost_or_repeated_where_none_had_a_place() -> None:
    assert slips(hear([*run(1, 0, 10), *[OTHER] * 20, *run(1, 34)])) == [(1, 30, 4, 0)]
    assert slips(hear([*run(1, 0, 10), *[OTHER] * 20, *run(1, 25)])) == [(1, 30, 0, 5)]


def test_frames_without_a_place_over_the_end_of_a_track() -> None:
    assert slips(hear([*run(1, 0, 40), *[OTHER] * 20, *run(2, 10)])) == []
    hearing = hear([*run(1, 0, 40), *[OTHER] * 20, *run(3, 10)])
    assert [one.unasked for one in hearing.slips] == ["track 3 after track 1"]


def test_a_seek_among_frames_without_a_place() -> None:
    assert slips(hear([*run(1, 0, 10), *[OTHER] * 9, *run(1, 5, 9), *run(1, 9)], 0)) == []


def test_frames_without_a_place_may_follow_a_silence_in_which_a_command_has_led_elsewhere() -> None:
    """Chaos, seed 702: skipped in a hole of UDP, a kill, and then the next track in another sound."""
    silence, others = [NOTHING] * 20, [OTHER] * 9
    assert slips(hear([*run(1, 0, 10), *silence, *others, *run(2, 9)], 0, until_frame=15)) == []
    late = hear([*run(1, 0, 10), *silence, *others, *run(2, 9)], 0, until_frame=5)
    assert sum(one.lost for one in late.slips) == 40
    unheard = hear([*run(1, 0, 10), *silence, *others, *run(2, 29)], 0, unheard=True, until_frame=5)
    assert slips(unheard) == [(2, 9, 20, 0)]


def test_frames_without_a_place_that_nobody_asked_for() -> None:
    hearing = hear([*run(1, 0, 10), *[OTHER] * 5, *run(1, 15)], otherwise=False)
    assert [one.unasked for one in hearing.slips] == ["track 1 as it is not in its file"]


def test_silences_are_noted_by_their_length() -> None:
    listener = Listener(1)
    hearing = Hearing(listener, None, 0)
    for at_ms, number in ((0, 0), (20, 1), (60, 2), (80, 3)):
        frame = Frame(10**9 + at_ms * 10**6, number, 0, 1, number, numbered(number), silence=False)
        listener.record(frame)
    hearing.take()
    assert [gap.length_ms for gap in hearing.gaps] == [40.0]


def test_what_came_before_the_beginning_is_forgotten() -> None:
    hearing = hear([*run(1, 0, 10), *run(1, 14, 20)])
    hearing.began(12 * FRAME_NS)
    assert hearing.slips == []
    assert hearing.heard == 5


def test_a_silence_that_lasts_begins_at_the_beginning() -> None:
    hearing = hear(run(1, 0, 10))
    began_ns = hearing.last_ns + 100 * MS
    hearing.began(began_ns)
    hearing.listener.record(Frame(began_ns + 50 * MS, 10, 0, 1, 10, numbered(10), silence=False))
    hearing.take()
    assert [gap.length_ms for gap in hearing.gaps] == [50.0]


def test_only_the_newest_frames_are_kept_by_the_listener() -> None:
    hearing = hear([])
    for index in range(hearing.listener.limit or 0):
        hearing.listener.record(
            Frame((index + 1) * FRAME_NS, index, 0, 1, index, numbered(index), silence=False)
        )
        if index % 100 == 0:
            hearing.take()
    hearing.take()
    assert hearing.heard == hearing.listener.limit
