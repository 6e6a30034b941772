"""What was heard since a mark: gaps, losses, repeats, and whether RTP went on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from loopback.listening.listener import SILENCE_FRAME, Frame, Listener
from loopback.listening.places import NOWHERE, by_number, by_position_code, numbered
from loopback.listening.since import GapReport, heard_since
from loopback.music.pieces import PIECES, render
from loopback.voice.tones import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

START_NS = 1_700_000_000_000_000_000


@dataclass(frozen=True)
class Hole:
    began_ns: int
    ended_ns: int | None


def recorded(payloads: Sequence[bytes | None], *, before: int = 0) -> list[Frame]:
    """Packets of one session as a listener records them, 20 ms apart."""
    return [
        Frame(
            START_NS + number * 20_000_000,
            (65_500 + number) % 65_536,
            (2**32 - 9_600 + number * 960) % 2**32,
            7,
            number,
            opus,
            opus == SILENCE_FRAME,
            session=1,
        )
        for number, opus in enumerate(payloads, before)
    ]


def listened(frames: Sequence[Frame], *, mark_at: int = 0, limit: int | None = None) -> GapReport:
    """What a report says of the frames behind the first `mark_at`, which are numbered ones."""
    listener = Listener(1, limit=limit)
    for frame in frames[:mark_at]:
        listener.record(frame)
    mark = listener.mark()
    for frame in frames[mark_at:]:
        listener.record(frame)
    return heard_since(listener, mark, places=by_number)


def numbers(*places: int) -> list[Frame]:
    return recorded([numbered(place) for place in places])


def test_music_that_goes_on_is_whole_and_contiguous() -> None:
    heard = listened(numbers(*range(100)), mark_at=40)

    assert (heard.frames, heard.sessions) == (60, 1)
    assert heard.longest_gap_ms == heard.beyond_ms == pytest.approx(20.0)
    assert heard.whole
    assert heard.contiguous


def test_the_gap_begins_with_the_last_frame_before_the_mark() -> None:
    frames = numbers(*range(20))
    late = [replace(frame, arrival_ns=frame.arrival_ns + 300_000_000) for frame in frames[10:]]

    heard = listened([*frames[:10], *late], mark_at=10)

    assert heard.longest_gap_ms == pytest.approx(320.0)
    assert heard.lost == 0


def test_a_frame_that_is_lost_at_the_mark_counts() -> None:
    assert listened(numbers(0, 1, 2, 5, 6), mark_at=3).lost == 2


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_cuts_and_rewinds_are_counted(first: int, cut: int, rewound: int) -> None:
    behind = first + cut
    again = max(0, behind - rewound)
    heard = listened(numbers(*range(first), *range(behind, behind + 50), *range(again + 50, behind + 60)))

    assert heard.lost == cut
    assert heard.repeated == behind - again
    assert heard.out_of_order == 0


def test_frames_that_change_places_are_out_of_order_and_not_lost() -> None:
    heard = listened(numbers(0, 1, 3, 2, 4))

    assert (heard.lost, heard.repeated, heard.out_of_order) == (0, 0, 1)


def test_silence_between_frames_is_a_gap_in_the_music() -> None:
    heard = listened(recorded([numbered(0), *[SILENCE_FRAME] * 5, numbered(1)]))

    assert heard.longest_gap_ms == pytest.approx(120.0)
    assert heard.lost == 0
    assert heard.contiguous


def test_what_cannot_be_decrypted_is_lost() -> None:
    heard = listened(recorded([numbered(0), None, numbered(2)]))

    assert (heard.lost, heard.undecryptable) == (1, 1)


def test_a_new_session_shows_in_rtp_and_not_in_the_music() -> None:
    first, second = numbers(*range(10)), numbers(*range(10, 20))
    anew = [
        replace(frame, session=2, ssrc=8, sequence=number, nonce=number)
        for number, frame in enumerate(second)
    ]
    heard = listened([*first, *anew], mark_at=5)

    assert heard.whole
    assert not heard.contiguous
    assert (heard.sessions, heard.ssrc_changes, heard.sequence_breaks) == (2, 1, 1)
    assert heard.reused_nonces == 0


def test_forced_holes_are_taken_out_of_the_gap() -> None:
    frames = numbers(*range(10))
    late = [replace(frame, arrival_ns=frame.arrival_ns + 5_000_000_000) for frame in frames[5:]]
    listener = Listener(1)
    mark = listener.mark()
    for frame in [*frames[:5], *late]:
        listener.record(frame)
    began_ns = frames[4].arrival_ns + 10_000_000

    def beyond(*holes: Hole) -> float:
        return heard_since(listener, mark, holes=holes, places=by_number).beyond_ms

    assert beyond() == pytest.approx(5020.0)
    assert beyond(Hole(began_ns, began_ns + 4_800_000_000)) == pytest.approx(220.0)
    assert beyond(Hole(began_ns, began_ns + 10**9), Hole(began_ns + 2 * 10**9, None)) < 1100


def test_nothing_heard_is_told_as_such() -> None:
    heard = listened([])

    assert (heard.frames, heard.lost, heard.longest_gap_ms, heard.open_ms) == (0, 0, 0.0, float("inf"))


def test_what_a_limit_has_forgotten_does_not_shift_the_mark() -> None:
    heard = listened(numbers(*range(100)), mark_at=60, limit=20)

    assert heard.lost == 0
    assert 20 <= heard.frames <= 40


def test_numbered_frames_are_told_from_others() -> None:
    frames = recorded([numbered(70_000), b"\xfcsomething else", None, SILENCE_FRAME])

    assert by_number(frames) == [(0, 70_000), NOWHERE, NOWHERE, NOWHERE]


@cache
def music() -> list[bytes]:
    """Four seconds of a piece with its position code."""
    return encode(render(PIECES[1], 4.0))


def placed(*stretches: tuple[int, int]) -> list[Frame]:
    """Stretches of the piece, one after the other."""
    return recorded([opus for first, end in stretches for opus in music()[first:end]])


@given(st.integers(20, 80), st.integers(1, 30), st.integers(1, 30))
@settings(max_examples=10, deadline=None)
def test_the_position_code_tells_what_is_lost_and_repeated(first: int, cut: int, rewound: int) -> None:
    listener = Listener(1)
    mark = listener.mark()
    for frame in placed((5, first), (first + cut, 160), (160 - rewound, 190)):
        listener.record(frame)

    heard = heard_since(listener, mark)

    assert (heard.lost, heard.repeated, heard.out_of_order) == (cut, rewound, 0)


def test_a_new_session_does_not_disturb_the_reading() -> None:
    first, second = placed((5, 100)), [replace(one, session=2) for one in placed((100, 190))]

    read = by_position_code([*first, *second])

    assert read[2:] == [(PIECES[1].track, number) for number in range(read[2][1], read[2][1] + 183)]
