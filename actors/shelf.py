"""The shelf: every guild's spools, process-wide, so that they outlive the preloader that ordered them.

Guilds that want the same of the same track share one spool: it is made once and read by each on its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .media import Media, Spool
    from .messages import SpoolKey, Wanted

    #: Address of the track, where its spool begins (ms), how loud (percent).
    Content = tuple[str, int, int]


@dataclass(slots=True, eq=False)
class _Shared:
    """A spool and the guilds' keys that it stands under; without `content` nobody else may find it."""

    spool: Spool
    content: Content | None
    holders: set[tuple[int, SpoolKey]] = field(default_factory=set)


class Shelf:
    """Gives each guild's preloader the spools by key; belongs to the media room, which closes them all."""

    def __init__(self, media: Media) -> None:
        self._media = media
        self._held: dict[int, dict[SpoolKey, _Shared]] = {}
        self._shared: dict[Content, _Shared] = {}

    def keys(self, guild_id: int) -> frozenset[SpoolKey]:
        """What this guild has."""
        return frozenset(self._held.get(guild_id, {}))

    def order(self, guild_id: int, wanted: Wanted) -> Spool:
        """The spool of that key, present or begun now."""
        held = self._held.setdefault(guild_id, {})
        if wanted.key not in held:
            shared = held[wanted.key] = self._find(wanted) or self._begin(wanted)
            shared.holders.add((guild_id, wanted.key))
        return held[wanted.key].spool

    def _find(self, wanted: Wanted) -> _Shared | None:
        """Another guild's spool of the same content, unless it has failed."""
        shared = self._shared.get(_content(wanted))
        return shared if shared is not None and shared.spool.error is None else None

    def _begin(self, wanted: Wanted) -> _Shared:
        spool = self._media.spool(wanted.track, start_s=wanted.key.start_ms / 1000, volume=wanted.key.volume)
        if wanted.track.is_live:  # whoever joins later hears it from then on
            return _Shared(spool, None)
        content = _content(wanted)
        shared = self._shared[content] = _Shared(spool, content)
        return shared

    async def let_go(self, guild_id: int, key: SpoolKey) -> None:
        """This guild no longer needs the spool of that key; the last one ends it."""
        shared = self._held.get(guild_id, {}).pop(key, None)
        if shared is None:
            return
        shared.holders.discard((guild_id, key))
        if not shared.holders:
            if shared.content is not None and self._shared.get(shared.content) is shared:
                del self._shared[shared.content]
            await shared.spool.aclose()

    async def aclose(self) -> None:
        """End them all."""
        for guild_id in list(self._held):
            for key in self.keys(guild_id):
                await self.let_go(guild_id, key)
            del self._held[guild_id]


def _content(wanted: Wanted) -> Content:
    return wanted.track.url, wanted.key.start_ms, wanted.key.volume
