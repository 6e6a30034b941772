"""The one sender: a clock with 20 slots of 1 ms that ticks every stream once in 20 ms.

A stream that plays sits in one slot. A few streams share few slots, as each slot is a wake-up of the process;
many are spread evenly, so 1,000 streams leave as 50 packets each millisecond instead of 1,000 at once.
Deadlines are absolute (origin + slot + 20 ms x n), so nothing drifts. Streams that do not play are in no slot
and cost nothing; with no stream in any slot the clock sleeps.

`Grid` is the pure part (what is due at a time), `Clock` drives it by one alarm, set anew for each slot, which
costs a fraction of a task that sleeps.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import structlog

from actors.voice.alarm import Alarm
from actors.voice.stream import FRAME_NS, Stream
from actors.voice.stream_status import Totals

if TYPE_CHECKING:
    from collections.abc import Iterable

SLOTS: Final = 20
#: A slot takes so many streams before another one is opened: they leave within half a millisecond.
COMPANY: Final = 16
_SLOT_NS: Final = FRAME_NS // SLOTS
#: A slot that is late sends at most this many frames of a stream at once, and ...
BURST_FRAMES: Final = 2
#: ... not again before this time, so that no window of 10 ms ever holds more than 4 frames of a stream.
_BURST_PAUSE_NS: Final = 10_500_000
#: A clock later than this (a stopped process, a suspended machine) does not catch up: it goes on from now.
_MAX_LATE_NS: Final = 25 * FRAME_NS
#: A frame counts as late if it leaves more than this after its time.
_LATE_NS: Final = FRAME_NS // 2

_log = structlog.get_logger("ostinato.voice")


@dataclass(slots=True)
class _Slot:
    due: int  # ns: the frame that is sent next
    visit: int  # ns: when to look at it next; `due`, or later while it is catching up
    streams: dict[Stream, None] = field(default_factory=dict)


_next_look = attrgetter("visit")


class Grid:
    """Which stream is due when: pure, in integer ns of a clock that the caller reads."""

    def __init__(self, origin: int = 0) -> None:
        self._origin = origin
        self._slots = [_Slot(0, 0) for _ in range(SLOTS)]
        self._active: list[_Slot] = []  # those with streams, the one to be looked at first in front

    def occupancy(self) -> tuple[int, ...]:
        """How many streams sit in each slot."""
        return tuple(len(slot.streams) for slot in self._slots)

    def insert(self, stream: Stream, now: int) -> int:
        """Put a stream into a slot; returns when it is due."""
        if stream.slot is None:
            index = self._choose(now)
            slot = self._slots[index]
            if not slot.streams:
                slot.due = slot.visit = self._next_due(index, now)
                self._active.append(slot)
                self._active.sort(key=_next_look)
            slot.streams[stream] = None
            stream.slot = index
        return self._slots[stream.slot].visit

    def _choose(self, now: int) -> int:
        """The fullest slot that has room; else the emptiest. Of equals, the one due first."""
        sizes = [len(slot.streams) for slot in self._slots]
        shared = [index for index, size in enumerate(sizes) if 0 < size < COMPANY]
        if shared:
            return min(shared, key=lambda index: (-sizes[index], self._next_due(index, now)))
        return min(range(SLOTS), key=lambda index: (sizes[index], self._next_due(index, now)))

    def due(self, stream: Stream) -> int | None:
        """When it is due next, None without a slot."""
        return None if stream.slot is None else self._slots[stream.slot].due

    def remove(self, stream: Stream) -> None:
        """Take a stream out of its slot, if it has one."""
        if stream.slot is None:
            return
        slot = self._slots[stream.slot]
        del slot.streams[stream]
        stream.slot = None
        if not slot.streams:
            self._active.remove(slot)

    def advance(self, now: int) -> int | None:
        """Tick every stream that is due by `now`; returns when to look again, None without streams.

        After a delay several slots are due: in another order than theirs, their frames would be less even.
        """
        active = self._active
        while active and (slot := active[0]).visit <= now:
            self._visit(slot, now)
            active.sort(key=_next_look)
        return active[0].visit if active else None

    def _next_due(self, index: int, now: int) -> int:
        slot = self._slots[index]
        if slot.streams:
            return slot.due
        first = self._origin + index * _SLOT_NS
        return first + ((now - first) // FRAME_NS + 1) * FRAME_NS

    def _visit(self, slot: _Slot, now: int) -> None:
        if now - slot.due > _MAX_LATE_NS:
            slot.due += (now - slot.due) // FRAME_NS * FRAME_NS
        behind = min((now - slot.due) // FRAME_NS + 1, BURST_FRAMES)
        for _ in range(behind):
            due = slot.due
            slot.due = following = due + FRAME_NS
            late = now - due > _LATE_NS
            for stream in tuple(slot.streams):
                try:
                    stream.tick(due, following, late)
                except Exception:  # one stream's fault must not silence the others
                    self.remove(stream)
                    _log.exception("stream_failed", guild_id=stream.guild_id)
        slot.visit = slot.due if behind == 1 else max(slot.due, now + _BURST_PAUSE_NS)


@dataclass(frozen=True, slots=True)
class ClockStatus:
    """A moment of the clock.

    :ivar streams: streams that exist
    :ivar playing: streams in a slot
    :ivar wakeups: times the clock looked for due frames
    :ivar worst_late_ms: the most that it was ever late
    """

    streams: int
    playing: int
    wakeups: int
    worst_late_ms: float


class Clock:
    """The sender of all streams; one per process. `run` it in an actor's background task."""

    def __init__(self) -> None:
        self._grid = Grid(time.monotonic_ns())
        self._streams: dict[int, Stream] = {}
        self._alarm: Alarm | None = None
        self._wake_at: int | None = None  # ns: when the alarm rings next
        self._failed: asyncio.Future[None] | None = None
        self._wakeups = 0
        self._dropped = Totals()
        self._worst_late = 0

    def stream(self, guild_id: int) -> Stream:
        """The stream of a guild, made on first use; it stays until `drop`, whoever commands it."""
        stream = self._streams.get(guild_id)
        if stream is None:
            stream = self._streams[guild_id] = Stream(guild_id, self)
        return stream

    def all(self) -> Iterable[Stream]:
        """Every stream that exists."""
        return self._streams.values()

    def drop(self, guild_id: int) -> None:
        """End a guild's stream and forget it."""
        stream = self._streams.pop(guild_id, None)
        if stream is not None:
            self._dropped += stream.totals
            stream.stop()
            stream.listen(None)
            self._grid.remove(stream)

    @property
    def playing(self) -> int:
        """How many streams are in a slot now."""
        return sum(self._grid.occupancy())

    @property
    def wakeups(self) -> int:
        """How often it has looked for due frames."""
        return self._wakeups

    @property
    def running(self) -> bool:
        """Whether somebody runs it."""
        return self._alarm is not None

    def totals(self) -> Totals:
        """What all streams have counted, those that were dropped included."""
        return sum((stream.totals for stream in self._streams.values()), self._dropped)

    def status(self) -> ClockStatus:
        """How the clock does, as plain data."""
        return ClockStatus(len(self._streams), self.playing, self._wakeups, self._worst_late / 1_000_000)

    async def run(self) -> None:
        """Send until cancelled. Ending and running again continues all streams where they stood."""
        self._failed = asyncio.get_running_loop().create_future()
        self._alarm = Alarm(self._fire)
        try:
            self._fire()
            await self._failed
        finally:
            self._alarm.close()
            self._alarm = self._wake_at = None

    # -- a stream's side (`Scheduler`) ----

    def admit(self, stream: Stream) -> None:
        """Give a stream a slot."""
        if stream.slot is None and self._streams.get(stream.guild_id) is stream:
            self._wake_by(self._grid.insert(stream, time.monotonic_ns()))

    def dismiss(self, stream: Stream) -> None:
        """Take its slot away; an alarm that finds nothing due is harmless."""
        self._grid.remove(stream)

    def due(self, stream: Stream) -> int | None:
        """When it is ticked next."""
        return self._grid.due(stream)

    # -- the alarm ----

    def _fire(self) -> None:
        now = time.monotonic_ns()
        self._wakeups += 1
        if self._wake_at is not None:
            self._worst_late = max(self._worst_late, now - self._wake_at)
            self._wake_at = None
        try:
            following = self._grid.advance(now)
        except Exception as error:
            self._fail(error)
            return
        if following is not None:
            self._wake_by(following)

    def _wake_by(self, when: int) -> None:
        if self._alarm is not None and (self._wake_at is None or when < self._wake_at):
            self._wake_at = when
            self._alarm.set(when)

    def _fail(self, error: Exception) -> None:
        if self._failed is not None and not self._failed.done():
            self._failed.set_exception(error)
