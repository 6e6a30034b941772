"""The one message about an incident of the voice connection: posted once, then edited until it is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import embeds_voice
from .discord_port import PostError, Trouble
from .keeping import load, save
from .recovery import Outcome

if TYPE_CHECKING:
    from supervision import Context

    from .discord_port import Port
    from .messages import TroubleNews

_SILENT = (Outcome.BACK, Outcome.LEFT)
"""Ends that need no message if there was none before."""


@dataclass(frozen=True, slots=True)
class _Place:
    channel_id: int
    message_id: int
    incident_id: str


class TroubleMessage:
    """Belongs to the display actor; its place is kept, so that a restarted display edits the same one."""

    def __init__(self, context: Context, port: Port) -> None:
        self._context = context
        self._port = port
        self._place: _Place | None = None

    async def restore(self) -> None:
        """Find the message of a predecessor."""
        state = await load(self._context, "trouble")
        if state is not None and state.get("message_id"):
            self._place = _Place(state["channel_id"], state["message_id"], state["incident_id"])

    def posts(self, news: TroubleNews) -> bool:
        """Whether showing it makes a new message."""
        return self._mine(news) is None and news.incident.outcome not in _SILENT

    async def show(self, news: TroubleNews, channel_id: int) -> None:
        """Bring the message up to date; with the end of the incident it is let go.

        :raises PostError: if it was not posted or edited
        """
        place = self._mine(news)
        try:
            if place is not None:
                await self._edit(place, news)
            elif self.posts(news):
                message_id = await self._port.post(channel_id, embed=embeds_voice.trouble(news))
                await self._keep(_Place(channel_id, message_id, news.incident.id))
        finally:
            if news.incident.outcome is not Outcome.OPEN and self._place is not None:
                await self._keep(None)

    async def _edit(self, place: _Place, news: TroubleNews) -> None:
        try:
            await self._port.edit(place.channel_id, place.message_id, embeds_voice.trouble(news))
        except PostError as error:
            if error.trouble is not Trouble.AWAY:
                await self._keep(None)
            raise

    def _mine(self, news: TroubleNews) -> _Place | None:
        place = self._place
        return place if place is not None and place.incident_id == news.incident.id else None

    async def _keep(self, place: _Place | None) -> None:
        self._place = place
        state = {} if place is None else {name: getattr(place, name) for name in _Place.__slots__}
        await save(self._context, "trouble", state)
