"""What extractions have found, for as long as it can be trusted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: Entries of each kind; the oldest give way.
KEPT: Final = 256
#: s: a link or search that is asked for again this soon is not extracted again.
FOUND_S: Final = 300.0


class Extractions:
    """Tracks by query, streams by the track's address. `now`: seconds since the epoch."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._found: dict[str, tuple[float, list[dict[str, Any]]]] = {}
        self._streams: dict[str, dict[str, Any]] = {}

    def found(self, query: str) -> list[dict[str, Any]] | None:
        """The tracks behind a query (fields of Track without the asker), or None: to be extracted."""
        until, tracks = self._found.get(query, (0.0, []))
        return tracks if until > self._now() else None

    def keep_found(self, query: str, tracks: list[dict[str, Any]]) -> None:
        """Remember what a query led to. What is live may be over any time: it is not kept."""
        if not any(track["is_live"] for track in tracks):
            _keep(self._found, query, (self._now() + FOUND_S, tracks))

    def stream(self, url: str) -> dict[str, Any] | None:
        """The stream of the track at that address, or None: to be extracted."""
        known = self._streams.get(url)
        return known if known is not None and known["expires_at"] > self._now() else None

    def keep_stream(self, url: str, stream: dict[str, Any]) -> None:
        """Remember a stream until the end that it states."""
        _keep(self._streams, url, stream)


def _keep(entries: dict[str, Any], key: str, value: object) -> None:
    entries.pop(key, None)
    entries[key] = value
    while len(entries) > KEPT:
        del entries[next(iter(entries))]
