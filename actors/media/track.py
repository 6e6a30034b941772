"""What stands in a queue: one track as the resolver found it."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping


def _new_id() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Track:
    """One entry of a queue. `url` is resolved again when the track is about to play: stream addresses expire.

    `duration_s` is what the site states, None where it states nothing; `requested_by` is a user's snowflake;
    `id` is unique for the entry, so the same song queued twice has two ids.
    """

    url: str
    title: str
    requested_by: int
    duration_s: float | None = None
    is_live: bool = False
    uploader: str | None = None
    thumbnail: str | None = None
    id: str = field(default_factory=_new_id)

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary for msgpack; `from_dict` is its inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Names that this version does not know are left out, so that newer data can be read."""
        return cls(**{name: data[name] for name in _NAMES if name in data})


_NAMES = tuple(item.name for item in fields(Track))
