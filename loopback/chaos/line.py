"""A guild's queue as it must be, as a value: what commands and the course of the music make of it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Final

OFF: Final = "off"
TRACK: Final = "track"
QUEUE: Final = "queue"


@dataclass(frozen=True, slots=True)
class Line:
    """Tracks by their numbers, the current one first, and what is repeated: one of the modes of `loop`.

    Commands are told which track their answer named (None: nobody knows) beside the place that was asked for,
    since tracks may end while a command is on its way.
    """

    tracks: tuple[int, ...] = ()
    loop: str = OFF

    def __str__(self) -> str:
        return f"{list(self.tracks)}" + ("" if self.loop == OFF else f", the {self.loop} repeated")

    # --- the course of the music ---

    def follows(self, before: int, after: int) -> bool:
        """Whether that track comes when the one before it has ended by itself."""
        if self.loop == TRACK:
            return before == after and before in self.tracks
        ring = self.tracks[:1] if self.loop == QUEUE else ()
        return (before, after) in itertools.pairwise((*self.tracks, *ring))

    def entered(self, track: int) -> Line:
        """With that track as the current one, if it is there: those before it are over."""
        return self._from(self.tracks.index(track)) if track in self.tracks else self

    def shows(self, found: Line) -> bool:
        """Whether a queue that looks so is this one, be it that the current track has ended meanwhile."""
        ended = self if self.loop == TRACK or not self.tracks else self._from(1)
        return found in (self, ended)

    # --- commands ---

    def played(self, track: int) -> Line:
        """With another track at the end."""
        return replace(self, tracks=(*self.tracks, track))

    def skipped(self, named: int | None) -> Line:
        """Without the current track; in a queue that is repeated it is the last one then."""
        return self._from(self._place(named, 0) + 1)

    def removed(self, named: int | None, number: int) -> Line:
        """Without a waiting track."""
        place = self._place(named, number)
        return replace(self, tracks=self.tracks[:place] + self.tracks[place + 1 :])

    def moved(self, named: int | None, number: int, to: int) -> Line:
        """With a waiting track at another number."""
        place, waiting = self._place(named, number), list(self.tracks[1:])
        if 0 < place <= len(waiting):
            waiting.insert(to - 1, waiting.pop(place - 1))
        return replace(self, tracks=(*self.tracks[:1], *waiting))

    def looped(self, mode: str) -> Line:
        """In another mode."""
        return replace(self, loop=mode)

    def _from(self, place: int) -> Line:
        gone = self.tracks[:place] if self.loop == QUEUE else ()
        return replace(self, tracks=self.tracks[place:] + gone)

    def _place(self, named: int | None, number: int) -> int:
        """Where the track stands that an answer named, or where it was asked for."""
        return self.tracks.index(named) if named in self.tracks else number
