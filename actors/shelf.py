"""The shelf: every guild's spools, process-wide, so that they outlive the preloader that ordered them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .media import Media, Spool
    from .messages import SpoolKey, Wanted


class Shelf:
    """Gives each guild's preloader the spools by key; belongs to the media room, which closes them all."""

    def __init__(self, media: Media) -> None:
        self._media = media
        self._spools: dict[int, dict[SpoolKey, Spool]] = {}

    def keys(self, guild_id: int) -> frozenset[SpoolKey]:
        """What this guild has."""
        return frozenset(self._spools.get(guild_id, {}))

    def order(self, guild_id: int, wanted: Wanted) -> Spool:
        """The spool of that key, present or begun now."""
        spools = self._spools.setdefault(guild_id, {})
        if wanted.key not in spools:
            start_s = wanted.key.start_ms / 1000
            spools[wanted.key] = self._media.spool(wanted.track, start_s=start_s, volume=wanted.key.volume)
        return spools[wanted.key]

    async def let_go(self, guild_id: int, key: SpoolKey) -> None:
        """End the spool of that key, if there is one."""
        spool = self._spools.get(guild_id, {}).pop(key, None)
        if spool is not None:
            await spool.aclose()

    async def aclose(self) -> None:
        """End them all."""
        for guild_id in list(self._spools):
            for key in self.keys(guild_id):
                await self.let_go(guild_id, key)
            del self._spools[guild_id]
