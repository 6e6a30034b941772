"""What one guild's listener hears, taken in as it comes: silences, frames lost, repeated and out of order.

Frames say their track and number. A track that is played again, or from another place, is another *playing*
of it; which playing follows which is for the one to say who has asked for the music.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Protocol

from loopback.listening.places import NOWHERE, by_number

if TYPE_CHECKING:
    from loopback.listening.listener import Listener

FRAME_MS: Final = 20.0
GAP_MS: Final = 35.0
"""A longer time between two frames is noted; what a client hides is longer still."""
KEPT: Final = 4000
"""Frames that a listener remembers: more than can come between two looks."""
OVERTAKEN: Final = 5
"""Frames that one may leave behind on its way; those of two tracks can be mixed, too."""
FRESH: Final = 100
"""A playing of fewer frames has just been begun by the latest command."""
REWIND: Final = 200
"""A playing that has ended may be gone back to for so many of its last frames."""
BEGIN: Final = 10
"""A track that is heard anew is heard from one of so many first frames on."""
JOINT: Final = 2
"""Frames by which two sounds of a track may be apart where one takes over from the other: an encoder has a
delay, which is no multiple of 20 ms.
"""


class Wishes(Protocol):
    """Whoever asks for music in a guild."""

    def follows(self, before: int, after: int, since_ns: int) -> bool:
        """Whether the track `after` comes next in the queue, as it was then or later."""

    def jumped(self, frame: int, since_ns: int, at_ns: int, *, same: bool = False, unheard: int = 0) -> bool:
        """Whether a command may have led to that place, after the frame before it and until it came.

        :param same: the track is the one that was heard before
        :param unheard: frames without a place that may have come after the command
        """

    def landed(self, frame: int, since_ns: int, at_ns: int, *, same: bool = False) -> int | None:
        """Where a command has led if the music has gone on from there unheard, and has come to that frame.
        None if none has. Nothing was heard between `since_ns` and `at_ns`.
        """

    def led_back(self, frame: int, since_ns: int, at_ns: int) -> bool:
        """Whether a restart in that silence has undone what was not saved, and has led back to that place:
        a command had led there before, be it that nobody heard of it.
        """

    def sounds_otherwise(self, at_ns: int) -> bool:
        """Whether the music may be heard otherwise than it is in its file."""

    def entered(self, track: int, frame: int) -> None:
        """A track has begun there."""


@dataclass(slots=True)
class Playing:
    """A track as it is heard: which frames have come, and the furthest of them."""

    track: int
    seen: bytearray
    last: int = -1
    first: int = 0
    after: int = -1
    """The last frame of what was heard before it, as it was then."""
    missing: dict[int, RawSlip] = field(default_factory=dict)


@dataclass(slots=True)
class RawGap:
    """Between two frames of music, ns."""

    start_ns: int
    end_ns: int

    @property
    def length_ms(self) -> float:
        return (self.end_ns - self.start_ns) / 1e6


@dataclass(slots=True)
class RawSlip:
    """At one place of the music."""

    at_ns: int
    track: int
    frame: int
    lost: int = 0
    repeated: int = 0
    unasked: str = ""
    """What nobody asked for, in words."""
    since_ns: int = 0
    """It was not before that: what is heard again, or missed, after a silence comes of what began it. 0: it
    was then.
    """


@dataclass(eq=False)
class Hearing:
    """Of one guild.

    :ivar length: frames of each track; 0: they have no end
    """

    listener: Listener
    wishes: Wishes | None = None
    length: int = 0
    gaps: list[RawGap] = field(default_factory=list)
    slips: list[RawSlip] = field(default_factory=list)
    arrivals: array[int] = field(default_factory=lambda: array("q"))
    """When frames of music arrived, ns, ascending."""
    heard: int = 0
    out_of_order: int = 0
    tracks: int = 0
    now: Playing | None = None
    """What is heard: after a rewind over the end of a track not the latest that was begun."""
    last_ns: int = 0
    other_sound_ns: int = 0
    """When a frame without a place came last: music, but not as it is in its file."""
    _taken: int = 0
    _before_ns: int = 0
    _playings: deque[Playing] = field(default_factory=lambda: deque(maxlen=3))
    _repeating: RawSlip | None = None
    _others: int = 0
    _others_since_ns: int = 0
    """When the frame before them came: there may have been a silence between."""

    def __post_init__(self) -> None:
        self.listener.limit = KEPT

    def take(self) -> None:
        """Take in what has arrived since the last call."""
        first = max(0, self._taken - self.listener.forgotten)
        frames = self.listener.frames[first:]
        self._taken = self.listener.forgotten + len(self.listener.frames)
        music = [one for one in frames if one.opus is not None and not one.silence]
        for frame, place in zip(music, by_number(music), strict=True):
            self._arrived(frame.arrival_ns)
            if place == NOWHERE:
                self._take_other(frame.arrival_ns)
            else:
                self._take(frame.arrival_ns, *place)

    def began(self, at_ns: int) -> None:
        """From here on it counts, be it the rest of a silence: what came before is forgotten, but for what is
        heard now.
        """
        if self.last_ns:
            self.last_ns = max(self.last_ns, at_ns)
        self.gaps.clear()
        self.slips.clear()
        del self.arrivals[: bisect_left(self.arrivals, at_ns)]
        self.heard, self.tracks, self.out_of_order = len(self.arrivals), 1, 0

    def between(self, start_ns: int, end_ns: int) -> int:
        """Frames that arrived then."""
        return bisect_right(self.arrivals, end_ns) - bisect_left(self.arrivals, start_ns)

    def _arrived(self, at_ns: int) -> None:
        if self.last_ns and at_ns - self.last_ns > GAP_MS * 1e6:
            self.gaps.append(RawGap(self.last_ns, at_ns))
        self._before_ns, self.last_ns = self.last_ns, max(self.last_ns, at_ns)
        self.arrivals.append(self.last_ns)

    # --- music that does not sound as in its file ---

    def _take_other(self, at_ns: int) -> None:
        """Louder, softer or filtered: it was encoded anew, and its frames say no numbers. They count."""
        if not self._others:
            self._others_since_ns = self._before_ns or at_ns
            if self.wishes is not None and not self.wishes.sounds_otherwise(at_ns):
                track = -1 if self.now is None else self.now.track
                self.slips.append(RawSlip(at_ns, track, 0, unasked=f"track {track} as it is not in its file"))
        self._others += 1
        self.other_sound_ns = at_ns

    def _rejoin(self, track: int, number: int, at_ns: int) -> None:
        """The file's own frames again: as many further on as others have come meanwhile."""
        others, self._others = self._others, 0
        now, wishes = self.now, self.wishes
        if now is None or wishes is None:
            return
        same, since_ns = now.track == track, self._others_since_ns
        if wishes.jumped(number, since_ns, at_ns, same=same, unheard=others):
            self._begin(track, number)
            return
        if (place := wishes.landed(number, since_ns, at_ns, same=same)) is not None:
            now = self._begin(track, place)
        due = now.last + 1 + others
        if now.track != track or (due - number > self.length // 2 and self._is_next(now, track)):
            self._check_turn(now, track, number, at_ns)
            due -= self.length
            now = self._begin(track, number)
        away = number - due
        if abs(away) > JOINT:
            slip = RawSlip(at_ns, track, due, max(away, 0), max(-away, 0), since_ns=since_ns)
            self.slips.append(slip)
        now.seen[number:] = bytes(len(now.seen) - number)
        now.last = number - 1

    # --- music as it is in its file ---

    def _take(self, at_ns: int, track: int, number: int) -> None:
        if self._others:
            self._rejoin(track, number, at_ns)
        playing = self.now = self._playing(track, number, at_ns)
        if number >= len(playing.seen):
            playing.seen.extend(bytes(number + 1 - len(playing.seen)))
        if playing.seen[number]:
            self._again(playing, number, at_ns)
            return
        self._repeating = None
        playing.seen[number] = 1
        self.heard += 1
        self._after_all(playing, number)
        if number > playing.last + 1:
            self._lost(playing, playing.last + 1, number, at_ns)
        playing.last = max(playing.last, number)

    def _playing(self, track: int, number: int, at_ns: int) -> Playing:
        """The playing to which the frame belongs, a new one if need be."""
        now = self.now
        if now is None:
            return self._begin(track, number)
        if (other := self._later(now, track, number) or self._overtaken(now, track, number)) is not None:
            return other
        same = now.track == track
        away = not same or number > now.last + 1 or number < now.last - 1
        heard = same and number < len(now.seen) and bool(now.seen[number])
        if same and not heard and abs(number - now.last) <= OVERTAKEN and now.last - now.first < FRESH:
            return now  # no other command has led so near
        if same and (away or heard) and self._has_jumped(number, at_ns, same=True):
            return self._begin(track, number)
        if away and (place := self._landed(number, at_ns, same=same)) is not None:
            return self._begin(track, place)
        if away and number < BEGIN and (not same or now.last > REWIND) and self._is_next(now, track):
            return self._change(now, track, number, at_ns)
        earlier = self._earlier(now, track, number) if away else None
        if earlier is not None and number > earlier.last + OVERTAKEN and self._is_led_back(number, at_ns):
            return self._begin(track, number)
        return earlier or (now if same else self._change(now, track, number, at_ns))

    def _earlier(self, now: Playing, track: int, number: int) -> Playing | None:
        """One that has ended, and whose end is heard again; of the same track only where that is repeated."""
        if now.track == track and not (now.last < REWIND < number and self._is_next(now, track)):
            return None
        last = number if now.track == track else 0
        ended = [one for one in reversed(self._playings) if one is not now]
        found = (one for one in ended if one.track == track and last <= one.last <= number + REWIND)
        return next(found, None)

    def _later(self, now: Playing, track: int, number: int) -> Playing | None:
        """After a rewind over the end of a track: the one that follows, as far as it had been heard."""
        begun = list(self._playings)[::-1]
        begun = begun[: next((at for at, one in enumerate(begun) if one is now), 0)]
        if begun and now.last > begun[-1].after + REWIND:
            return None  # no rewind: what had led on from here was undone
        return next((one for one in begun if one.track == track and number <= one.last + OVERTAKEN), None)

    def _overtaken(self, now: Playing, track: int, number: int) -> Playing | None:
        """After a jump: the playing before it, if a frame of its end comes after the first of the next."""
        before = next((one for one, then in pairwise(self._playings) if then is now), None)
        mine = track == now.track and now.first <= number <= now.last + OVERTAKEN
        if before is None or before.track != track or mine or now.last - now.first >= OVERTAKEN:
            return None
        late = number in before.missing or before.last < number <= before.last + OVERTAKEN
        return before if late else None

    def _landed(self, number: int, at_ns: int, *, same: bool) -> int | None:
        wishes, before_ns = self.wishes, self._before_ns
        return None if wishes is None else wishes.landed(number, before_ns, at_ns, same=same)

    def _has_jumped(self, number: int, at_ns: int, *, same: bool = False) -> bool:
        wishes, before_ns = self.wishes, self._before_ns
        return wishes is not None and wishes.jumped(number, before_ns, at_ns, same=same)

    def _is_led_back(self, number: int, at_ns: int) -> bool:
        return self.wishes is not None and self.wishes.led_back(number, self._before_ns, at_ns)

    def _is_next(self, now: Playing, track: int) -> bool:
        return self.wishes is not None and self.wishes.follows(now.track, track, self._before_ns)

    def _change(self, before: Playing, track: int, number: int, at_ns: int) -> Playing:
        """Another track: because the one before has ended, because it was asked for, or by mistake."""
        if self.wishes is None or self._has_jumped(number, at_ns):
            return self._begin(track, number)
        rest = self.length - 1 - before.last
        if rest > 0:
            self._lost(before, before.last + 1, self.length, at_ns)
        self._check_turn(before, track, number, at_ns)
        return self._begin(track, 0)

    def _check_turn(self, before: Playing, track: int, number: int, at_ns: int) -> None:
        if not self._is_next(before, track):
            words = f"track {track} after track {before.track}"
            self.slips.append(RawSlip(at_ns, track, number, unasked=words))

    def _begin(self, track: int, number: int) -> Playing:
        after = -1 if self.now is None else self.now.last
        playing = Playing(track, bytearray(self.length), last=number - 1, first=number, after=after)
        self._playings.append(playing)
        self.now = playing
        self._repeating = None
        self.tracks += 1
        if self.wishes is not None:
            self.wishes.entered(track, number)
        return playing

    def _again(self, playing: Playing, number: int, at_ns: int) -> None:
        if self._repeating is None:
            self._repeating = RawSlip(at_ns, playing.track, number, since_ns=self._before_ns)
            self.slips.append(self._repeating)
        self._repeating.repeated += 1

    def _lost(self, playing: Playing, first: int, end: int, at_ns: int) -> None:
        slip = RawSlip(at_ns, playing.track, first, lost=end - first, since_ns=self._before_ns)
        self.slips.append(slip)
        playing.missing |= dict.fromkeys(range(first, end), slip)

    def _after_all(self, playing: Playing, number: int) -> None:
        """A frame that was taken for lost has come."""
        slip = playing.missing.pop(number, None)
        if slip is not None:
            slip.lost -= 1
            self.out_of_order += number < playing.last
