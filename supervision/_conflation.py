"""A queue that finds a waiting message by its key."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from ._slot import Ask

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator


class KeyedQueue:
    """First in, first out, with the few methods of a deque that a mailbox needs.

    Messages whose key is None are like no other.
    """

    __slots__ = ("_entries", "_key")

    def __init__(self, key: Callable[[object], Hashable | None]) -> None:
        self._key = key
        self._entries: OrderedDict[Hashable, object] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[object]:
        return iter(self._entries.values())

    def append(self, item: object) -> None:
        self._entries[self._key_of(item)] = item

    def extend(self, items: Iterable[object]) -> None:
        for item in items:
            self.append(item)

    def popleft(self) -> object:
        return self._entries.popitem(last=False)[1]

    def clear(self) -> None:
        self._entries.clear()

    def has_like(self, item: object) -> bool:
        """Whether a message with that one's key waits."""
        return self._key_of(item) in self._entries

    def take_like(self, item: object, default: object) -> object:
        """Take the waiting message with that one's key out."""
        return self._entries.pop(self._key_of(item), default)

    def _key_of(self, item: object) -> Hashable:
        key = self._key(item.message if type(item) is Ask else item)
        return key if key is not None else object()  # its own, equal to no other
