"""Whenever a black hole begins, and whatever is asked for meanwhile: noticed in time, and nothing is lost.

A stream, its tape and a pulse as in the bot, in controlled time; the rest of a session is a few lines here.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, strategies as st

from actors.voice.clock import Grid
from actors.voice.pulse import Path, Pulse
from actors.voice.rtp import SILENCE
from actors.voice.stream import FRAME_NS, Stream

if TYPE_CHECKING:
    from actors.voice.events import StreamEvent

NOTICED_S = 3.0
LENGTH = 400
"""Frames of a track: 8 s."""
BEAT_EVERY = 250
"""Frames between two heartbeats of the websocket, with which keep-alives of a pause leave."""
PROBE_EVERY = 5
"""Frames between two keep-alives of a session that looks for its server."""


class Track:
    def __init__(self, number: int, at: int = 0) -> None:
        self.number, self.at = number, at

    def next_frame(self) -> bytes | None:
        if self.ended:
            return None
        self.at += 1
        return b"%d %d" % (self.number, self.at - 1)

    @property
    def ended(self) -> bool:
        return self.at >= LENGTH


class Outlet:
    """A session's end of the way, and its server, which hears what comes while there is no hole."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.pulse = Pulse(self._write, lambda: world.seconds)
        self.echoes: list[bytes] = []
        self.heard: dict[int, list[int]] = defaultdict(list)
        self.hole = self.closed = False

    def _write(self, datagram: bytes) -> None:
        if not self.hole:
            self.echoes.append(datagram)

    def send(self, opus: bytes) -> bool:
        if not self.hole and opus != SILENCE:
            track, frame = map(int, opus.split())
            self.heard[track].append(frame)
        return True

    def skip(self, frames: int) -> None:
        pass

    def speaking(self, flag: bool) -> None:
        pass

    def begin(self, frame: int) -> None:
        self.pulse.begin(frame)

    def check(self, frame: int) -> Path:
        return self.pulse.check(frame)

    @property
    def arrived(self) -> int | None:
        return self.pulse.arrived

    def swallowed(self) -> None:
        self.closed = True


class World:
    """One guild. A hole lasts until it has been noticed: shorter ones are not told from a bad line."""

    def __init__(self) -> None:
        self.frame = 0  # of time: 20 ms
        self.tracks = 0
        self.unnoticed = 0  # frames of time in which music played into a hole
        self.grid = Grid()
        self.outlet = Outlet(self)
        self.stream = Stream(1, self)
        self.stream.attach(self.outlet)
        self.wait(0.1)  # the first keep-alive of a session is answered: else its silence would mean nothing

    @property
    def seconds(self) -> float:
        return 1000.0 + self.frame * FRAME_NS / 1e9

    def admit(self, stream: Stream) -> None:
        self.grid.insert(stream, self.frame * FRAME_NS)

    def dismiss(self, stream: Stream) -> None:
        self.grid.remove(stream)

    def due(self, stream: Stream) -> int | None:
        return self.grid.due(stream)

    # -- what happens ----

    def do(self, what: str) -> None:
        match what:
            case "play":
                self.stream.play(self._track(), f"{self.tracks} 0", on_event=_ignore)
            case "queue":
                self.stream.queue(self._track(), f"{self.tracks} 0")
            case "sound":
                self._sound()
            case "stop" | "pause" | "resume":
                getattr(self.stream, what)()
            case "hole":
                self.outlet.hole = True
            case "end of hole":
                self.outlet.hole &= not self.outlet.closed
            case _:
                self.wait(float(what))

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds * 50)):
            self._step()

    def _sound(self) -> None:
        """The same music in another source goes on where it stands, as after a change of the volume."""
        status = self.stream.status()
        if status.play_id is not None:
            track, began = map(int, status.play_id.split())
            at = began + status.position
            self.stream.play(Track(track, at), f"{track} {at}", on_event=_ignore, joins=True)

    def _track(self) -> Track:
        self.tracks += 1
        return Track(self.tracks)

    def _step(self) -> None:
        self.frame += 1
        outlet, pulse = self.outlet, self.outlet.pulse
        while outlet.echoes and not outlet.hole:
            pulse.echo(outlet.echoes.pop(0))
            if outlet.closed:
                outlet.closed = False
                pulse.opened_again()
                self.stream.attach(outlet)
        if self.frame % BEAT_EVERY == 1:
            pulse.keep_open()
        if outlet.closed and self.frame % PROBE_EVERY == 0:
            pulse.beat()
        self.grid.advance(self.frame * FRAME_NS)
        if not outlet.hole or outlet.closed:
            self.unnoticed = 0
        elif self.stream.doing == "playing":
            self.unnoticed += 1
        assert self.unnoticed <= NOTICED_S * 50


def _ignore(_event: StreamEvent) -> None:
    pass


EVENTS = st.sampled_from(
    [
        "play",
        "play",
        "queue",
        "stop",
        "pause",
        "resume",
        "sound",
        "hole",
        "end of hole",
        "0.02",
        "0.1",
        "0.5",
        "1.3",
        "4",
        "30",
    ]
)


@given(st.lists(EVENTS, max_size=30))
@example(["hole", "play"])  # before the first frame
@example(["play", "0.3", "hole"])  # before the first proof that one arrived
@example(["play", "4", "hole", "1.3", "play"])
@example(["play", "4", "hole", "0.5", "sound"])  # chaos, seeds 9 and 23: what left before it was lost
@example(["play", "queue", "4", "4", "hole", "0.5", "sound"])  # so was the end of the track before
def test_a_hole_is_noticed_while_music_plays_and_nothing_that_is_wanted_is_lost(events: list[str]) -> None:
    world = World()
    for event in events:
        world.do(event)
    world.do("resume")
    world.wait(NOTICED_S)
    world.do("end of hole")
    world.wait(1.0)
    world.do("play")
    world.wait(NOTICED_S)
    for track, heard in world.outlet.heard.items():
        assert set(heard) == set(range(max(heard) + 1)), f"of track {track}"


@pytest.mark.parametrize("pause_s", ["0.5", "30"])
@pytest.mark.parametrize("before_s", ["0.9", "1.5", "2.1"])
def test_a_hole_that_began_before_a_pause_is_noticed_after_it(before_s: str, pause_s: str) -> None:
    world = World()
    for event in ("play", "3.5", "hole", before_s, "pause", pause_s, "resume", "4", "end of hole", "30"):
        world.do(event)
    assert set(world.outlet.heard[1]) == set(range(LENGTH))
