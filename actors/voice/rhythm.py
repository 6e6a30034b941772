"""When the heartbeats of all voice sessions leave: together while nobody plays, apart while somebody does.

For a heartbeat that leaves alone the process is woken twice, and everything that it needs has to come back
from memory, which costs more than the heartbeat itself. So while no frame can be made late by it they leave
in groups, in turns of a few. Who has left so under music leaves alone from then on.

A heartbeat may come early, never late. Sessions whose servers want the same interval find to one group within
two of them, whenever they began.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: By so much of its interval a heartbeat may leave early: by a little more than half, so that of two groups
#: with one interval either can join the other. The rest is time for the answer to the one before.
EARLY: Final = 0.55
#: A group begins to leave so much before it has to: ...
SPARE_S: Final = 0.5
#: ... so many at once, a millisecond of work at most, and ...
TURN: Final = 8
#: ... after this the next ones: more than 1,000 in the time to spare.
PACE_S: Final = 0.002
#: A server that wants heartbeats more often than this gets each when it is due.
OFTEN_S: Final = 5.0
#: Fractional parts of its multiples are spread evenly, however many there are.
_GOLDEN_RATIO: Final = (1 + math.sqrt(5)) / 2


@dataclass(slots=True, eq=False)
class Place:
    """Of one session's next heartbeat.

    :ivar soonest: seconds of the loop
    :ivar latest: likewise
    :ivar left: its time has come, and `wake` has been called
    """

    soonest: float
    latest: float
    wake: Callable[[], object]
    left: bool = False
    group: _Group | None = None


@dataclass(slots=True, eq=False)
class _Group:
    """Who leaves at a time; a heartbeat that leaves alone is a group too."""

    at: float  # seconds of the loop
    timer: asyncio.TimerHandle | None = None
    members: dict[Place, None] = field(default_factory=dict)


class Rhythm:
    """One for all sessions of a process.

    :ivar playing: how many sessions play
    """

    def __init__(self, playing: Callable[[], int]) -> None:
        self.playing = playing
        self._open: list[_Group] = []  # that others may join
        self._left_at = -math.inf  # when some of a group left last
        self._share = 0.0

    @property
    def groups(self) -> int:
        """How many there are that others may join."""
        return len(self._open)

    def place(self, beaten: float, interval_s: float, wake: Callable[[], object]) -> Place:
        """Have `wake` called when the next heartbeat is to leave.

        :param beaten: when the last one left, in seconds of the loop
        :param interval_s: in which the next one has to follow
        """
        place = Place(beaten + (1 - EARLY) * interval_s, beaten + interval_s, wake)
        if self.playing():
            together = abs(beaten - self._left_at) < SPARE_S
            self._enter(place, self._found(self._apart(place) if together else place.latest))
        elif interval_s < OFTEN_S:
            self._enter(place, self._found(place.latest))
        else:
            self._enter(place, self._group_for(place))
        return place

    def cancel(self, place: Place) -> None:
        """It does not leave any more; idempotent."""
        group, place.group = place.group, None
        if group is None:
            return
        del group.members[place]
        if not group.members and group.timer is not None:
            group.timer.cancel()
            self._close(group)

    def _enter(self, place: Place, group: _Group) -> None:
        place.group = group
        group.members[place] = None

    def _group_for(self, place: Place) -> _Group:
        """One that suits it; of one interval there is no other. Or a new one."""
        latest = place.latest - SPARE_S
        suiting = (group for group in self._open if place.soonest <= group.at <= latest)
        group = next(suiting, None)
        if group is None:
            group = self._found(latest)
            self._open.append(group)
        return group

    def _found(self, at: float) -> _Group:
        group = _Group(at)
        group.timer = asyncio.get_running_loop().call_at(at, self._leave, group)
        return group

    def _close(self, group: _Group) -> None:
        """Let nobody join it any more."""
        if group in self._open:
            self._open.remove(group)

    def _leave(self, group: _Group) -> None:
        """The next ones of it leave."""
        loop = asyncio.get_running_loop()
        self._close(group)
        if len(group.members) > 1:
            self._left_at = loop.time()
        for place in tuple(islice(group.members, TURN)):
            del group.members[place]
            place.group, place.left = None, True
            place.wake()
        group.timer = None  # whoever holds the group is held by nobody: no work for the collector
        if group.members:
            group.timer = loop.call_later(PACE_S, self._leave, group)

    def _apart(self, place: Place) -> float:
        """A time of its own, of those that suit it."""
        self._share = (self._share + _GOLDEN_RATIO) % 1
        return place.soonest + (place.latest - place.soonest) * self._share
