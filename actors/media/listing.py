"""A playlist, of which tracks are fetched page by page as they are needed."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .track import Track


def _new_id() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Rest:
    """What has not been taken of the playlist at `url`: its entries from number `first` to `last`, from 1.

    `last` is a bound: the list may end before, if its site did not state the `total`. `requested_by` is a
    user's snowflake.
    """

    url: str
    title: str
    requested_by: int
    first: int
    last: int
    total: int | None = None
    id: str = field(default_factory=_new_id)

    @property
    def count(self) -> int | None:
        """Its entries; None where the site has not stated how many there are."""
        return None if self.total is None else self.last - self.first + 1

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary for msgpack; `from_dict` is its inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Names that this version does not know are left out, so that newer data can be read."""
        return cls(**{item.name: data[item.name] for item in fields(cls) if item.name in data})


@dataclass(frozen=True, slots=True)
class Listing:
    """Where the tracks of a page stand: `numbers` in the list, in order; `then` is the number after the page.

    `then` is None where the list ends with the page. `whole` is the list from its first entry on.
    """

    whole: Rest
    numbers: tuple[int, ...]
    then: int | None

    def left(self, taken: int) -> Rest | None:
        """What is to be fetched once so many tracks of the page were taken; None: nothing."""
        first = self.numbers[taken] if taken < len(self.numbers) else self.then
        return None if first is None or first > self.whole.last else replace(self.whole, first=first)


@dataclass(frozen=True, slots=True)
class Page:
    """What a link or a search led to: all its tracks, or those of one page of a list."""

    tracks: tuple[Track, ...]
    listing: Listing | None = None
