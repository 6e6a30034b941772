"""The queue of one guild as a value: every change makes a new queue, nothing here waits or plays.

The queue knows the entry that plays (`current`) and those that wait, in order. It keeps no history: what has
been played and does not loop is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

CAPACITY = 500
"""Entries that may wait in one guild, unless the settings say otherwise."""

PER_USER = 200
"""Entries of one user that may wait in one guild, unless the settings say otherwise."""

SHORT_ID = 6
"""Characters of an entry's id that are shown: enough for a full queue."""

PAGE_SIZE = 10
"""Entries on one page of the `queue` command."""


class Identified(Protocol):
    """What can be queued: anything with an id that no other entry of the queue has."""

    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=Identified)


class Loop(Enum):
    """What is repeated: nothing, the current track, or the whole queue."""

    OFF = "off"
    TRACK = "track"
    QUEUE = "queue"


class NoEntryError(Exception):
    """Nothing that waits is called so."""


class AmbiguousError(Exception):
    """More than one entry that waits is called so."""


class QueueFullError(Exception):
    """Not one more entry fits."""


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How many entries may wait in one guild, and how many of these may be one user's."""

    capacity: int = CAPACITY
    per_user: int = PER_USER


@dataclass(frozen=True, slots=True)
class Queue(Generic[T]):
    """The current entry, those that wait, and the loop mode."""

    current: T | None = None
    waiting: tuple[T, ...] = ()
    loop: Loop = Loop.OFF
    capacity: int = CAPACITY

    def add(self, entries: Iterable[T]) -> Queue[T]:
        """Append as many of `entries` as fit, in order.

        :raises QueueFullError: if there is no room for even one.
        """
        room = self.capacity - len(self.waiting)
        if room <= 0:
            raise QueueFullError
        return replace(self, waiting=self.waiting + tuple(entries)[:room])

    def started(self) -> Queue[T]:
        """With a current entry if there is any: the first that waits moves up when nothing is current."""
        if self.current is not None or not self.waiting:
            return self
        return replace(self, current=self.waiting[0], waiting=self.waiting[1:])

    def following(self) -> T | None:
        """What plays after the current entry has ended by itself."""
        if self.loop is Loop.TRACK and self.current is not None:
            return self.current
        if self.waiting:
            return self.waiting[0]
        return self.current if self.loop is Loop.QUEUE else None

    def later(self, most: int) -> tuple[T, ...]:
        """What comes after `following` in the natural course, at most so many."""
        return () if self.loop is Loop.TRACK else self.waiting[1 : 1 + most]

    def advanced(self) -> Queue[T]:
        """After the current entry has ended by itself."""
        if self.loop is Loop.TRACK and self.current is not None:
            return self
        return self.skipped()

    def skipped(self) -> Queue[T]:
        """After a skip: a looping queue keeps the current entry at its end, a looping track is let go."""
        kept = (self.current,) if self.loop is Loop.QUEUE and self.current is not None else ()
        return replace(self, current=None, waiting=self.waiting + kept).started()

    def dropped(self) -> Queue[T]:
        """After the current entry turned out to be unplayable: it is gone in every loop mode."""
        return replace(self, current=None).started()

    def playing(self, entry_id: str) -> Queue[T] | None:
        """With `entry_id` as current, as the natural course would make it; None if it is unknown."""
        if self.current is not None and self.current.id == entry_id:
            return self
        following = self.following()
        if following is not None and following.id == entry_id:
            return self.advanced()
        found = next((entry for entry in self.waiting if entry.id == entry_id), None)
        return None if found is None else replace(self.removed(entry_id), current=found)

    def find(self, name: str) -> T:
        """The waiting entry of that number, as `page` counts them, or of that (shortened) id.

        What consists of digits alone is a number, unless a # stands before it.

        :raises NoEntryError: there is none
        :raises AmbiguousError: a shortened id fits more than one
        """
        word = name.strip().lower()
        if word.isdecimal():
            if 1 <= int(word) <= len(self.waiting):
                return self.waiting[int(word) - 1]
            raise NoEntryError
        prefix = word.removeprefix("#")
        found = [entry for entry in self.waiting if prefix and entry.id.startswith(prefix)]
        if not found:
            raise NoEntryError
        if len(found) > 1:
            raise AmbiguousError
        return found[0]

    def moved(self, entry_id: str, number: int) -> Queue[T]:
        """With the waiting entry of that id at `number` (from 1), or at the end nearest to it."""
        entry = next((entry for entry in self.waiting if entry.id == entry_id), None)
        if entry is None:
            return self
        rest = [other for other in self.waiting if other.id != entry_id]
        rest.insert(max(number, 1) - 1, entry)
        return replace(self, waiting=tuple(rest))

    def removed(self, entry_id: str) -> Queue[T]:
        """Without the waiting entry of that id."""
        return replace(self, waiting=tuple(entry for entry in self.waiting if entry.id != entry_id))

    def replaced(self, entry: T) -> Queue[T]:
        """With `entry` in the place of the entry of the same id, wherever that is."""
        current = entry if self.current is not None and self.current.id == entry.id else self.current
        waiting = tuple(entry if each.id == entry.id else each for each in self.waiting)
        return replace(self, current=current, waiting=waiting)

    def cleared(self) -> Queue[T]:
        """Empty, in the same loop mode."""
        return replace(self, current=None, waiting=())

    def looping(self, loop: Loop) -> Queue[T]:
        """In another loop mode."""
        return replace(self, loop=loop)

    def shuffled(self, random: Random) -> Queue[T]:
        """With the waiting entries in a random order; the current one stays."""
        return replace(self, waiting=tuple(random.sample(self.waiting, len(self.waiting))))

    @property
    def pages(self) -> int:
        """Pages of `PAGE_SIZE` waiting entries, at least 1."""
        return max(1, -(-len(self.waiting) // PAGE_SIZE))

    def page(self, number: int) -> tuple[T, ...]:
        """The waiting entries of page `number` (from 1); a number beyond the last page gives the last one."""
        first = (min(max(number, 1), self.pages) - 1) * PAGE_SIZE
        return self.waiting[first : first + PAGE_SIZE]
