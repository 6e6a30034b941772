"""Whether music reaches those who should hear it: the bot is well only if frames leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

LOOK_EVERY_S: Final = 1.0
UNHEARD_AFTER_S: Final = 3.0
"""Without a frame; the health endpoint knows it within 5 s. What is put right sooner is no illness."""


class AudioWatch:
    """Looked at every LOOK_EVERY_S: which guilds want music and get none. Pure; times in seconds."""

    def __init__(self) -> None:
        self._left: dict[int, tuple[int, float]] = {}  # guild -> frames sent by then, and when one last left

    def look(self, now: float, wanting: Iterable[tuple[int, int]]) -> None:
        """
        :param wanting: the guilds that should hear music now, each with the frames that it was sent so far
        """
        before = self._left
        self._left = {
            guild_id: (sent, before[guild_id][1] if before.get(guild_id, (-1, now))[0] == sent else now)
            for guild_id, sent in wanting
        }

    def unheard(self, now: float) -> dict[int, float]:
        """For how long (s) each of these guilds has heard nothing."""
        ages = {guild_id: now - at for guild_id, (_, at) in self._left.items()}
        return {guild_id: age for guild_id, age in ages.items() if age >= UNHEARD_AFTER_S}
