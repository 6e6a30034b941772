"""What was heard is judged frame by frame, and every fault is named."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from loopback.listening.files import slots, write_ogg, write_report
from loopback.listening.heard import BY_CODE, BY_REFERENCE, BY_RTP, Asked, TrackReport, hear
from loopback.listening.listener import SILENCE_FRAME, Frame
from loopback.listening.order import EDGE, filled, judge
from loopback.listening.picture import draw
from loopback.music.files import write_sound
from loopback.music.pieces import PIECES, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SECONDS = 8.0
FIRST, SECOND = (Asked(piece.title, SECONDS, piece.track) for piece in PIECES[:2])


@cache
def opus(index: int, *, coded: bool = True) -> list[bytes]:
    """A piece of 8 s as 20 ms Opus packets."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.webm"
        write_sound(path, [sound(index, coded=coded)], title="x")
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


@cache
def sound(index: int, *, coded: bool = True) -> NDArray[np.int16]:
    return render(PIECES[index], SECONDS) if coded else render(PIECES[index], SECONDS, None)


def frames(packets: Sequence[bytes | None], delays_ms: dict[int, float] | None = None) -> list[Frame]:
    """Packets as a listener records them, 20 ms apart but for the delays before some of them."""
    now, recorded = 1_800_000_000_000_000_000, []
    for index, packet in enumerate(packets):
        now += round((delays_ms or {}).get(index, 0.0) * 1e6)
        recorded.append(
            Frame(now, index % 65536, index * 960, 7, index, packet, packet == SILENCE_FRAME, session=1)
        )
        now += 20_000_000
    return recorded


def only(heard: list[Frame], *asked: Asked) -> TrackReport:
    return hear(heard, asked).reports[0]


def test_two_tracks_in_order_are_all_right() -> None:
    heard = frames([*opus(0), *opus(1), *[SILENCE_FRAME] * 5])
    for report, track in zip(hear(heard, [FIRST, SECOND]).reports, (FIRST, SECOND), strict=True):
        assert report.ok, report.problems
        assert (report.track, report.judged_by) == (track.title, BY_CODE)
        assert (report.lost, report.repeated, report.out_of_order) == (0, 0, 0)
        assert report.seconds_heard == pytest.approx(SECONDS, abs=0.05)
        assert report.longest_gap_ms == pytest.approx(20.0)


def test_a_gap_is_measured_by_arrival_and_fails() -> None:
    report = only(frames(opus(0), {100: 55.0}), FIRST)
    assert report.longest_gap_ms == pytest.approx(75.0)
    assert report.problems == ("a gap of 75 ms",)


@pytest.mark.parametrize(("follows_on", "ok"), [(True, False), (False, True)])
def test_a_pause_between_tracks_counts_where_none_is_due(follows_on: bool, ok: bool) -> None:
    heard = frames([*opus(0), *opus(1)], {len(opus(0)): 500.0})
    second = Asked(PIECES[1].title, SECONDS, 1, follows_on=follows_on)
    report = hear(heard, [FIRST, second]).reports[1]
    assert report.gap_before_ms == pytest.approx(520.0)
    assert report.longest_gap_ms == pytest.approx(20.0)
    assert report.ok is ok


@given(st.integers(20, 200), st.integers(1, 30), st.integers(230, 350), st.integers(1, 30))
@settings(max_examples=15, deadline=None)
def test_cuts_and_repeats_are_counted(cut: int, cut_len: int, again: int, again_len: int) -> None:
    packets = opus(0)
    heard = [*packets[:cut], *packets[cut + cut_len : again + again_len], *packets[again:]]
    report = only(frames(heard), FIRST)
    assert report.lost - report.unread in range(cut_len - 1, cut_len + 1)
    assert report.repeated in range(again_len - 1, again_len + 1)
    assert not report.ok


def test_blocks_that_change_places_are_out_of_order() -> None:
    packets = opus(0)
    report = only(frames([*packets[:100], *packets[150:200], *packets[100:150], *packets[200:]]), FIRST)
    assert report.out_of_order in {49, 50}
    assert report.in_order == pytest.approx(0.875, abs=0.01)
    assert any("in order" in problem for problem in report.problems)


def test_inserted_silence_is_a_gap_in_the_music() -> None:
    packets = opus(0)
    report = only(frames([*packets[:150], *[SILENCE_FRAME] * 10, *packets[150:]]), FIRST)
    assert report.longest_gap_ms == pytest.approx(220.0)
    assert report.lost == 0


def test_frames_that_cannot_be_decrypted_are_lost() -> None:
    packets: list[bytes | None] = [*opus(0)]
    packets[200:203] = [None] * 3
    report = only(frames(packets), FIRST)
    assert (report.undecodable, report.lost) == (3, 3)


def test_a_track_cut_off_at_its_end_or_beginning_is_not_complete() -> None:
    for part in (opus(0)[:-20], opus(0)[20:]):
        report = only(frames(part), FIRST)
        assert report.lost in range(20 - EDGE - 1, 21)
        assert not report.ok


def test_nothing_heard_is_a_failure() -> None:
    for heard in ([], frames([SILENCE_FRAME] * 20), frames(opus(1))):
        report = only(heard, FIRST)
        assert report.problems == ("nothing of it was heard",)
        assert report.seconds_heard == 0


def test_a_skipped_track_is_judged_up_to_where_it_was_asked_for() -> None:
    report = hear(frames([*opus(0)[:260], *opus(1)]), [Asked("x", 5.0, 0), SECOND]).reports[0]
    assert report.ok, report.problems
    assert report.seconds_heard == pytest.approx(5.2, abs=0.05)


def test_a_foreign_track_is_compared_with_its_reference() -> None:
    foreign = Asked("song", SECONDS, None, sound(2, coded=False))
    packets = opus(2, coded=False)
    whole = hear(frames([*packets, *opus(1)]), [foreign, SECOND]).reports
    assert [report.judged_by for report in whole] == [BY_REFERENCE, BY_CODE]
    assert all(report.ok for report in whole), [report.problems for report in whole]
    cut = only(frames([*packets[:100], *packets[110:200], *packets[180:]]), foreign)
    assert cut.lost in range(9, 12)
    assert cut.repeated in range(19, 22)


def test_without_a_reference_only_the_order_of_packets_is_vouched_for() -> None:
    report = only(frames(opus(2, coded=False)), Asked("song", None))
    assert (report.judged_by, report.lost, report.repeated, report.ok) == (BY_RTP, 0, 0, True)
    holed = frames(opus(2, coded=False))
    del holed[100:104]
    assert only(holed, Asked("song", None)).lost == 4


@given(st.lists(st.integers(0, 60), max_size=80))
def test_the_counts_add_up(places: list[int]) -> None:
    order = judge(np.array(places, dtype=np.int64), 61, known=True)
    assert order.heard == len(set(places))
    assert order.repeated == len(places) - len(set(places))
    assert order.lost == len(set(range(EDGE - 1, 61 - EDGE)) - set(places))
    assert 0 <= order.in_order <= 1


@given(st.integers(0, 30), st.integers(0, 5), st.integers(5, 30))
def test_only_what_has_one_possibility_is_filled_in(before: int, unread: int, after: int) -> None:
    places = np.array(
        [*range(before + 1), *[-1] * unread, *range(before + 1 + unread, before + unread + after)]
    )
    assert filled(places).tolist() == list(range(len(places)))
    if unread:
        moved = places.copy()
        moved[before + 1 + unread :] += 1
        assert (filled(moved) == -1).sum() == unread


def test_holes_become_silence_in_the_file_and_jitter_does_not(tmp_path: Path) -> None:
    heard = frames(opus(0)[:100], {10: 9.0, 50: 400.0})
    assert len(list(slots(heard))) == 120
    write_ogg(tmp_path / "x.ogg", heard)
    with av.open(str(tmp_path / "x.ogg")) as container:
        packets = [bytes(packet) for packet in container.demux(audio=0) if packet.size]
    assert packets[:50] == opus(0)[:50], "untouched"
    assert packets[50:70] == [SILENCE_FRAME] * 20


def test_the_report_is_the_list_that_the_contract_names(tmp_path: Path) -> None:
    write_report(tmp_path / "x.json", hear(frames(opus(0)), [FIRST]).reports)
    (entry,) = json.loads((tmp_path / "x.json").read_text())
    named = {"track", "seconds_heard", "longest_gap_ms", "lost", "repeated", "out_of_order"}
    assert named <= entry.keys()
    assert (entry["track"], entry["lost"], entry["ok"]) == (FIRST.title, 0, True)


@pytest.mark.parametrize("packets", [0, 1, 300])
def test_a_picture_is_drawn_of_whatever_was_heard(packets: int, tmp_path: Path) -> None:
    heard = frames(opus(0)[:packets], {150: 300.0})
    draw(tmp_path / "x.png", hear(heard, [FIRST, SECOND]))
    picture = (tmp_path / "x.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert (int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24])) == (1600, 1000)


def test_an_empty_hearing_leaves_an_empty_file(tmp_path: Path) -> None:
    write_ogg(tmp_path / "x.ogg", [])
    assert (tmp_path / "x.ogg").exists()


def test_a_track_is_end_to_end_encrypted_if_each_of_its_frames_is() -> None:
    closed = [replace(frame, encrypted=True) for frame in frames(opus(0))]
    assert only(closed, FIRST).end_to_end
    assert not only([*closed[:100], replace(closed[100], encrypted=False), *closed[101:]], FIRST).end_to_end
