"""Whether music reaches those who should hear it: the bot is well only if frames leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOK_EVERY_S: Final = 0.5
UNHEARD_AFTER_S: Final = 2.0
"""Without a frame. With the 2 s in which frames may go on leaving into a black hole of UDP, and the time
until the next look, the health endpoint knows within 5 s. What is put right sooner is no illness."""

LOADING_S: Final = 30.0
"""So long may a track that nobody has heard yet take to be found and made ready: a resolver's deadline."""


class AudioWatch:
    """Looked at every LOOK_EVERY_S: which guilds want music and get none. Pure; times in seconds.

    Its tables hold nothing but numbers: a thousand tuples, made each second, would set off the garbage
    collector, which frames then wait for.
    """

    def __init__(self) -> None:
        self._sent: Mapping[int, int] = {}  # guild -> frames sent at the last look
        self._left: dict[int, float] = {}  # guild -> when a frame is known to have left last
        self._loading: frozenset[int] = frozenset()

    def look(self, now: float, wanting: Mapping[int, int], loading: frozenset[int] = frozenset()) -> None:
        """
        :param wanting: the guilds that should hear music now, each with the frames that it was sent so far
        :param loading: those of them whose track is still being found or made ready
        """
        before, left, ready = self._sent, self._left, self._loading - loading
        self._left = {
            guild_id: left[guild_id] if before.get(guild_id) == sent and guild_id not in ready else now
            for guild_id, sent in wanting.items()
        }
        self._sent, self._loading = wanting, loading

    def unheard(self, now: float) -> dict[int, float]:
        """For how long (s) each of these guilds has heard nothing."""
        return {
            guild_id: now - at
            for guild_id, at in self._left.items()
            if now - at >= (LOADING_S if guild_id in self._loading else UNHEARD_AFTER_S)
        }
