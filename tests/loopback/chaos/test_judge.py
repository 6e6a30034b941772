"""The judge allows what a fault may cost, once, and tells what is beyond."""

from __future__ import annotations

from array import array
from itertools import pairwise
from random import Random

import pytest

from loopback.chaos.hearing import Hearing, RawGap, RawSlip
from loopback.chaos.judge import Judge
from loopback.chaos.lateness import Lateness
from loopback.chaos.ledger import Cost, Ledger
from loopback.listening.listener import Listener

S = 1_000_000_000
MS = 1_000_000
HOLE = Cost("voice", 500, forced=True, retries=True)
CLOSED = Cost("voice", 150, repeated=10, lost=2, retries=True)
KILLED = Cost("actors", 40)


def hearing(*gaps: tuple[int, int], slips: tuple[RawSlip, ...] = ()) -> Hearing:
    """Silences by begin and end, ns; music at all other times, for 60 s."""
    heard = Hearing(Listener(1))
    heard.gaps = [RawGap(*gap) for gap in gaps]
    heard.slips = list(slips)
    silent = [range(a + 1, b) for a, b in gaps]
    heard.arrivals = array(
        "q", [at for at in range(0, 60 * S, 20 * MS) if not any(at in one for one in silent)]
    )
    heard.last_ns = heard.arrivals[-1]
    return heard


def judge(ledger: Ledger, lateness: Lateness | None = None) -> Judge:
    return Judge(7, (0, 60 * S), ledger.entries, lateness or Lateness())


def done(ledger: Ledger, cost: Cost, start_ns: int, end_ns: int, guild: str | None = "g") -> None:
    entry = ledger.begin("fault", cost, guild)
    entry.start_ns, entry.end_ns = start_ns, end_ns


@pytest.mark.parametrize(("length_ms", "kept"), [(39, True), (41, False)])
def test_a_silence_after_nothing(length_ms: int, *, kept: bool) -> None:
    found = judge(Ledger())
    found.player("bot", 1, {"g": hearing((5 * S, 5 * S + length_ms * MS))})
    assert [one.invariant for one in found.violations] == ([] if kept else ["silence"])


@pytest.mark.parametrize(("guild", "kept"), [("g", True), (None, True), ("other", False)])
def test_a_fault_counts_for_those_whom_it_met(guild: str | None, *, kept: bool) -> None:
    ledger = Ledger()
    done(ledger, CLOSED, 5 * S, 5 * S, guild)
    found = judge(ledger)
    found.player("bot", 1, {"g": hearing((5 * S, 5 * S + 140 * MS))})
    assert (found.violations == []) == kept


@pytest.mark.parametrize(("end_ms", "kept"), [(5450, True), (5600, False)])
def test_a_forced_hole_and_its_bound(end_ms: int, *, kept: bool) -> None:
    ledger = Ledger()
    done(ledger, HOLE, 10 * S, 15 * S)
    found = judge(ledger)
    player = found.player("bot", 1, {"g": hearing((10 * S, 10 * S + end_ms * MS))})
    assert (found.violations == []) == kept
    assert player.timelines[0].gaps[0].allowed_ms == 5500
    assert player.kinds[0].longest_beyond_ms == end_ms - 5000


def test_two_that_can_make_an_attempt_fail_are_allowed_the_wait_of_the_policy() -> None:
    ledger = Ledger()
    done(ledger, CLOSED, 5 * S, 5 * S)
    done(ledger, CLOSED, 5 * S + 50 * MS, 5 * S + 50 * MS)
    found = judge(ledger)
    player = found.player("bot", 1, {"g": hearing((5 * S, 5 * S + 3000 * MS))})
    assert found.violations == []
    assert player.timelines[0].gaps[0].allowed_ms == 300 + 2600 + 900


@pytest.mark.parametrize(("silent", "kept"), [(5, True), (4, False)])
def test_where_many_guilds_are_silent_at_once_the_policy_waits_longer(silent: int, *, kept: bool) -> None:
    """Chaos, seed 32: five of twenty."""
    ledger = Ledger()
    done(ledger, Cost("voice", 3500, pause_ms=2600), 5 * S, 5 * S, "0")
    done(ledger, Cost("gateway", 1000), 6 * S, 6 * S, None)
    hearings = {str(number): hearing((7 * S, 8 * S)) for number in range(silent)}
    hearings |= {"0": hearing((5 * S, 11 * S))} | {str(number): hearing() for number in range(silent, 20)}
    found = judge(ledger)
    found.player("bot", 1, hearings)
    assert (not any(one.invariant == "silence" for one in found.violations)) == kept


def test_what_the_machine_was_late_is_allowed() -> None:
    late = Lateness([5 * S + 30 * MS], [5 * S], [25 * MS])
    found = judge(Ledger(), late)
    found.player("bot", 1, {"g": hearing((5 * S, 5 * S + 60 * MS))})
    assert found.violations == []


@pytest.mark.parametrize(("words", "kept"), [(1, True), (0, False)])
def test_a_word_that_the_music_waits_for_may_come_late(words: int, *, kept: bool) -> None:
    """Chaos, seed 11: the name of a new voice server, said by a main gateway that was late."""
    ledger = Ledger()
    done(ledger, Cost("gateway", 60, word_ms=400), 4 * S, 7 * S, None)
    done(ledger, Cost("voice", 150, words=words), 5 * S, 5 * S)
    found = judge(ledger)
    found.player("bot", 1, {"g": hearing((5 * S, 5 * S + 540 * MS))})
    assert (found.violations == []) == kept


@pytest.mark.parametrize(("words", "kept"), [(1, True), (0, False)])
def test_nobody_says_a_word_while_the_main_gateway_is_away(words: int, *, kept: bool) -> None:
    """Chaos, seed 12: a new voice server, and a session of the main gateway that has to begin anew."""
    ledger = Ledger()
    done(ledger, Cost("gateway", 60, away=True), 5 * S, 10 * S, None)
    done(ledger, Cost("voice", 150, words=words), 6 * S, 6 * S)
    found = judge(ledger)
    found.player("bot", 1, {"g": hearing((6 * S, 10 * S + 150 * MS))})
    assert (found.violations == []) == kept


@pytest.mark.parametrize(("ends", "after_s", "kept"), [(True, 3, True), (True, 11, False), (False, 3, False)])
def test_an_end_that_is_said_into_a_half_open_websocket_is_heard_of_otherwise(
    ends: bool, after_s: int, *, kept: bool
) -> None:
    """Chaos, seed 23: 4009, of which only the keep-alives told that had no answer any more."""
    ledger = Ledger()
    done(ledger, Cost("voice", 60, settle_s=30, deaf=True), 5 * S, 5 * S)
    done(ledger, Cost("voice", 150, ends=ends), (5 + after_s) * S, (5 + after_s) * S)
    found = judge(ledger)
    found.player("bot", 1, {"g": hearing(((5 + after_s) * S, (5 + after_s) * S + 5900 * MS))})
    assert (found.violations == []) == kept


def test_what_is_heard_again_comes_of_what_began_the_silence() -> None:
    """Chaos, seeds 5, 22 and 23: four seconds without a main gateway, and then three frames again."""
    ledger = Ledger()
    done(ledger, CLOSED, 5 * S, 5 * S)
    slips = RawSlip(9 * S, 1, 0, repeated=3, since_ns=5 * S), RawSlip(9 * S, 1, 0, repeated=3)
    found = judge(ledger)
    found.player("bot", 1, {"g": hearing(slips=slips[:1])})
    assert found.violations == []
    found.player("bot", 1, {"g": hearing(slips=slips[1:])})
    assert [one.invariant for one in found.violations] == ["repeated"]


def test_a_fault_is_not_said_to_have_cost_what_the_machine_was_late() -> None:
    ledger = Ledger()
    done(ledger, KILLED, 5 * S, 5 * S)
    found = judge(ledger, Lateness([5 * S + 30 * MS], [5 * S], [25 * MS]))
    (kind,) = found.player("bot", 1, {"g": hearing((5 * S, 5 * S + 60 * MS))}).kinds
    assert (kind.longest_ms, kind.longest_beyond_ms) == (60, 35)


def test_what_a_fault_allows_it_allows_once() -> None:
    ledger = Ledger()
    done(ledger, CLOSED, 5 * S, 5 * S)
    slips = RawSlip(5 * S, 1, 0, repeated=8), RawSlip(6 * S, 1, 9, repeated=8)
    found = judge(ledger)
    player = found.player("bot", 1, {"g": hearing(slips=slips)})
    assert [(one.invariant, one.at_s) for one in found.violations] == [("repeated", 6.0)]
    assert "6 frames" in found.violations[0].words
    assert (player.repeated, player.kinds[0].repeated) == (16, 16)


def test_a_track_out_of_turn_is_told_with_seed_and_time() -> None:
    found = judge(Ledger())
    found.player("bot", 1, {"g": hearing(slips=(RawSlip(4 * S, 3, 0, unasked="track 3 after track 1"),))})
    (broken,) = found.violations
    assert (broken.invariant, broken.at_s, broken.guild, broken.seed) == ("order", 4.0, "g", 7)


def test_a_silence_in_which_the_run_ends() -> None:
    heard = hearing()
    heard.last_ns = 50 * S
    found = judge(Ledger())
    found.player("bot", 1, {"g": heard})
    assert [one.invariant for one in found.violations] == ["silence"]


def test_the_share_leaves_out_forced_holes_and_their_bounds_alone() -> None:
    ledger = Ledger()
    done(ledger, HOLE, 10 * S, 15 * S)
    found = judge(ledger)
    whole = found.player("bot", 1, {"g": hearing((10 * S, 15 * S + 400 * MS))})
    assert whole.share_heard == pytest.approx(1, abs=0.001)
    less = found.player("bot", 1, {"g": hearing((10 * S, 15 * S + 400 * MS), (30 * S, 33 * S))})
    assert less.share_heard == pytest.approx(1 - 3 / 54.5, abs=0.001)


@pytest.mark.parametrize(("eats", "share"), [(True, 1.0), (False, 2850 / 2990)])
def test_what_the_network_ate_was_not_due(eats: bool, share: float) -> None:
    """Chaos, seed 603: 99.85 % of the music was heard; the rest were packets that had been thrown away."""
    ledger = Ledger()
    done(ledger, Cost("voice", 200, lost=150, eats=eats), 10 * S, 30 * S)
    heard = hearing(slips=tuple(RawSlip((11 + n // 10) * S, 1, n, lost=1) for n in range(140)))
    lost = {10 * S + n * 140 * MS for n in range(4, 144)}
    heard.arrivals = array("q", [at for at in heard.arrivals if at not in lost])
    player = judge(ledger).player("bot", 1, {"g": heard})
    assert player.share_heard == pytest.approx(share, abs=0.0005)


def test_what_the_machine_was_late_was_not_due() -> None:
    late = Lateness([33 * S], [30 * S], [3 * S])
    found = judge(Ledger(), late)
    player = found.player("bot", 1, {"g": hearing((30 * S, 33 * S))})
    assert player.share_heard == pytest.approx(1, abs=0.001)
    assert found.violations == []


def missing(found: Judge, heard: Hearing) -> int:
    """Frames of 60 s that were due and did not come."""
    (timeline,) = found.player("bot", 1, {"g": heard}).timelines
    return timeline.due - timeline.heard


@pytest.mark.parametrize("late_ms", [0, 15, 40])
def test_short_silences_after_which_everything_comes_cost_nothing(late_ms: int) -> None:
    """Chaos, seed 604: 99.83 % of the music was heard, for the frame before each silence was not counted."""
    starts = [n * S for n in range(5, 55)]
    late = Lateness([at + 50 * MS for at in starts], starts, [late_ms * MS] * len(starts))
    heard = hearing(*((at, at + 60 * MS) for at in starts))
    heard.arrivals = array("q", sorted([*heard.arrivals, *(at + n * MS for at in starts for n in (65, 75))]))
    assert missing(judge(Ledger(), late), heard) == 0
    heard.arrivals = array("q", [at for at in heard.arrivals if not 56 * S < at <= 57 * S])
    assert missing(judge(Ledger(), late), heard) == 50, "and what was late makes up for nothing else"


@pytest.mark.parametrize(("late_ms", "lost"), [(0, 100), (20, 50), (40, 0)])
def test_in_a_silence_that_nobody_makes_up_for_every_frame_counts_but_those_of_the_machine(
    late_ms: int, lost: int
) -> None:
    starts = [n * S for n in range(5, 55)]
    late = Lateness([at + 50 * MS for at in starts], starts, [late_ms * MS] * len(starts))
    heard = hearing(*((at, at + 60 * MS) for at in starts))
    assert missing(judge(Ledger(), late), heard) == lost


def test_frames_that_come_unevenly_are_not_missing() -> None:
    """By up to 20 ms earlier or later, as through a network that delays: each one has come."""
    dice = Random(1)  # noqa: S311 - to be done again
    heard = hearing()
    uneven = [at + 20 * MS + dice.randrange(-20 * MS, 20 * MS) for at in heard.arrivals if at < 30 * S]
    heard.arrivals = array("q", [*sorted(uneven), *(at + 20 * MS for at in heard.arrivals[1500:])])
    pairs = list(pairwise(heard.arrivals))
    heard.gaps = [RawGap(a, b) for a, b in pairs if b - a > 35 * MS]
    late = Lateness([b for _, b in pairs], [a for a, _ in pairs], [30 * MS] * len(pairs))
    assert len(heard.gaps) > 100
    assert missing(judge(Ledger(), late), heard) <= 1
    heard.arrivals = array("q", [at for at in heard.arrivals if not 40 * S < at <= 43 * S])
    assert missing(judge(Ledger(), late), heard) > 130


@pytest.mark.parametrize(("late_ms", "kept"), [(1500, True), (500, False)])
def test_a_machine_that_stood_still_may_make_the_bot_go_back(late_ms: int, *, kept: bool) -> None:
    late = Lateness([29 * S], [27 * S], [late_ms * MS])
    found = judge(Ledger(), late)
    found.player("bot", 1, {"g": hearing(slips=(RawSlip(30 * S, 1, 0, repeated=130),))})
    assert (found.violations == []) == kept


def test_too_little_is_heard_all_in_all() -> None:
    found = judge(Ledger())
    found.player("bot", 1, {"g": hearing((30 * S, 33 * S))})
    assert [one.invariant for one in found.violations] == ["silence", "heard"]


def test_a_silence_counts_for_the_cheapest_fault_that_explains_it() -> None:
    ledger = Ledger()
    done(ledger, CLOSED, 5 * S, 5 * S)
    done(ledger, KILLED, 5 * S, 5 * S)
    found = judge(ledger)
    gaps = (5 * S, 5 * S + 38 * MS), (6 * S, 6 * S + 120 * MS)
    player = found.player("bot", 1, {"g": hearing(*gaps)})
    assert [gap.faults[0] for gap in player.timelines[0].gaps] == [2, 1]


@pytest.mark.parametrize(("killed_s", "kept"), [(None, False), (9, True), (20, False)])
def test_what_a_full_disk_did_not_take_is_heard_again_after_a_kill(
    killed_s: int | None, *, kept: bool
) -> None:
    """Chaos, seed 23: no position is written for as long as the disk is full."""
    ledger = Ledger()
    done(ledger, Cost("machine", unwritten_s=4.0), 6 * S, 10 * S)
    at_s = killed_s or 9
    if killed_s is not None:
        done(ledger, Cost("process", 5000, settle_s=12.0, repeated=50, kills=True), at_s * S, at_s * S)
    found = judge(ledger)
    found.player("bot", 1, {"g": hearing(slips=(RawSlip((at_s + 2) * S, 1, 5, repeated=240),))})
    assert (found.violations == []) == kept
