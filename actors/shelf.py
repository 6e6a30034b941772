"""The shelf: every guild's spools, process-wide, so that they outlive the preloader that ordered them.

Guilds that want the same of the same track share one spool: it is made once and read by each on its own. So
does a guild that seeks to where its own spool has come already: nothing need be made for that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING

from .media import LAST
from .messages import FRAME_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .media import Media, Page, Rest, Spool
    from .messages import SpoolKey, Wanted

    #: Address of the track, how loud (percent), with which effect.
    Content = tuple[str, int, str]


@dataclass(slots=True, eq=False)
class _Shared:
    """A spool and the guilds' keys that it stands under, each with its rank there."""

    spool: Spool
    content: Content
    holders: dict[tuple[int, SpoolKey], int] = field(default_factory=dict)

    def take_turns(self) -> None:
        """It is as urgent as it is to whom it is most urgent."""
        (guild_id, _), rank = min(self.holders.items(), key=itemgetter(1))
        self.spool.turn.asker, self.spool.turn.rank = guild_id, rank


class Shelf:
    """Gives each guild's preloader the spools by key; belongs to the media room, which closes them all."""

    def __init__(self, media: Media) -> None:
        self._media = media
        self._held: dict[int, dict[SpoolKey, _Shared]] = {}
        self._ranks: dict[int, dict[SpoolKey, int]] = {}
        self._shared: dict[Content, list[_Shared]] = {}

    def keys(self, guild_id: int) -> frozenset[SpoolKey]:
        """What this guild has."""
        return frozenset(self._held.get(guild_id, {}))

    @property
    def speed(self) -> float | None:
        """How many times faster than it is heard a track was made of late; None: not known yet."""
        return self._media.speed

    @property
    def room_bytes(self) -> int:
        """Of the disk, that spools may still take."""
        return self._media.room_bytes

    async def more(self, rest: Rest) -> Page:
        """The next page of a playlist. Raises MediaError."""
        return await self._media.more(rest)

    def rank(self, guild_id: int, keys: Sequence[SpoolKey]) -> None:
        """What this guild wants to be made, the most urgent first."""
        ranks = self._ranks[guild_id] = {key: rank for rank, key in enumerate(keys)}
        for key, shared in self._held.get(guild_id, {}).items():
            shared.holders[guild_id, key] = ranks.get(key, LAST)
            shared.take_turns()

    def order(self, guild_id: int, wanted: Wanted) -> Spool:
        """The spool of that key, present or begun now."""
        held = self._held.setdefault(guild_id, {})
        if wanted.key not in held:
            shared = held[wanted.key] = self._find(wanted) or self._begin(wanted)
            shared.holders[guild_id, wanted.key] = self._ranks.get(guild_id, {}).get(wanted.key, LAST)
            shared.take_turns()
        return held[wanted.key].spool

    def _find(self, wanted: Wanted) -> _Shared | None:
        """A spool of the same content that begins there, or has come past there; unless it has failed."""
        frame = round(wanted.key.start_ms / FRAME_MS)
        for shared in self._shared.get(_content(wanted), ()):
            spool = shared.spool
            if spool.error is None and (spool.start_frame == frame or spool.covers(frame)):
                return shared
        return None

    def _begin(self, wanted: Wanted) -> _Shared:
        key = wanted.key
        start_s = key.start_ms / 1000
        spool = self._media.spool(
            wanted.track, start_s=start_s, volume=key.volume, effect=key.effect, resumed=wanted.resumed
        )
        shared = _Shared(spool, _content(wanted))
        self._shared.setdefault(_content(wanted), []).append(shared)
        return shared

    async def let_go(self, guild_id: int, key: SpoolKey) -> None:
        """This guild no longer needs the spool of that key; the last one ends it."""
        shared = self._held.get(guild_id, {}).pop(key, None)
        if shared is None:
            return
        shared.holders.pop((guild_id, key), None)
        if shared.holders:
            shared.take_turns()
        else:
            self._forget(shared)
            await shared.spool.aclose()

    async def forget(self, guild_id: int) -> None:
        """This guild needs nothing any more."""
        for key in self.keys(guild_id):
            await self.let_go(guild_id, key)
        self._held.pop(guild_id, None)
        self._ranks.pop(guild_id, None)

    def _forget(self, shared: _Shared) -> None:
        alike = self._shared[shared.content]
        alike.remove(shared)
        if not alike:
            del self._shared[shared.content]

    async def aclose(self) -> None:
        """End them all."""
        for guild_id in list(self._held):
            await self.forget(guild_id)


def _content(wanted: Wanted) -> Content:
    return wanted.track.url, wanted.key.volume, wanted.key.effect
