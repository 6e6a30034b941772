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
    """Tracks by query, streams by the track's address. `now`: seconds since the epoch.

    `version` grows with each change.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._found: dict[str, tuple[float, dict[str, Any]]] = {}
        self._streams: dict[str, dict[str, Any]] = {}
        self.version = 0

    def found(self, query: str) -> dict[str, Any] | None:
        """What is behind a query: `tracks` (fields of Track without the asker) and, of a list, its `listing`.

        None: it is to be extracted.
        """
        until, found = self._found.get(query, (0.0, {}))
        return found if until > self._now() else None

    def keep_found(self, query: str, found: dict[str, Any], *, until: float | None = None) -> None:
        """Remember what a query led to. What is live may be over any time: it is not kept.

        :param until: its end in seconds since the epoch; never later than FOUND_S from now
        """
        latest = self._now() + FOUND_S
        if not any(track["is_live"] for track in found["tracks"]):
            self._keep(self._found, query, (latest if until is None else min(until, latest), found))

    def stream(self, url: str) -> dict[str, Any] | None:
        """The stream of the track at that address, or None: to be extracted."""
        known = self._streams.get(url)
        return known if known is not None and known["expires_at"] > self._now() else None

    def keep_stream(self, url: str, stream: dict[str, Any]) -> None:
        """Remember a stream until the end that it states."""
        self._keep(self._streams, url, stream)

    def lasting(self) -> tuple[dict[str, tuple[float, dict[str, Any]]], dict[str, dict[str, Any]]]:
        """What can be trusted still, by query and by address, the oldest first."""
        now = self._now()
        found = {query: entry for query, entry in self._found.items() if entry[0] > now}
        return found, {url: each for url, each in self._streams.items() if each["expires_at"] > now}

    def _keep(self, entries: dict[str, Any], key: str, value: object) -> None:
        entries.pop(key, None)
        entries[key] = value
        self.version += 1
        while len(entries) > KEPT:
            del entries[next(iter(entries))]
