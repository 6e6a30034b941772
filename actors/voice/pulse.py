"""The pulse of a session's UDP path: numbered keep-alives, and what their echoes prove.

A voice server sends a keep-alive back. While frames flow, each one carries the number of the frame before
which it left, so that its echo proves that everything until then could arrive; a series of them without an
echo is a black hole. A server that has never sent one back proves nothing by its silence.
"""

from __future__ import annotations

import struct
import time
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: How often a keep-alive leaves while frames do: what arrived after the last one is repeated after a hole.
#: As this is looked at every 400 ms, it comes to 0.8 s, and to 0.9 s after one out of turn. The times below
#: are rounded up in the same way, to 200 ms from when an answer is late.
BEAT_S: Final = 0.5
#: An echo that takes longer is missed: from then on every check sends a keep-alive.
MISSED_S: Final = 0.3
#: A path without an echo for so long is a hole; with `BEAT_S` before it, noticed within 3 s. A round trip of
#: more than a third of it needs more patience.
HOLE_S: Final = 1.7
#: While nothing is sent, a keep-alive need only leave before the binding of a NAT ends, perhaps after 30 s
#: (Linux, where nothing comes back). It is looked at with each heartbeat, and these are 15 s apart at most:
#: with Discord's 13.75 s it leaves with every second one.
IDLE_BEAT_S: Final = 14.0
#: So many keep-alives in a row must be missed: single ones are lost anywhere. One in five lost, which hardly
#: anybody could bear to hear, takes that for a hole less than once in ten minutes.
HOLE_BEATS: Final = 6

_KEEP_ALIVE = struct.Struct("<Q")
#: Bytes of a keep-alive.
KEEP_ALIVE_SIZE: Final = _KEEP_ALIVE.size
#: Unanswered keep-alives that are remembered.
_REMEMBERED: Final = 64


class Path(Enum):
    """What is known of the way to the voice server."""

    OPEN = "open"
    LATE = "late"  # open as far as is known, but an answer is missed: to be looked at twice as often
    WAS_CLOSED = "was closed"  # for a while, and is open again: what left meanwhile is lost
    CLOSED = "closed"


class Pulse:
    """The keep-alives of one session.

    :ivar answers: the server has sent a keep-alive back, so that its silence would mean something
    :ivar arrived: frames before this number had an open path, or left on an earlier one; None before
        the first answer
    :ivar round_trip_ms: of the latest echo, None before the first
    :ivar last_echo: `time.monotonic()` of the latest echo, None before the first
    """

    def __init__(self, write: Callable[[bytes], object], now: Callable[[], float] = time.monotonic) -> None:
        """
        :param write: sends a datagram; OSError is no concern
        """
        self._write = write
        self._now = now
        self._number = 0
        self._last_beat = -BEAT_S
        self._unanswered: dict[int, tuple[float, int | None]] = {}  # number -> sent at, frame that was next
        self._was_closed = False
        self._first: int | None = None  # frame that leaves first on this path
        self.answers = False
        self.arrived: int | None = None
        self.round_trip_ms: float | None = None
        self.last_echo: float | None = None

    def begin(self, frame: int) -> None:
        """`frame` is the number of the frame that leaves next.

        Said for the first time it is the first one on this path: a hole may begin before any keep-alive
        between frames has been answered, and then everything from that frame on is in doubt.
        """
        if self._first is None:
            self._first = frame
        self._prove_first()

    def beat(self, frame: int | None = None) -> None:
        """Send a keep-alive; `frame` is the number of the frame that leaves next, if any do."""
        self._number += 1
        self._last_beat = self._now()
        self._unanswered[self._number] = (self._last_beat, frame)
        if len(self._unanswered) > _REMEMBERED:
            del self._unanswered[next(iter(self._unanswered))]
        try:
            self._write(_KEEP_ALIVE.pack(self._number))
        except OSError:
            pass  # full buffer or an ICMP error of an earlier datagram: then no echo will come, which counts

    def keep_open(self) -> None:
        """Called now and then while no frames may be leaving: bindings of a NAT do not last for ever."""
        if self._now() - self._last_beat > IDLE_BEAT_S:
            self._forget_idle()
            self.beat()

    def echo(self, datagram: bytes) -> None:
        """A datagram of that size came in; one that is no echo (RTCP can be as short) is ignored."""
        (number,) = _KEEP_ALIVE.unpack(datagram)
        beat = self._unanswered.get(number)
        if beat is None:
            return
        sent_at, frame = beat
        self.last_echo = self._now()
        self.round_trip_ms = (self.last_echo - sent_at) * 1000
        missed = self._forget(number) - 1
        self._was_closed |= self.answers and missed >= HOLE_BEATS
        self.answers = True
        self._prove_first()
        if frame is not None and not self._was_closed:
            self.arrived = frame

    def check(self, frame: int) -> Path:
        """Called some times a second while frames leave; beats when it is time to. Tells each event once."""
        if self._was_closed:
            self.opened_again()
            return Path.WAS_CLOSED
        now, unanswered = self._now(), self._unanswered
        missed = False
        if unanswered and self.answers:  # seldom: an echo takes less than the time between two checks
            waited_s = now - next(iter(unanswered.values()))[0]
            if len(unanswered) >= HOLE_BEATS and waited_s >= self._patience_s():
                return Path.CLOSED
            missed = waited_s >= MISSED_S
        if missed or now - self._last_beat >= BEAT_S:
            self.beat(frame)
        return Path.LATE if missed else Path.OPEN

    def first_lost(self, frame: int, *, told: bool = True) -> int:
        """Number of the first frame that is lost if the session has ended, and with it all from `frame` on:
        an earlier one if a keep-alive that left before has not come back.

        :param told: False: nobody said when the session ended, and all that is not proven may be lost
        """
        unanswered = any(first is not None and first < frame for _, first in self._unanswered.values())
        if self.arrived is None or (told and not unanswered and not self._was_closed):
            return frame
        return min(frame, self.arrived)

    def opened_again(self) -> None:
        """What the hole swallowed is taken back: keep-alives that left before prove nothing any more."""
        self._was_closed = False
        self._unanswered.clear()

    def _forget_idle(self) -> None:
        """What was missed in a pause concerns no frame; what was missed before it still does."""
        self._unanswered = {number: beat for number, beat in self._unanswered.items() if beat[1] is not None}

    def _prove_first(self) -> None:
        if self.answers and self.arrived is None:
            self.arrived = self._first

    def _patience_s(self) -> float:
        return max(HOLE_S, 3 * (self.round_trip_ms or 0.0) / 1000)

    def _forget(self, number: int) -> int:
        """That keep-alive is answered, and those before it never will be; returns how many these are."""
        answered = [each for each in self._unanswered if each <= number]
        for each in answered:
            del self._unanswered[each]
        return len(answered)
