"""Keep-alives and their echoes, in controlled time."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, strategies as st

from actors.voice.pulse import BEAT_S, HOLE_S, IDLE_BEAT_S, KEEP_ALIVE_SIZE, Path, Pulse

CHECK_S = 0.4
"""Between two looks at the path; half of that while it is late."""


class Wire:
    """A path to a server that sends keep-alives back after `delay_s`, and is looked at as a stream does.

    One frame leaves every 20 ms, so that the number of the next one tells the time.
    """

    def __init__(self, *, echoes: bool = True, delay_s: float = 0.02) -> None:
        self.now = 100.0
        self.echoes, self.delay_s, self.open = echoes, delay_s, True
        self.sent: list[float] = []
        self.under_way: list[tuple[float, bytes]] = []
        self.pulse = Pulse(self.write, lambda: self.now)

    @property
    def frame(self) -> int:
        return round((self.now - 100.0) / 0.02)

    def write(self, datagram: bytes) -> None:
        self.sent.append(self.now)
        if self.open and self.echoes:
            self.under_way.append((self.now + self.delay_s, datagram))

    def run(self, seconds: float) -> list[Path]:
        """What the checks said in that time, up to the first one that was not OPEN."""
        told: list[Path] = []
        end = self.now + seconds
        while self.now < end - 1e-9:
            path = self.pulse.check(self.frame)
            told.append(Path.OPEN if path is Path.LATE else path)
            if told[-1] is not Path.OPEN:
                return told
            self.wait(CHECK_S / 2 if path is Path.LATE else CHECK_S)
        return told

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        for due, datagram in [each for each in self.under_way if each[0] <= end]:
            self.now = max(self.now, due)
            self.pulse.echo(datagram)
            self.under_way.remove((due, datagram))
        self.now = end


def test_on_an_open_path_little_is_sent_and_all_is_confirmed() -> None:
    wire = Wire()
    assert set(wire.run(60)) == {Path.OPEN}
    assert len(wire.sent) == pytest.approx(60 / 0.8, abs=2)
    assert wire.pulse.arrived is not None
    assert wire.frame - wire.pulse.arrived <= (BEAT_S + CHECK_S) * 50
    assert wire.pulse.round_trip_ms == pytest.approx(20)


@given(st.floats(0, 3))
def test_a_hole_is_noticed_within_3_s_and_what_came_before_it_is_known_to_within_1_s(at_s: float) -> None:
    wire = Wire()
    wire.run(5)
    wire.wait(at_s % CHECK_S)
    wire.run(at_s)
    wire.open, began, frame = False, wire.now, wire.frame
    assert wire.run(10)[-1] is Path.CLOSED
    assert wire.now - began <= 3.0
    assert wire.pulse.arrived is not None
    assert 0 <= frame - wire.pulse.arrived <= 50


@given(st.floats(2.1, 2.4))
def test_a_hole_that_is_over_before_it_was_noticed_is_told_all_the_same(length_s: float) -> None:
    wire = Wire()
    wire.run(5)
    wire.open, frame = False, wire.frame
    wire.run(length_s)
    wire.open = True
    assert wire.run(1)[-1] in (Path.WAS_CLOSED, Path.CLOSED)
    assert wire.pulse.arrived is not None
    assert wire.pulse.arrived <= frame


def test_after_a_hole_only_new_keep_alives_prove_anything() -> None:
    wire = Wire(delay_s=0.3)
    wire.run(5)
    wire.open, frame = False, wire.frame
    wire.run(1.8)
    wire.open = True
    assert wire.run(2)[-1] is Path.WAS_CLOSED
    known = wire.pulse.arrived
    assert known is not None
    assert known <= frame
    wire.wait(0.3)  # echoes of keep-alives that carried numbers of frames which the hole has swallowed
    assert wire.pulse.arrived == known


def test_a_server_that_has_never_answered_proves_nothing_by_its_silence() -> None:
    wire = Wire(echoes=False)
    assert set(wire.run(60)) == {Path.OPEN}
    assert wire.pulse.arrived is None
    assert len(wire.sent) == pytest.approx(60 / 0.8, abs=2)


@pytest.mark.parametrize("seed", range(10))
def test_single_losses_are_no_hole(seed: int) -> None:
    random, wire = Random(seed), Wire()  # noqa: S311  (it decides nothing but a test)
    wire.run(2)
    end = wire.now + 600  # ten minutes
    while wire.now < end:
        wire.open = random.random() > 0.2
        assert set(wire.run(CHECK_S / 2)) == {Path.OPEN}  # one look at it, whatever it finds


def test_a_slow_path_is_given_more_time() -> None:
    wire = Wire(delay_s=1.0)
    assert set(wire.run(60)) == {Path.OPEN}
    wire.delay_s = 2.5  # not yet more than three of the round trips before
    assert set(wire.run(60)) == {Path.OPEN}


def test_a_pause_is_no_hole() -> None:
    wire = Wire()
    wire.run(5)
    for _ in range(100):
        wire.wait(IDLE_BEAT_S + 1)
        wire.pulse.keep_open()
    assert len(wire.sent) > 100
    wire.open = False
    for _ in range(10):
        wire.wait(IDLE_BEAT_S + 1)
        wire.pulse.keep_open()
    wire.open = True
    assert set(wire.run(5)) == {Path.OPEN}


def test_while_frames_leave_nothing_more_is_sent_to_keep_a_binding_open() -> None:
    wire = Wire()
    wire.run(5)
    count = len(wire.sent)
    wire.pulse.keep_open()
    assert len(wire.sent) == count


def test_what_is_no_echo_is_ignored() -> None:
    wire = Wire(echoes=False)
    wire.run(5)
    wire.pulse.echo(bytes(KEEP_ALIVE_SIZE))
    wire.pulse.echo(b"\x80\xc9\x00\x01\x00\x00\x00\x07")  # an empty receiver report of RTCP is as long
    assert not wire.pulse.answers


def test_a_socket_that_refuses_is_a_lost_keep_alive() -> None:
    def refuse(_datagram: bytes) -> None:
        raise OSError("network is unreachable")

    pulse = Pulse(refuse)
    pulse.beat(0)
    assert pulse.check(1) is Path.OPEN
    assert HOLE_S < 3


def test_what_is_lost_with_a_session_is_what_its_last_answer_does_not_prove() -> None:
    wire = Wire()
    wire.run(5)
    frame, proven = wire.frame, wire.pulse.arrived
    assert proven is not None
    assert wire.pulse.first_lost(frame) == frame
    assert wire.pulse.first_lost(frame, told=False) == proven
    wire.open = False
    wire.run(1)
    assert wire.pulse.first_lost(proven - 1) == proven - 1
    assert wire.pulse.first_lost(wire.frame) == wire.pulse.arrived


def test_before_any_answer_the_end_of_a_session_is_believed() -> None:
    wire = Wire(echoes=False)
    wire.run(5)
    assert wire.pulse.first_lost(wire.frame, told=False) == wire.frame
