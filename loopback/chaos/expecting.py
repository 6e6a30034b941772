"""What somebody who asks for music may expect to hear: the queue, places in the music, how it sounds.

A command that was not answered may have been carried out or not, so that more than one queue is possible.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from loopback.chaos.diary import Diary
from loopback.chaos.line import Line

if TYPE_CHECKING:
    from collections.abc import Iterable

NEAR: Final = 100
"""Frames by which a place may be another than the one that was asked for."""
BEHIND_NS: Final = 12_000_000_000
"""By so much what is heard may be behind what was played: a hole of UDP is noticed late, and what left into
it is heard after that, as it was.
"""
JUMP_NS: Final = 3_000_000_000
"""After its answer a command may take so long to be heard."""
FRAME_NS: Final = 20_000_000
CARRIED_OUT_NS: Final = 500_000_000
"""After a command was given something may be heard for so long of what it ends."""
NEVER_NS: Final = 10**18
REMEMBERED_NS: Final = 60_000_000_000
MOST_LINES: Final = 16
"""Queues that are thought possible."""


@dataclass(frozen=True, slots=True)
class Jump:
    """A command after which the music goes on at that frame, of the same track or of another one."""

    from_ns: int
    until_ns: int
    frame: int
    onward: bool = False
    """It leads to another track."""


@dataclass(eq=False, kw_only=True)
class Expecting:
    """Of one guild.

    :ivar line: the queue as it should be
    :ivar lines: what else it may be, because a command was not answered
    :ivar maybe: tracks whose `play` was not answered: they may come at any time
    :ivar undone: what it would be after a restart, while not all of it is saved
    :ivar other_sound_ns: when the music may sound otherwise than its file, from and until
    """

    place: str
    diary: Diary = field(default_factory=Diary)
    line: Line = field(default_factory=Line)
    lines: list[Line] = field(default_factory=list)
    maybe: set[int] = field(default_factory=set)
    undone: list[Line] = field(default_factory=list)
    other_sound_ns: tuple[int, int] = (0, 0)
    _unsaved_ns: tuple[int, int] = (0, 0)
    _past: deque[tuple[int, Line]] = field(default_factory=deque)
    _unheard: Line | None = None
    """The queue before it was seen to have gone on, until that is heard: a hole of UDP is noticed late, and
    what left into it is sent again."""
    _jumps: deque[Jump] = field(default_factory=lambda: deque(maxlen=20))

    @property
    def all_lines(self) -> list[Line]:
        """Every queue that is possible."""
        return [self.line, *self.lines]

    # --- for the one who listens ---

    def follows(self, before: int, after: int, since_ns: int) -> bool:
        """Whether the track comes next, as the queue was then, a little before, or later."""
        if after in self.maybe:
            return True
        past = (line for until_ns, line in self._past if until_ns > since_ns - BEHIND_NS)
        unheard = () if self._unheard is None else (self._unheard,)
        return any(line.follows(before, after) for line in (*past, *self.all_lines, *self.undone, *unheard))

    def jumped(self, frame: int, since_ns: int, at_ns: int, *, same: bool = False, unheard: int = 0) -> bool:
        """Whether a command may have led there. In a silence none is heard, so it may have been long ago.

        :param same: the track is the one that was heard before
        :param unheard: frames that may have come since it led somewhere, of which nobody knows the place
        """
        return any(
            not (same and jump.onward)
            and jump.from_ns <= at_ns
            and since_ns <= jump.until_ns
            and jump.frame - NEAR < frame < jump.frame + NEAR + unheard
            for jump in self._jumps
        )

    def landed(self, frame: int, since_ns: int, at_ns: int, *, same: bool = False) -> int | None:
        """Where a command has led of which nothing was heard, as while the bot may not speak; None if none
        has, or if the frame is near that place.
        """
        for jump in reversed(self._jumps):
            passed = frame - jump.frame - NEAR
            unheard = jump.from_ns <= at_ns and since_ns <= jump.from_ns + CARRIED_OUT_NS
            possible = unheard and not (same and jump.onward)
            if possible and 0 <= passed <= (at_ns - max(jump.from_ns, since_ns)) // FRAME_NS:
                return jump.frame
        return None

    def has_led(self, frame: int) -> bool:
        """Whether a command has led there, however long ago."""
        return any(jump.frame - NEAR < frame < jump.frame + NEAR for jump in self._jumps)

    def sounds_otherwise(self, at_ns: int) -> bool:
        """Whether the music may be heard otherwise than it is in its file."""
        begin_ns, end_ns = self.other_sound_ns
        return begin_ns <= at_ns <= end_ns

    def entered(self, track: int, frame: int) -> None:
        """A track has begun there: those before it are over."""
        self.diary.note(self.place, "heard", track=track, frame=frame)
        self._unheard = None
        if any(track in line.tracks for line in self.all_lines):
            self._remember()
            self.line, *self.lines = [line.entered(track) for line in self.all_lines]
            self.undone += [line.entered(track) for line in self.undone if track in line.tracks[1:]]
            self.undone = list(dict.fromkeys(self.undone))[-MOST_LINES:]

    def is_unsaved(self, at_ns: int) -> bool:
        """Whether something had been done then that was not saved yet."""
        begin_ns, end_ns = self._unsaved_ns
        return begin_ns <= at_ns <= end_ns

    # --- for the one who asks ---

    def _saved(self, saved: bool) -> None:
        """A change was acknowledged, and the whole state was saved with it, or not."""
        now_ns = time.time_ns()
        if saved:
            self._unsaved_ns = self._unsaved_ns[0], min(self._unsaved_ns[1], now_ns)
            self.undone = []
            return
        if not self.is_unsaved(now_ns):
            self._unsaved_ns = now_ns, now_ns + NEVER_NS
        # What was not saved may be saved later, without a word: each state may be the one on disk.
        self.undone = list(dict.fromkeys([*self.undone, *self.all_lines]))[-MOST_LINES:]

    def _jump(self, jump: Jump) -> None:
        self._jumps.append(jump)

    def _may_be(self, lines: Iterable[Line]) -> None:
        """It may have been done, or not."""
        self.lines = list(dict.fromkeys([*self.lines, *lines]))[-MOST_LINES:]

    def _fits(self, line: Line, found: Line) -> bool:
        """As it is, or as it is when the current track has ended meanwhile; unanswered tracks aside."""
        known = tuple(one for one in found.tracks if one in line.tracks or one not in self.maybe)
        return line.shows(Line(known, found.loop))

    def _settle(self, found: Line) -> None:
        self._remember()
        if found.tracks[:1] != self.line.tracks[:1]:
            self._unheard = self._unheard or self.line
        self.line, self.lines = found, []
        self.maybe -= set(found.tracks)

    def _remember(self) -> None:
        now_ns = time.time_ns()
        self._past.append((now_ns, self.line))
        while self._past[0][0] < now_ns - REMEMBERED_NS:
            self._past.popleft()
