"""The part of the connection actor that minds who is in the channel, and whether the bot is heard there."""

from __future__ import annotations

from supervision import handles

from .epoch import now
from .messages import AloneTimeout, LinkPhase, Silenced, VoiceStates
from .recovering import Recovering
from .recovery import events as happens

ALONE_S = 300.0
"""The bot leaves a channel where nobody listened for this long."""

_SILENCED = {
    True: "I have been muted on this server: nobody hears me until a moderator lets me speak again.",
    False: "I may not speak in this channel any more, so nobody hears me: the permission “Speak” is missing.",
}


class Attending(Recovering):
    """Leaves a channel where nobody is."""

    _alone_timer = False

    @handles(VoiceStates)
    async def voice_states(self, _message: VoiceStates) -> None:
        """Somebody came or went."""
        self._ask_after()
        self._look_around()

    @handles(Silenced)
    async def silenced(self, message: Silenced) -> None:
        """The music goes on leaving, for nobody."""
        self._notice(_SILENCED[message.muted])

    @handles(AloneTimeout)
    async def alone_timeout(self, _message: AloneTimeout) -> None:
        """Nobody came back."""
        self._alone_timer = False
        if self._alone():
            await self._go_away()
            self._notice("Left the voice channel: nobody was there. The queue is kept.")

    def _ask_after(self) -> None:
        """The voice server should know it too, if its websocket still answers."""
        link = self._links.link(self._guild_id)
        if link is not None:
            link.ask_after()

    def _alone(self) -> bool:
        if self._phase in (LinkPhase.AWAY, LinkPhase.RETURNING) or self._target is None:
            return False
        return self._listeners(self._target) == 0

    def _listeners(self, channel_id: int) -> int | None:
        """People in the channel; None while that cannot be known."""
        if not self._port.present(self._guild_id):
            return None
        return self._port.listeners(self._guild_id, channel_id)

    def _look_around(self) -> None:
        """Nobody there: the time runs; it does not begin anew with every bot that comes and goes."""
        if not self._alone():
            self.ctx.cancel_timer("alone")
            self._alone_timer = False
        elif not self._alone_timer:
            self.ctx.start_timer("alone", ALONE_S, AloneTimeout())
            self._alone_timer = True

    async def _go_away(self) -> None:
        """Leave on purpose."""
        self._attempt += 1
        self._pending = False
        self._phase = LinkPhase.AWAY
        await self._aim(None)
        await self._advance(happens.Left(now()))
        self._cancel_timers()
        await self._links.disconnect(self._guild_id)
        self._link = None
        self._enter(LinkPhase.AWAY)
        self._look_around()
