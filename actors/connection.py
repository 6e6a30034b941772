"""The connection actor: the one owner of its guild's voice connection.

It knows where the bot is meant to be, and keeps that in persistence. The link itself puts right what passes;
what follows when it cannot is the policy of `recovery`. Joining runs beside: whoever asked looks again with
GetVoice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from supervision import handles

from .connecting import Connecting
from .epoch import now
from .messages import GetVoice, Join, Leave, LinkPhase, No, Reconnect, VoiceReport
from .recovering import OUT
from .recovery import events as happens
from .voice import LinkState

if TYPE_CHECKING:
    from .voice import LinkStatus


class Connection(Connecting):
    """What is asked of a guild's connection."""

    @handles(Join)
    async def join(self, message: Join) -> VoiceReport:
        """Be in this channel from now on. A cooldown is kept: only an administrator's reconnect ends it."""
        self._text_channel_id = message.text_channel_id or self._text_channel_id
        if self._phase is LinkPhase.RESTING:
            await self._aim(message.channel_id)
        elif self._phase in OUT or self._target != message.channel_id:
            await self._end_attempt()
            await self._aim(message.channel_id)
            await self._advance(happens.Asked(now()))
        elif not self._saved:  # perhaps the disk takes it by now
            await self._keep()
        return self._view()

    @handles(Leave)
    async def leave(self, _message: Leave) -> VoiceReport:
        """Be away from now on."""
        if self._phase is LinkPhase.AWAY:
            raise No("The bot is in no voice channel.")
        await self._go_away()
        return self._view()

    @handles(Reconnect)
    async def reconnect(self, message: Reconnect) -> VoiceReport:
        """Leave, and connect anew, whatever cooldown runs."""
        target = self._choose(message.fallback_id)
        if target is None:
            raise No("There is no voice channel to connect to: join one first.")
        self._text_channel_id = message.text_channel_id or self._text_channel_id
        self._attempt += 1
        self._pending = True  # what the present link says of its end is no news
        await self._links.disconnect(self._guild_id)
        self._override = True
        await self._aim(target)
        await self._advance(happens.Asked(now()))
        return self._view()

    @handles(GetVoice)
    async def get_voice(self, _message: GetVoice) -> VoiceReport:
        """The present state."""
        return self._view()

    async def _end_attempt(self) -> None:
        """A link still being made for another channel would hold up its successor; a good one is moved."""
        link = self._links.link(self._guild_id)
        if self._pending and link is not None and link.state is not LinkState.READY:
            await self._links.disconnect(self._guild_id)

    def _choose(self, fallback_id: int | None) -> int | None:
        """The session's own channel, then where the bot is, then where the asking user is."""
        choices = (self._target or self._home, self._port.bot_channel(self._guild_id), fallback_id)
        there = (one for one in choices if one is not None and self._may_exist(one))
        return next(there, None)

    def _may_exist(self, channel_id: int) -> bool:
        known = self._port.present(self._guild_id)
        return not known or self._port.voice_channel(self._guild_id, channel_id) is not None

    def _view(self) -> VoiceReport:
        return VoiceReport(
            phase=self._phase,
            channel_id=self._target,
            link=self._link_status(),
            close_code=self._code,
            attempt=self._attempt,
            problem=self._problem,
            next_at=self._recovery.next_at,
            incident=self._recovery.incident,
            past=self._timeline.incidents,
            health=self._health,
            override=self._override,
            saved=self._saved,
        )

    def _link_status(self) -> LinkStatus | None:
        link = self._links.link(self._guild_id) if self._phase is not LinkPhase.AWAY else None
        return None if link is None else link.status()
