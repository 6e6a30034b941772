"""Streams on a grid, in controlled time: what leaves, when, and what is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from actors.voice.clock import COMPANY, SLOTS, Grid
from actors.voice.events import Ended, Rewound, Started, StreamEvent
from actors.voice.pulse import Path
from actors.voice.rtp import SILENCE
from actors.voice.stream import FRAME_NS, Stream
from actors.voice.stream_status import Reached

MS = 1_000_000


@dataclass
class Wire:
    """A transport that keeps what was sent, with its time and its place in RTP time (in frames)."""

    now: int = 0
    blocked: bool = False
    rtp: int = 0
    sent: list[tuple[int, int, bytes]] = field(default_factory=list)
    spoken: list[bool] = field(default_factory=list)
    path: Path = Path.OPEN
    arrived: int | None = None
    checked: list[int] = field(default_factory=list)
    swallowings: int = 0

    def send(self, opus: bytes) -> bool:
        if self.blocked:
            return False
        self.sent.append((self.now, self.rtp, opus))
        self.rtp += 1
        return True

    def skip(self, frames: int) -> None:
        self.rtp += frames

    def speaking(self, flag: bool) -> None:
        self.spoken.append(flag)

    def begin(self, frame: int) -> None:
        pass

    def check(self, frame: int) -> Path:
        self.checked.append(frame)
        return self.path

    def swallowed(self) -> None:
        self.swallowings += 1

    @property
    def frames(self) -> list[bytes]:
        return [opus for _, _, opus in self.sent]

    @property
    def music(self) -> list[bytes]:
        return [opus for opus in self.frames if opus != SILENCE]


class Source:
    """Frames "a0", "a1", ...: some ready, more to be made by `make`."""

    def __init__(self, name: str, ready: int, *, ended: bool = True) -> None:
        self.name, self.made, self.at, self.complete = name, ready, 0, ended

    def make(self, frames: int, *, ended: bool = False) -> None:
        self.made += frames
        self.complete = ended

    def next_frame(self) -> bytes | None:
        if self.at >= self.made:
            return None
        self.at += 1
        return f"{self.name}{self.at - 1}".encode()

    @property
    def ended(self) -> bool:
        return self.complete and self.at >= self.made


def frames(name: str, start: int, stop: int) -> list[bytes]:
    return [f"{name}{number}".encode() for number in range(start, stop)]


class World:
    """A grid with streams, each on a wire of its own, in a time that the test sets."""

    def __init__(self, streams: int = 1) -> None:
        self.now = 0
        self.grid = Grid()
        self.streams = [Stream(number, self) for number in range(streams)]
        self.wires = [Wire() for _ in self.streams]
        self.told: list[StreamEvent] = []
        for stream, wire in zip(self.streams, self.wires, strict=True):
            stream.attach(wire)

    def admit(self, stream: Stream) -> None:
        self.grid.insert(stream, self.now)

    def dismiss(self, stream: Stream) -> None:
        self.grid.remove(stream)

    def due(self, stream: Stream) -> int | None:
        return self.grid.due(stream)

    def at(self, now: int) -> int | None:
        """The clock wakes up at `now`, however late that is."""
        self.now = now
        for wire in self.wires:
            wire.now = now
        return self.grid.advance(now)

    def run(self, duration: int) -> None:
        """The clock wakes up exactly when it should."""
        end = self.now + duration
        following = self.at(self.now)
        while following is not None and following <= end:
            following = self.at(following)
        self.now = end

    def play(self, source: Source, play_id: str | None = None, *, stream: int = 0) -> None:
        self.streams[stream].play(source, play_id or source.name, on_event=self.told.append)


def steps(wire: Wire) -> list[int]:
    """RTP time between neighbours, in frames."""
    return [b[1] - a[1] for a, b in pairwise(wire.sent)]


def largest_burst(wire: Wire, window: int = 10 * MS) -> int:
    """The most frames in any closed window."""
    times = [time for time, _, _ in wire.sent]
    return max((sum(1 for other in times if time <= other <= time + window) for time in times), default=0)


# --- one stream in good time ---


def test_a_source_is_sent_in_order_20_ms_apart() -> None:
    world = World()
    world.play(Source("a", 10))
    world.run(1000 * MS)
    [wire] = world.wires
    assert wire.frames == frames("a", 0, 10) + [SILENCE] * 5
    assert {b[0] - a[0] for a, b in pairwise(wire.sent)} == {FRAME_NS}
    assert {b[1] - a[1] for a, b in pairwise(wire.sent)} == {1}
    assert world.told == [Started("a"), Ended("a", 10)]
    assert wire.spoken == [True, False]
    assert sum(world.grid.occupancy()) == 0


def test_the_queued_source_follows_without_a_gap() -> None:
    world = World()
    world.play(Source("a", 3))
    world.streams[0].queue(Source("b", 3), "b")
    world.run(95 * MS)
    assert world.wires[0].frames == frames("a", 0, 3) + frames("b", 0, 2)
    assert world.told == [Started("a"), Ended("a", 3), Started("b")]
    assert world.streams[0].status().next_play_id is None


def test_an_empty_queued_source_is_passed_over() -> None:
    world = World()
    world.play(Source("a", 2))
    world.streams[0].queue(Source("b", 0), "b")
    world.run(500 * MS)
    assert world.wires[0].music == frames("a", 0, 2)
    assert world.told == [Started("a"), Ended("a", 2), Ended("b", 0)]


def test_what_was_queued_can_be_taken_back() -> None:
    world = World()
    world.play(Source("a", 2))
    world.streams[0].queue(Source("b", 2), "b")
    world.streams[0].unqueue()
    world.run(500 * MS)
    assert world.wires[0].music == frames("a", 0, 2)


def test_playing_something_else_replaces_at_a_frame_boundary() -> None:
    world = World()
    world.play(Source("a", 100))
    world.run(100 * MS)
    world.play(Source("b", 100))
    world.run(100 * MS)
    [wire] = world.wires
    count = len([opus for opus in wire.frames if opus.startswith(b"a")])
    assert wire.frames == frames("a", 0, count) + frames("b", 0, len(wire.frames) - count)
    assert {b[0] - a[0] for a, b in pairwise(wire.sent)} == {FRAME_NS}
    assert world.told == [Started("a"), Started("b")]


def test_a_listener_that_plays_on_when_told_of_the_end_makes_no_gap() -> None:
    world = World()

    def tell(event: StreamEvent) -> None:
        if event == Ended("a", 2):
            world.streams[0].play(Source("b", 2), "b", on_event=world.told.append)

    world.streams[0].play(Source("a", 2), "a", on_event=tell)
    world.run(75 * MS)
    assert world.wires[0].frames == frames("a", 0, 2) + frames("b", 0, 2)


def test_a_listener_that_is_gone_does_not_disturb() -> None:
    world = World()

    def gone(_event: StreamEvent) -> None:
        raise RuntimeError("stopped")

    world.streams[0].play(Source("a", 3), "a", on_event=gone)
    world.run(200 * MS)
    assert world.wires[0].music == frames("a", 0, 3)


def test_a_source_that_raises_has_ended_and_is_named() -> None:
    class Bad(Source):
        def next_frame(self) -> bytes | None:
            if self.at == 2:
                raise OSError("disk gone")
            return super().next_frame()

    world = World(2)
    world.play(Bad("a", 10))
    world.play(Source("b", 10), stream=1)
    world.run(500 * MS)
    assert Ended("a", 2, "OSError: disk gone") in world.told
    assert world.wires[1].music == frames("b", 0, 10)


# --- pauses, underruns, transports that come and go ---


def test_a_pause_holds_the_position_and_rtp_time_goes_on() -> None:
    world = World()
    world.play(Source("a", 100))
    world.run(100 * MS)
    world.streams[0].pause()
    world.run(1000 * MS)
    [wire] = world.wires
    held = world.streams[0].status()
    assert wire.frames == frames("a", 0, held.position) + [SILENCE] * 5
    assert (held.paused, held.playing) == (True, False)
    assert sum(world.grid.occupancy()) == 0
    world.streams[0].resume()
    world.run(100 * MS)
    assert wire.music == frames("a", 0, len(wire.music))
    before, after = wire.sent[held.position + 4], wire.sent[held.position + 5]
    assert abs((after[1] - before[1]) * FRAME_NS - (after[0] - before[0])) <= FRAME_NS // 2
    assert wire.spoken == [True, False, True]


def test_stop_forgets_everything() -> None:
    world = World()
    world.play(Source("a", 100))
    world.streams[0].queue(Source("b", 100), "b")
    world.run(100 * MS)
    world.streams[0].stop()
    world.run(1000 * MS)
    status = world.streams[0].status()
    assert (status.play_id, status.next_play_id, status.playing) == (None, None, False)
    assert world.wires[0].frames[-5:] == [SILENCE] * 5
    assert not any(isinstance(event, Ended) for event in world.told)


def test_an_underrun_is_five_frames_of_silence_and_then_nothing() -> None:
    world = World()
    source = Source("a", 5, ended=False)
    world.play(source)
    world.run(1000 * MS)
    [wire] = world.wires
    assert wire.frames == frames("a", 0, 5) + [SILENCE] * 5
    assert world.streams[0].status().underruns == 1
    assert world.streams[0].status().underrun
    source.make(5, ended=True)
    world.run(1000 * MS)
    assert wire.music == frames("a", 0, 10)
    assert wire.spoken == [True, False, True, False]
    times = {time // FRAME_NS - rtp for time, rtp, _ in wire.sent}
    assert len(times) == 1  # RTP time is real time throughout


def test_an_underrun_ends_as_soon_as_a_frame_is_ready() -> None:
    world = World()
    source = Source("a", 2, ended=False)
    world.play(source)
    world.run(55 * MS)
    source.make(2, ended=True)
    world.run(60 * MS)
    assert world.wires[0].frames[:6] == [b"a0", b"a1", SILENCE, b"a2", b"a3", SILENCE]


def test_without_a_transport_nothing_is_drawn() -> None:
    world = World()
    [stream], [wire] = world.streams, world.wires
    source = Source("a", 100)
    world.play(source)
    world.run(100 * MS)
    stream.detach(wire)
    position = stream.status().position
    world.run(5000 * MS)
    assert stream.status().position == position == source.at
    assert sum(world.grid.occupancy()) == 0
    following = Wire()
    stream.attach(following)
    world.wires.append(following)
    world.run(100 * MS)
    assert wire.frames + following.frames == frames("a", 0, len(wire.frames) + len(following.frames))


def test_an_old_transport_cannot_detach_a_new_one() -> None:
    world = World()
    [stream], [wire] = world.streams, world.wires
    stream.attach(Wire())
    stream.detach(wire)
    assert stream.status().attached


def test_a_frame_that_did_not_leave_is_sent_again_and_no_other_in_its_place() -> None:
    world = World()
    world.play(Source("a", 10))
    world.run(60 * MS)
    world.wires[0].blocked = True
    world.run(60 * MS)
    world.wires[0].blocked = False
    world.run(500 * MS)
    assert world.wires[0].music == frames("a", 0, 10)
    assert Ended("a", 10) in world.told


def test_a_frame_leaves_as_soon_as_it_can_and_the_next_one_on_time() -> None:
    """Refused at 60, 80 and 100 ms, hastened at 107 ms: no later than 20 ms after its time, none skipped."""
    world = World()
    world.play(Source("a", 10))
    [stream], [wire] = world.streams, world.wires
    world.run(50 * MS)
    first = wire.sent[0][0]
    wire.blocked = True
    world.run(first + 100 * MS - world.now)
    wire.blocked = False
    wire.now = world.now = world.now + 7 * MS
    stream.hasten()
    stream.hasten()
    world.run(33 * MS)
    assert [time - first for time, _, _ in wire.sent[-3:]] == [107 * MS, 120 * MS, 140 * MS]
    assert [rtp for _, rtp, _ in wire.sent[-3:]] == [wire.sent[0][1] + number for number in (5, 6, 7)]
    assert wire.music == frames("a", 0, len(wire.music))


def test_a_transport_that_comes_between_two_ticks_need_not_wait_for_the_next() -> None:
    world = World()
    world.play(Source("a", 10))
    [stream], [wire] = world.streams, world.wires
    world.run(50 * MS)
    stream.detach(wire)
    world.run(61 * MS)
    wire.now = world.now
    stream.attach(wire)
    before = len(wire.sent)
    stream.hasten()
    assert wire.sent[before][0] == world.now
    assert wire.music == frames("a", 0, before + 1)
    assert all(step >= 1 for step in steps(wire))


# --- many streams ---


def test_a_few_streams_share_a_slot() -> None:
    world = World(COMPANY + 1)
    for number in range(COMPANY + 1):
        world.play(Source("a", 1000), stream=number)
    assert sorted(world.grid.occupancy())[-3:] == [0, 1, COMPANY]
    world.run(20 * MS)
    assert len({wire.sent[0][0] for wire in world.wires}) == 2


def test_many_streams_are_spread_evenly_over_the_slots() -> None:
    world = World(SLOTS * COMPANY + 13)
    for number in range(SLOTS * COMPANY + 13):
        world.play(Source("a", 1000), stream=number)
    assert sorted(world.grid.occupancy()) == [COMPANY] * 7 + [COMPANY + 1] * 13
    world.run(20 * MS)
    starts = {wire.sent[0][0] for wire in world.wires}
    assert starts == {MS * number for number in range(1, SLOTS + 1)}


def test_after_a_delay_what_is_due_first_leaves_first() -> None:
    drawn: list[str] = []

    class Noted(Source):
        def next_frame(self) -> bytes | None:
            drawn.append(self.name)
            return super().next_frame()

    world = World(2 * COMPANY + 1)
    for number in range(2 * COMPANY + 1):
        world.play(Noted(str(number), 10), stream=number)
    first, last = world.streams[0], world.streams[-1]
    assert world.due(first) == 1 * MS
    assert world.due(last) == 3 * MS
    world.at(2 * MS)
    drawn.clear()
    world.at(21 * MS)
    assert drawn[0] == str(last.guild_id), "due for 18 ms; the others are only now"
    assert len(drawn) == 1 + COMPANY


def test_a_slot_that_was_left_is_filled_again() -> None:
    world = World(2 * COMPANY)
    for number in range(2 * COMPANY):
        world.play(Source("a", 10_000), stream=number)
    for number in range(0, 2 * COMPANY, 2):
        world.streams[number].stop()
    world.run(200 * MS)
    for number in range(0, 2 * COMPANY, 2):
        world.play(Source("b", 10_000), stream=number)
    assert sorted(world.grid.occupancy())[-3:] == [0, COMPANY, COMPANY]


# --- whatever the clock and the commands do ---


@given(st.lists(st.integers(0, 120), min_size=20, max_size=120))
def test_a_late_clock_loses_nothing_and_never_bursts(lateness_ms: list[int]) -> None:
    world = World()
    world.play(Source("a", 10_000))
    following: int | None = world.at(0)
    for late in lateness_ms:
        assert following is not None
        following = world.at(following + late * MS)
    [wire] = world.wires
    assert wire.frames == frames("a", 0, len(wire.frames))
    assert world.streams[0].status().position == len(wire.frames)
    assert largest_burst(wire) <= 4
    assert all(step == 1 or step > 25 for step in steps(wire))  # beyond half a second it gives up catching up


@given(st.integers(1, 20), st.integers(0, 400))
def test_a_late_clock_catches_up_completely(period: int, late_ms: int) -> None:
    world = World()
    world.play(Source("a", 10_000))
    world.run(100 * MS)
    world.at(world.now + late_ms * MS)
    world.run(600 * MS + period * MS)
    assert len(world.wires[0].frames) in {world.now // FRAME_NS, world.now // FRAME_NS + 1}


def test_a_clock_that_stood_still_for_long_goes_on_from_now() -> None:
    world = World()
    world.play(Source("a", 10_000))
    world.run(100 * MS)
    world.at(3_600_000 * MS)
    world.run(100 * MS)
    [wire] = world.wires
    assert wire.frames == frames("a", 0, len(wire.frames))
    assert len(wire.frames) < 15
    offsets = [time / FRAME_NS - rtp for time, rtp, _ in wire.sent]
    assert max(offsets) - min(offsets) <= 1


COMMANDS = (
    "play",
    "queue",
    "unqueue",
    "stop",
    "pause",
    "resume",
    "detach",
    "attach",
    "block",
    "unblock",
    "hasten",
    "make",
)


@pytest.mark.parametrize("streams", [1, 3])
@given(data=st.data())
def test_no_command_at_any_time_loses_repeats_or_bursts(streams: int, data: st.DataObject) -> None:
    world = World(streams)
    sources: list[Source] = []
    plans = st.tuples(st.sampled_from(COMMANDS), st.integers(0, streams - 1), st.integers(0, 90))
    for command, number, wait_ms in data.draw(st.lists(plans, max_size=40)):
        carry_out(command, world, number, sources)
        world.run(wait_ms * MS)
        world.at(world.now + data.draw(st.sampled_from([0, 0, 0, 35])) * MS)
    for stream, wire in zip(world.streams, world.wires, strict=True):
        check_music(sources, wire)
        assert largest_burst(wire) <= 4
        assert all(b[1] > a[1] for a, b in pairwise(wire.sent))
        status = stream.status()
        if status.play_id is not None:
            mine = [opus for opus in wire.music if opus.startswith(status.play_id.encode())]
            assert status.position == len(mine)
    assert all((stream.slot is not None) <= stream.status().attached for stream in world.streams)


def carry_out(command: str, world: World, number: int, sources: list[Source]) -> None:
    stream, wire = world.streams[number], world.wires[number]
    match command:
        case "play" | "queue":
            sources.append(Source(f"{len(sources)}.", 3, ended=len(sources) % 2 == 0))
            if command == "play":
                world.play(sources[-1], stream=number)
            else:
                stream.queue(sources[-1], sources[-1].name)
        case "detach" | "attach":
            getattr(stream, command)(wire)
        case "block" | "unblock":
            wire.blocked = command == "block"
        case "make":
            for source in sources:
                source.make(2, ended=True)
        case _:
            getattr(stream, command)()


def check_music(sources: list[Source], wire: Wire) -> None:
    """Each source is heard from its first frame on, in order, in one run, and never again after another."""
    heard = wire.music
    for source in sources:
        mine = [opus for opus in heard if opus.startswith(source.name.encode())]
        assert mine == frames(source.name, 0, len(mine))
    order = [opus.split(b".")[0] for opus in heard]
    changes = [a for a, b in pairwise(order) if a != b] + order[-1:]
    assert len(changes) == len(set(changes))


# --- what did not arrive ---


def test_the_way_is_looked_at_every_400_ms_and_twice_as_often_while_an_answer_is_late() -> None:
    world = World()
    [wire] = world.wires
    world.play(Source("a", 100))
    world.run(500 * MS)
    wire.path = Path.LATE
    world.run(400 * MS)
    wire.path = Path.OPEN
    world.run(1200 * MS)
    assert wire.checked[:6] == [1, 21, 41, 51, 71, 91]
    assert world.told == [Started("a"), Ended("a", 100)]


def test_a_closed_way_stops_the_stream_at_the_last_frame_that_is_known_to_have_arrived() -> None:
    world = World()
    [stream], [wire] = world.streams, world.wires
    world.play(Source("a", 1000))
    world.run(500 * MS)
    wire.path, wire.arrived = Path.CLOSED, 12
    world.run(1000 * MS)
    assert wire.swallowings == 1
    assert not stream.status().attached
    assert stream.status().position == 12
    sent = len(wire.frames)
    assert Rewound(sent - 12) in world.told
    wire.path = Path.OPEN
    stream.attach(wire)
    world.run(500 * MS)
    assert wire.frames[sent:] == frames("a", 12, 12 + len(wire.frames) - sent)
    assert all(b[1] > a[1] for a, b in pairwise(wire.sent))
    assert world.told.count(Started("a")) == 1


def test_a_way_that_was_closed_is_gone_on_from_without_a_pause() -> None:
    world = World()
    [stream], [wire] = world.streams, world.wires
    world.play(Source("a", 1000))
    world.run(500 * MS)
    wire.path, wire.arrived = Path.WAS_CLOSED, 10
    world.at(world.now)
    while not any(isinstance(event, Rewound) for event in world.told):
        world.run(20 * MS)
    sent = len(wire.frames)
    wire.path = Path.OPEN
    world.run(500 * MS)
    assert wire.frames[sent:][:3] == frames("a", 10, 13)
    assert stream.status().attached
    assert set(steps(wire)) == {1}


def test_the_end_of_a_track_is_heard_again_and_the_next_one_from_its_beginning() -> None:
    world = World()
    [stream], [wire] = world.streams, world.wires
    world.play(Source("a", 10))
    stream.queue(Source("b", 100), "b")
    world.run(300 * MS)
    before = stream.status().position
    stream.detach(wire, since=7)
    assert (stream.status().play_id, stream.status().position) == ("b", 0)
    sent = len(wire.frames)
    assert sent == 10 + before
    stream.attach(wire)
    world.run(200 * MS)
    assert wire.frames[sent:] == (frames("a", 7, 10) + frames("b", 0, 100))[: len(wire.frames) - sent]
    assert stream.status().position == len(wire.frames) - sent - 3
    assert [event for event in world.told if isinstance(event, Ended)] == [Ended("a", 10)]


def test_the_last_frames_of_all_are_heard_though_everything_had_ended() -> None:
    world = World()
    [stream], [wire] = world.streams, world.wires
    world.play(Source("a", 10))
    world.run(1000 * MS)
    stream.stop()  # what an owner does when all has ended
    wire.frames.clear()
    stream.detach(wire, since=6)
    stream.attach(wire)
    world.run(1000 * MS)
    assert wire.music[10:] == frames("a", 6, 10)
    assert wire.frames[-5:] == [SILENCE] * 5
    assert stream.slot is None


def test_what_was_stopped_or_replaced_is_never_heard_again() -> None:
    world = World()
    [stream], [wire] = world.streams, world.wires
    world.play(Source("a", 100))
    world.run(200 * MS)
    world.play(Source("b", 100))
    stream.detach(wire, since=0)
    stream.attach(wire)
    world.run(200 * MS)
    order = [opus[:1] for opus in wire.music]
    assert order == sorted(order)
    stream.stop()
    stream.detach(wire, since=0)
    assert stream.status().position == 0
    count = len(wire.frames)
    stream.attach(wire)
    world.run(200 * MS)
    assert len(wire.frames) == count


def test_what_another_sound_takes_over_from_is_still_heard_again() -> None:
    world = World()
    [stream], [wire] = world.streams, world.wires
    world.play(Source("a", 10))
    stream.queue(Source("b", 100), "b")
    world.run(300 * MS)
    stream.detach(wire, since=8)  # the end of "a" waits, and all of "b"
    stream.play(Source("c", 100), "c", on_event=world.told.append, joins=True)
    sent = len(wire.frames)
    stream.attach(wire)
    world.run(200 * MS)
    heard = frames("a", 8, 10) + frames("c", 0, 100)
    assert wire.frames[sent:] == heard[: len(wire.frames) - sent]
    assert stream.status().position == len(wire.frames) - sent - 2
    stream.play(Source("d", 100), "d", on_event=world.told.append, joins=True)
    world.run(100 * MS)
    played = wire.frames[sent:]
    stream.detach(wire, since=9)
    assert stream.status().position == 0
    again = len(wire.frames)
    stream.attach(wire)
    world.run(400 * MS)
    assert wire.frames[again:][: len(played) - 1] == played[1:]
    assert wire.frames[-1] == b"d%d" % (stream.status().position - 1)


def test_what_another_sound_takes_over_from_is_proven_or_not_as_well() -> None:
    """Chaos, seed 34: killed in a hole of UDP after a change of the sound, it went on too far ahead."""
    world = World()
    [stream], [wire] = world.streams, world.wires
    world.play(Source("a", 100))
    world.run(400 * MS)
    wire.arrived = 5
    left = len(wire.frames)
    stream.play(Source("b", 100), "b", on_event=world.told.append, joins=True)
    assert stream.reached() == Reached("b", 0, left - 5, left - 5)
    world.run(100 * MS)
    began = len(wire.frames) - left
    assert stream.reached() == Reached("b", began, left + began - 5, left - 5)
    stream.detach(wire, since=5)
    stream.attach(wire)
    assert stream.reached() == Reached("b", 0, left - 5, left - 5)
    world.play(Source("c", 100))
    reached = stream.reached()
    assert reached is not None
    assert reached.before == 0


def test_after_a_late_clock_more_frames_are_in_doubt() -> None:
    world = World()
    [stream] = world.streams
    world.play(Source("a", 1000))
    world.run(200 * MS)
    world.at(world.now + 60 * MS)
    world.run(100 * MS)
    number = len(world.wires[0].frames)
    assert stream.mark(0.03) == number - 2 - 5
    world.run(1000 * MS)
    assert stream.mark(0.03) == len(world.wires[0].frames) - 2


def test_a_paused_stream_is_not_in_doubt() -> None:
    world = World()
    [stream] = world.streams
    world.play(Source("a", 100))
    world.run(200 * MS)
    number = len(world.wires[0].frames)
    assert stream.mark() == stream.mark(0.0) == number - 1
    assert stream.mark(0.03) == number - 2
    stream.pause()
    world.run(500 * MS)
    assert stream.mark(0.03) == number


def test_what_arrived_late_is_not_sent_again() -> None:
    world = World()
    [stream], [wire] = world.streams, world.wires
    world.play(Source("a", 100))
    world.run(400 * MS)
    sent = len(wire.frames)
    stream.detach(wire, since=5)
    wire.arrived = 15
    stream.attach(wire)
    assert stream.status().position == 15
    world.run(100 * MS)
    assert wire.frames[sent:][:2] == frames("a", 15, 17)
