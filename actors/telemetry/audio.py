"""Whether music reaches those who should hear it: the bot is well only if frames leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOK_EVERY_S: Final = 1.0
UNHEARD_AFTER_S: Final = 3.0
"""Without a frame; the health endpoint knows it within 5 s. What is put right sooner is no illness."""


class AudioWatch:
    """Looked at every LOOK_EVERY_S: which guilds want music and get none. Pure; times in seconds.

    Its tables hold nothing but numbers: a thousand tuples, made each second, would set off the garbage
    collector, which frames then wait for.
    """

    def __init__(self) -> None:
        self._sent: Mapping[int, int] = {}  # guild -> frames sent at the last look
        self._left: dict[int, float] = {}  # guild -> when a frame is known to have left last

    def look(self, now: float, wanting: Mapping[int, int]) -> None:
        """
        :param wanting: the guilds that should hear music now, each with the frames that it was sent so far
        """
        before, left = self._sent, self._left
        self._left = {
            guild_id: left[guild_id] if before.get(guild_id) == sent else now
            for guild_id, sent in wanting.items()
        }
        self._sent = wanting

    def unheard(self, now: float) -> dict[int, float]:
        """For how long (s) each of these guilds has heard nothing."""
        return {guild_id: now - at for guild_id, at in self._left.items() if now - at >= UNHEARD_AFTER_S}
