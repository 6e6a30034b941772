"""What one guild hears: a source, the one after it, and the transport that they leave through."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from actors.voice.events import Ended, Rewound, Started, StreamEvent
from actors.voice.pulse import Path
from actors.voice.rtp import SILENCE, SILENCE_FRAMES
from actors.voice.source import Broken, FrameSource, Play
from actors.voice.stream_status import Expected, Reached, StreamStatus, Totals
from actors.voice.tape import Tape

if TYPE_CHECKING:
    from actors.voice.transport import Outlet

#: One frame lasts 20 ms; the clock counts in nanoseconds so that nothing drifts.
FRAME_NS: Final = 20_000_000
FRAME_S: Final = FRAME_NS / 1_000_000_000
#: The way to the server is looked at every so many frames: 200 ms if an answer is late, else twice that.
_CHECK_FRAMES: Final = 10
#: Where nothing proves what arrived, so many frames are kept: at most one second is heard twice.
_UNPROVEN_FRAMES: Final = 50
#: For so long after a late frame the clock counts as late, and ...
_LATE_FOR_NS: Final = 25 * FRAME_NS
#: ... so many frames more are in doubt when a session has died.
_LATE_FRAMES: Final = 5

OnEvent = Callable[[StreamEvent], None]


class Scheduler(Protocol):
    """The clock as a stream sees it."""

    def admit(self, stream: Stream) -> None:
        """Give the stream a slot: it is ticked every 20 ms from now on."""
        ...

    def dismiss(self, stream: Stream) -> None:
        """Take the slot away."""
        ...

    def due(self, stream: Stream) -> int | None:
        """When the stream is ticked next (ns of the clock), None without a slot."""
        ...


class Stream:
    """The stream of one guild. Made by `Clock.stream`; it outlives the actors that command it.

    All methods are called on the event loop's thread and return at once. Without a transport the position
    stands still.

    :ivar expected: declared by whoever commands it, and still true when that actor is gone
    """

    __slots__ = (
        "_current",
        "_earlier",
        "_late",
        "_late_due",
        "_next",
        "_next_due",
        "_on_event",
        "_paused",
        "_refused_due",
        "_scheduler",
        "_speaking",
        "_starved",
        "_tape",
        "_trailing",
        "_transport",
        "_underruns",
        "_until_check",
        "expected",
        "guild_id",
        "slot",
    )

    def __init__(self, guild_id: int, scheduler: Scheduler) -> None:
        self.guild_id = guild_id
        self.expected = Expected.NOTHING
        self.slot: int | None = None  # the clock's: where the stream is ticked
        self._scheduler = scheduler
        self._transport: Outlet | None = None
        self._current: Play | None = None
        self._next: Play | None = None
        self._on_event: OnEvent | None = None
        self._paused = False
        self._trailing = 0  # frames of silence still to send before the stream falls silent
        self._starved = False
        self._speaking = False
        self._next_due = 0  # ns of the clock: when the next frame is due, one frame after the last
        self._tape = Tape()
        self._earlier = 0  # of the frames that wait on the tape: those of a source before the current one
        self._until_check = _CHECK_FRAMES
        self._underruns = 0
        self._refused_due = -1  # `_next_due` as it was when a frame was refused last
        self._late = 0
        self._late_due = -_LATE_FOR_NS  # ns of the clock: when the last late frame was due

    # -- commands ----

    def play(self, source: FrameSource, play_id: str, *, on_event: OnEvent, joins: bool = False) -> None:
        """Play `source` from the next frame on, instead of what plays and of what is queued; ends a pause.

        :param joins: it goes on where what plays stands: what of that did not arrive is still to be heard
        """
        self._current, self._next = Play(source, play_id, joins=joins), None
        if joins:
            self._tape.withdraw(self._earlier)  # the rest of what waits is in `source`
        else:
            self._forget_tape()
        self._on_event = on_event
        self._paused = self._starved = False
        self._reschedule()

    def queue(self, source: FrameSource, play_id: str) -> None:
        """Let `source` follow the present one without a gap (one ahead: it replaces what was queued before).

        With nothing playing it starts at once.
        """
        self._next = Play(source, play_id)
        self._reschedule()

    def unqueue(self) -> None:
        """Forget the queued source, if any."""
        self._next = None

    def stop(self) -> None:
        """End what plays and what is queued; silence follows. No `Ended` is told."""
        if self._current is not None:  # else all has ended by itself, and the end may have to be sent again
            self._forget_tape()
        self._current = self._next = None
        self._paused = False
        self._fall_silent()

    def pause(self) -> None:
        """Hold the position; silence follows."""
        if not self._paused:
            self._paused = True
            self._fall_silent()

    def resume(self) -> None:
        """Go on at the held position."""
        self._paused = False
        self._reschedule()

    def listen(self, on_event: OnEvent | None) -> None:
        """Tell events to somebody else from now on: for the successor of the actor that called `play`."""
        self._on_event = on_event

    def status(self) -> StreamStatus:
        """How the stream stands, as plain data."""
        current, following = self._current, self._next
        return StreamStatus(
            play_id=current.play_id if current else None,
            position=current.position if current else 0,
            playing=current is not None and not self._paused,
            paused=self._paused,
            underruns=self._underruns,
            sent=self._tape.sent,
            late=self._late,
            next_play_id=following.play_id if following else None,
            attached=self._transport is not None,
            underrun=self._starved,
        )

    def reached(self) -> Reached | None:
        """How far the present play has come for its listeners; None while there is none."""
        play, transport = self._current, self._transport
        if play is None:
            return None
        arrived = None if transport is None else transport.arrived
        unproven = 0 if arrived is None else max(self._tape.number - arrived, 0)
        if not play.joins:
            return Reached(play.play_id, play.position, unproven)
        unproven += self._earlier  # which wait to be sent again
        return Reached(play.play_id, play.position, unproven, max(unproven - play.position, 0))

    @property
    def doing(self) -> str:
        """`playing`, also while nothing can leave; `paused`, or `silent`."""
        if self._current is None and self._next is None:
            return "silent"
        return "paused" if self._paused else "playing"

    @property
    def ahead(self) -> int | None:
        """Frames that the source could give at once; None if there is none, or it does not say."""
        return None if self._current is None else getattr(self._current.source, "ahead", None)

    @property
    def sent(self) -> int:
        """Frames of sources sent since it was made, those sent again included."""
        return self._tape.sent

    @property
    def totals(self) -> Totals:
        """What it has counted since it was made."""
        return Totals(self._tape.sent, self._late, self._underruns)

    # -- the link's side ----

    def attach(self, transport: Outlet) -> None:
        """Frames leave through `transport` from now on; an earlier one is let go."""
        if self._transport is transport:
            return
        self._transport = transport
        self._speaking = False
        self._refused_due = -1
        self._until_check = 0
        transport.begin(self._tape.number)
        self._skip_arrived(transport)
        self._reschedule()

    def hasten(self) -> None:
        """Frames can leave that could not before: the one of the last tick does so now, not at the next."""
        due = self._scheduler.due(self)
        transport = self._transport
        if due is None or transport is None:
            return
        if self._next_due == self._refused_due == due:
            transport.skip(-1)  # its time had been let pass
            self._next_due -= FRAME_NS
        self.tick(due - FRAME_NS, due, late=False)

    def detach(self, transport: Outlet, since: int | None = None) -> None:
        """No frame leaves any more, the position stands still; ignored if another transport is attached.

        :param since: frames from this number on did not arrive, and are taken back
        """
        if self._transport is not transport:
            return
        self._transport = None
        self._trailing = 0
        self._scheduler.dismiss(self)
        if since is not None:
            self._take_back(since)

    def mark(self, unsure_s: float = 0.0) -> int:
        """Number of the first frame that may not arrive, if nothing does that left within `unsure_s`.

        A clock that was late of late has sent more frames in that time, and has looked at the network later.
        """
        if self.slot is None:
            return self._tape.number
        was_late = self._next_due - self._late_due < _LATE_FOR_NS
        return self._tape.number - int(unsure_s / FRAME_S) - 1 - was_late * _LATE_FRAMES

    # -- the clock's side ----

    def tick(self, due: int, following: int, late: bool) -> None:
        """Send the one frame that is due.

        :param due: its time in ns of the clock, on the grid of the stream's slot
        :param following: 20 ms later; one number for all streams of a slot is found in the processor's cache
        :param late: it leaves more than half a frame after that
        """
        transport = self._transport
        if transport is None or self.slot is None:
            return
        if due != self._next_due and not self._realign(due, transport):
            return
        self._next_due = following
        if (self._current is None or self._paused) and not self._wants_slot():
            self._close_spurt(transport)
        elif self._send_frame(transport) and late:
            self._late += 1
            self._late_due = due
        self._until_check -= 1
        if self._until_check < 0:
            self._check(transport)

    def _realign(self, due: int, transport: Outlet) -> bool:
        """Bring RTP time up to `due` after a break; False if a frame left less than 20 ms before."""
        missed = (due - self._next_due + FRAME_NS // 2) // FRAME_NS
        if due < self._next_due:
            return False
        transport.skip(missed)
        return True

    def _send_frame(self, transport: Outlet) -> bool:
        """The next frame of the source, in the midst of a track. Anything else is `_send_other`'s.

        What that one does in several calls is done here in none, as it is done 50,000 times a second.
        """
        play, tape = self._current, self._tape
        if play is None or tape.waiting or not self._speaking or not play.started:
            return self._send_other(self._draw(), transport)
        try:
            frame = play.source.next_frame()
        except Exception as error:
            frame, play.source = None, _broken(error)
        if frame is None:
            return self._send_other(None, transport)
        if not transport.send(frame):
            return self._hold(frame, transport)
        tape.kept.append(frame)
        tape.number += 1
        play.position += 1
        self._starved = False
        self._trailing = 0
        return True

    def _send_other(self, frame: bytes | None, transport: Outlet) -> bool:
        if frame is None:
            frame = self._go_on(transport)
        return frame is not None and self._emit(frame, transport)

    def _go_on(self, transport: Outlet) -> bytes | None:
        """No frame is ready: the first one of what follows, or None after a frame of silence."""
        frame = None
        while frame is None:
            if self._current is not None and not self._current.source.ended:
                self._starve(transport)
                return None
            if self._follow() is None:
                self._fall_silent()
                self._close_spurt(transport)
                return None
            frame = self._draw()
        return frame

    def _draw(self) -> bytes | None:
        """What waits on the tape first. A source that raises has ended, and must not take the clock down."""
        waiting, play = self._tape.waiting, self._current
        if waiting:
            return waiting[0]
        if play is None:
            return None
        try:
            return play.source.next_frame()
        except Exception as error:
            play.source = _broken(error)
            return None

    def _emit(self, frame: bytes, transport: Outlet) -> bool:
        if not self._speaking:
            self._speaking = True
            transport.speaking(True)
        if not transport.send(frame):
            return self._hold(frame, transport)
        self._starved = False
        self._trailing = 0
        self._tape.left(frame)
        self._step_on(1)
        return True

    def _hold(self, frame: bytes, transport: Outlet) -> bool:
        """It could not leave: it waits, while time goes on."""
        self._tape.hold(frame)
        transport.skip(1)
        self._refused_due = self._next_due
        return False

    def _step_on(self, frames: int) -> None:
        """The position after so many frames; those of earlier sources move nothing."""
        earlier = min(self._earlier, frames)
        self._earlier -= earlier
        play = self._current
        if play is not None:
            play.position += frames - earlier
            if play.position and not play.started:
                self._started(play)

    def _started(self, play: Play) -> None:
        play.started = True
        self._tell(Started(play.play_id))

    def _follow(self) -> Play | None:
        """The current source has ended: take the next one up, and tell so."""
        ended, self._current, self._next = self._current, self._next, None
        if ended is not None:
            error = ended.source.error if isinstance(ended.source, Broken) else None
            self._tell(Ended(ended.play_id, ended.position, error))
        return self._current  # told, the owner may have played something else at once

    def _starve(self, transport: Outlet) -> None:
        """Nothing is ready: a bounded number of frames of silence, then no packets until there is."""
        if not self._starved:
            self._starved = True
            self._underruns += 1
            self._trailing = SILENCE_FRAMES if self._speaking else 0
        if self._trailing:
            self._send_silence(transport)
        else:
            transport.skip(1)

    # -- what arrived ----

    def _check(self, transport: Outlet) -> None:
        tape = self._tape
        path, arrived = transport.check(tape.number), transport.arrived
        self._until_check = (1 if path is Path.LATE else 2) * _CHECK_FRAMES - 1
        skipped = tape.arrived(tape.number - _UNPROVEN_FRAMES if arrived is None else arrived)
        if skipped:
            self._step_on(skipped)
        if arrived is None:
            return
        if path is Path.CLOSED:
            self.detach(transport, arrived)
            transport.swallowed()
        elif path is Path.WAS_CLOSED:
            self._take_back(arrived)

    def _take_back(self, number: int) -> None:
        """Frames from that one on are sent again, before anything new."""
        count = self._tape.take_back(number)
        play = self._current
        mine = min(count, play.position) if play is not None else 0
        if play is not None:
            play.position -= mine
        self._earlier += count - mine
        if count:
            self._tell(Rewound(count))

    def _skip_arrived(self, transport: Outlet) -> None:
        """Forget what arrived, be it late: then it may be waiting to be sent again."""
        if transport.arrived is not None:
            self._step_on(self._tape.arrived(transport.arrived))

    def _forget_tape(self) -> None:
        self._tape.clear()
        self._earlier = 0

    # -- silence and slots ----

    def _wants_slot(self) -> bool:
        music = self._current is not None or self._next is not None or bool(self._tape.waiting)
        return music and not self._paused

    def _reschedule(self) -> None:
        if self._transport is not None and self._wants_slot():
            self._scheduler.admit(self)

    def _fall_silent(self) -> None:
        """Close the talk spurt, if one is open, with frames of silence; the slot is given back after them."""
        if self._transport is not None and self._speaking:
            self._trailing = SILENCE_FRAMES
        else:
            self._scheduler.dismiss(self)

    def _close_spurt(self, transport: Outlet) -> None:
        if self._speaking and not self._trailing:  # the last frames were such as had been taken back
            self._fall_silent()
        if self._trailing:
            self._send_silence(transport)
        if not self._trailing:
            self._scheduler.dismiss(self)

    def _send_silence(self, transport: Outlet) -> None:
        if not transport.send(SILENCE):
            transport.skip(1)
        self._trailing -= 1
        if self._trailing == 0:
            self._speaking = False
            transport.speaking(False)

    def _tell(self, event: StreamEvent) -> None:
        """Whoever listens may be gone: that is no concern of the data plane."""
        on_event = self._on_event
        if on_event is None:
            return
        try:
            on_event(event)
        except Exception:
            self._on_event = None


def _broken(error: Exception) -> Broken:
    """In place of the source that raised it."""
    return Broken(f"{type(error).__name__}: {error}")
