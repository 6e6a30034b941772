"""The part of the connection actor that comes back after a restart of the whole process.

The channel is rejoined as soon as Discord says that somebody is there. While nobody is, the bot stays out,
and goes on when somebody joins that channel or asks for it. A cooldown that ran is waited out, unless an
administrator had overridden it; after a kick or a leave there is nothing to come back to.
"""

from __future__ import annotations

import secrets
from dataclasses import replace

import structlog

from supervision import handles

from .attending import Attending
from .epoch import now
from .messages import GuildThere, LinkPhase, PatienceOver, RestOver, VoiceStates
from .recovery import Recovery, State, events as happens
from .recovery.effects import Timer
from .voice import Fault, cause_of

log = structlog.get_logger(__name__)


class Returning(Attending):
    """`LinkPhase.RETURNING` is the time until there is a reason to connect."""

    async def _come_back(self, before: Recovery) -> None:
        """Begin to wait for Discord and for people.

        :param before: where the recovery stood when the process ended
        """
        self._recovery = before if before.incident is not None else replace(before, state=State.STABLE)
        self._enter(LinkPhase.RETURNING)
        await self._return_if_wanted()

    @handles(GuildThere)
    async def guild_there(self, _message: GuildThere) -> None:
        """Now it is known who is where."""
        await self._return_if_wanted()

    @handles(VoiceStates)
    async def voice_states(self, _message: VoiceStates) -> None:
        """Somebody came or went."""
        self._ask_after()
        self._look_around()
        await self._return_if_wanted()

    async def _return_if_wanted(self) -> None:
        target = self._target
        if self._phase is not LinkPhase.RETURNING or target is None:
            return
        if self._listeners(target) is None:
            return
        target = self._port.bot_channel(self._guild_id) or target  # it was moved, and that was not saved
        await self._aim(target)
        people = self._listeners(target)
        if self._port.voice_channel(self._guild_id, target) is None:
            await self._advance(happens.Over(now(), cause_of(None, Fault.CHANNEL_DELETED), new_id()))
        elif people:
            await self._return()

    async def _return(self) -> None:
        log.info("voice_return", **self._who(), resting=self._recovery.resting, override=self._override)
        if self._recovery.resting and self._recovery.next_at is not None and not self._override:
            self._enter(LinkPhase.RESTING)
            self.ctx.start_timer(Timer.REST, self._rest_left_s(self._recovery.next_at), RestOver())
        elif self._recovery.incident is not None and self._target is not None:
            self._set_patience()
            self._connect(self._target)
        else:
            await self._advance(happens.Over(now(), cause_of(None, Fault.RESTARTED), new_id()))

    def _set_patience(self) -> None:
        """Go on with the time after which an incident that lasts is told."""
        incident = self._recovery.incident
        if incident is not None and incident.silent_since is not None and not self._recovery.told:
            left_s = incident.silent_since + self.policy.tell_after_s - now()
            left_s = min(max(left_s, 0.0), self.policy.tell_after_s)
            self.ctx.start_timer(Timer.PATIENCE, left_s, PatienceOver())

    def _rest_left_s(self, next_at: float) -> float:
        """Of a cooldown that another process may have begun, whose clock may have been wrong: no more than
        the longest there is.
        """
        return min(max(next_at - now(), 0.0), self.policy.cooldowns_s[-1])


def new_id() -> str:
    """Of an incident: what its log lines have in common."""
    return secrets.token_hex(4)
