"""Messages that an actor has put aside for later."""

from __future__ import annotations

from collections import deque
from typing import Final

from ._errors import StashFull

#: What is returned where nothing waits.
NOTHING: Final = object()


class Aside:
    """In an actor's hand: a message that its handler has put aside."""

    __slots__ = ("item",)

    def __init__(self, item: object) -> None:
        self.item = item


class Stash:
    """First those given back, which are handled before the mailbox; then those aside. Bounded together."""

    __slots__ = ("_aside", "_capacity", "_path", "_returned")

    def __init__(self, capacity: int, path: str) -> None:
        self._capacity = capacity
        self._path = path
        self._aside: deque[object] = deque()
        self._returned: deque[object] = deque()

    def __len__(self) -> int:
        return len(self._aside) + len(self._returned)

    @property
    def has_returned(self) -> bool:
        """Whether :meth:`pop` has something."""
        return bool(self._returned)

    def put(self, item: object) -> None:
        """Put a message aside.

        :raises StashFull: as many are there as may be
        """
        if len(self) >= self._capacity:
            raise StashFull(f"the stash of {self._path} is full ({self._capacity} messages)")
        self._aside.append(item)

    def give_back(self) -> None:
        """Those aside are to be handled, before those that were given back and not handled since."""
        self._returned.extendleft(reversed(self._aside))
        self._aside.clear()

    def pop(self) -> object:
        """The next one to be handled, or :data:`NOTHING`."""
        return self._returned.popleft() if self._returned else NOTHING

    def discard(self, item: object) -> None:
        """Take that very one out, given back or not."""
        for queue in (self._aside, self._returned):  # pragma: no branch - it is in one of them
            for place, each in enumerate(queue):
                if each is item:
                    del queue[place]
                    return

    def drain(self) -> list[object]:
        """All of them, in the order in which they would be handled."""
        self.give_back()
        rest = list(self._returned)
        self._returned.clear()
        return rest
