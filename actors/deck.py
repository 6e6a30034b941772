"""The deck of one guild: brings the clock's stream to what the player wants, as soon as the spools allow it.

The deck decides nothing about the queue. It is told what should be heard (entry, start, volume) and what
follows, and says which spools that needs. What it replaces plays on until the replacement is ready, so that a
seek or a new volume is heard without a gap; a volume joins at the very frame where the old loudness stops.
"""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .messages import FRAME_MS, Plan, SpoolKey, Wanted
from .plays import Play, parse_play
from .voice import Expected

if TYPE_CHECKING:
    from collections.abc import Callable

    from .media import Spool, Track
    from .voice import Stream, StreamEvent

LEAD_FRAMES = 25
"""Frames that must be made beyond the point where a new spool takes over."""


def whole(track: Track, volume: int, effect: str = "off", start_ms: int = 0) -> SpoolKey:
    """The spool of a track from `start_ms` on; a live stream has no other start than its edge."""
    return SpoolKey(track.id, 0 if track.is_live else start_ms, volume, effect)


@dataclass(slots=True)
class Deck:
    """`play` is what the stream sends, `want` what it should send, `spools` what could be sent.

    `resumed` is what was being heard when the process ended, from where it was cut off.
    """

    stream: Stream
    on_event: Callable[[StreamEvent], None]
    play: Play | None = None
    queued: Play | None = None
    want: SpoolKey | None = None
    joins: bool = False
    resumed: SpoolKey | None = None
    spools: dict[SpoolKey, Spool] = field(default_factory=dict)
    _nonces: itertools.count[int] = field(default_factory=lambda: itertools.count(secrets.randbits(40)))

    def adopt(self) -> Play | None:
        """Take over what the stream sends already, for a predecessor's sake."""
        self.play = parse_play(self.stream.status().play_id)
        self.stream.listen(self.on_event)
        if self.play is not None:
            self.want = self.play.key
            self.queued = parse_play(self.stream.status().next_play_id)
        return self.play

    @property
    def seeking(self) -> bool:
        """Another position of the same track is wanted, and its spool not ready yet."""
        return self.play is not None and self.want not in (None, self.play.key) and not self.joins

    def position_ms(self) -> int:
        """Where in the track the listener is, or will be as soon as a spool is ready."""
        status = self.stream.status()
        if self.play is not None and status.play_id == self.play.name and not self.seeking:
            return self.play.position_ms(status.position)
        return self.want.start_ms if self.want is not None else 0

    def aim(self, key: SpoolKey, *, joins: bool = False) -> None:
        """Want this spool; `joins`: take over where the present play stands, not at the spool's beginning."""
        self.want, self.joins = key, joins

    def cut(self) -> None:
        """What plays is no longer wanted, not even until the next is ready."""
        self.play = None

    def silence(self) -> None:
        """Nothing plays, nothing is wanted."""
        self.stream.stop()
        self.play = self.queued = self.want = None

    def ended(self, name: str) -> bool:
        """Whether that end concerns what is current; what was queued behind it is then the present play.

        With no play it may: a play that ended while its player was down, or an earlier entry's.
        """
        if self.play is None:
            return True
        if self.play.name != name:
            return False
        # What was queued may have ended too by now: that is then told next.
        self.play, self.queued = parse_play(self.stream.status().play_id) or self.queued, None
        self.want = None if self.play is None else self.play.key
        return True

    def settle(self, following: SpoolKey | None, *, ready: bool, paused: bool) -> bool:
        """Start, replace, queue or stop as far as possible now; False if it is worth another try soon.

        :param following: what comes after the wanted spool, without a gap
        :param ready: the guild's link takes frames
        """
        settled = True
        if self.want is not None and ready and (self.play is None or self.play.key != self.want):
            settled = self._start(self.want, paused=paused)
        if self.play is None and self.stream.status().play_id is not None:
            self.stream.stop()
        self._queue(following)
        self.stream.expected = self._expected(paused=paused)
        return settled

    def _expected(self, *, paused: bool) -> Expected:
        if self.want is None or paused:
            return Expected.NOTHING
        return Expected.SOON if self.play is None else Expected.NOW

    def _start(self, key: SpoolKey, *, paused: bool) -> bool:
        spool = self.spools.get(key)
        if spool is None:
            return True  # its SpoolReady will come
        over = self._takes_over()
        frame = _frame(self.position_ms() if over else key.start_ms)
        if over and frame < _frame(key.start_ms):
            return False  # a hole of UDP has taken the music back, and the spool has none of that
        at = spool.place(frame)
        if not spool.complete and spool.frames < at + LEAD_FRAMES:
            return False
        soft = self.play is not None and not over  # elsewhere in what is heard until now
        self.play, self.queued = Play(key, frame, next(self._nonces)), None
        cursor = spool.cursor(at, soft=soft)
        self.stream.play(cursor, self.play.name, on_event=self.on_event, joins=over)
        if paused:
            self.stream.pause()
        return True

    def _takes_over(self) -> bool:
        return self.joins and self.play is not None

    def _queue(self, following: SpoolKey | None) -> None:
        """Exactly `following` is queued behind the wanted play, or nothing."""
        queued = parse_play(self.stream.status().next_play_id)
        on_air = self.play is not None and self.play.key == self.want
        if on_air and queued is not None and queued.key == following:
            return
        spool = self.spools.get(following) if on_air and following is not None else None
        if spool is not None and following is not None:
            frame = _frame(following.start_ms)
            self.queued = Play(following, frame, next(self._nonces))
            self.stream.queue(spool.cursor(spool.place(frame)), self.queued.name)
        elif queued is not None:
            self.stream.unqueue()
            self.queued = None

    def plan(
        self,
        current: Track | None,
        following: Track | None,
        following_key: SpoolKey | None,
        ahead: tuple[Wanted, ...] = (),
    ) -> Plan:
        """The spools that are needed now, and none that is not; forgets the others."""
        keys: dict[SpoolKey, Track] = {}
        if current is not None:
            for key in (self.want, self.play.key if self.play else None):
                if key is not None and key.entry_id == current.id:
                    keys.setdefault(key, current)
        if following is not None and following_key is not None:
            keys.setdefault(following_key, following)
        self.spools = {key: spool for key, spool in self.spools.items() if key in keys}
        later = tuple(wanted for wanted in ahead if wanted.key not in keys)
        wanted = tuple(Wanted(key, track, key == self.resumed) for key, track in keys.items())
        return Plan(wanted, later)


def _frame(position_ms: int) -> int:
    return round(position_ms / FRAME_MS)
