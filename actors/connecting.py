"""The part of the connection actor that follows the link: its predecessor's, and its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from supervision import SupervisionError, handles

from . import voice
from .correlation import forget
from .epoch import now
from .keeping import load_again_s, load_whole
from .messages import (
    GatewayBack,
    Joined,
    JoinFailed,
    LinkChanged,
    LinkPhase,
    LoadAgain,
    ReportLink,
    RestOver,
    Tick,
    Verdict,
)
from .pace import about
from .recovering import BOOT
from .recovery import Health, Recovery, State, events as happens, from_plain
from .recovery.effects import Timer
from .returning import Returning, new_id
from .voice import Fault, cause_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from supervision import ExitReason, Ref

    from .messages import Loaded
    from .voice import Cause, Link, LinkEvent

HEALTH_S = 300.0
"""How often the health of a connection is kept that nothing happens to. Each time is a write to the disk."""

VERDICT_S = 0.5
"""A kick and a deleted channel look alike until the main gateway has said all."""

_PHASES = {
    voice.LinkState.CONNECTING: LinkPhase.JOINING,
    voice.LinkState.READY: LinkPhase.READY,
    voice.LinkState.RECONNECTING: LinkPhase.LOST,
    voice.LinkState.CLOSED: LinkPhase.AWAY,
}
_UNHEARD = {
    True: "I am in the audience of the stage, unheard. I have raised my hand: a moderator can let me speak.",
    False: "I am in the audience of the stage, unheard: the permission “Mute Members” is missing there.",
}
log = structlog.get_logger(__name__)


class Connecting(Returning):
    """Follows what the link says of itself."""

    async def on_start(self) -> None:
        """Claim the link of a predecessor; go on with the join, or the pause, that it was killed in. What
        another process has left behind is come back to.
        """
        loaded = await load_whole(self.ctx, "connection")
        state, stored = _latest(loaded), self._known(loaded)
        before = self._recall(state)
        if stored is not state:
            self._recall(stored)
        self._listen = _events_to(self.ctx.lookup(self.ctx.path))
        self._link = self._links.claim(self._guild_id, on_event=self._listen)
        if self._link is not None:
            self._target = self._home = self._link.channel_id
            await self._adopt(self._link, before)
        elif state.get("channel_id") is not None:
            await self._resume(state, before)
        self._report()
        if loaded.meanwhile is not None:
            await self._keep()
        self.ctx.start_timer("health", about(HEALTH_S), Tick())

    @handles(LoadAgain)
    async def load_again(self, _message: LoadAgain) -> None:
        """What was saved is not forgotten because the disk failed at the start. A channel that somebody has
        asked for since is the later wish.
        """
        loaded, asked = await load_whole(self.ctx, "connection"), self._home is not None
        state = self._known(loaded)
        if self._unread:
            return
        log.info("loaded_late", guild_id=self._guild_id, tries=self._tries)
        before = self._recall(state)
        if not asked and state.get("channel_id") is not None:
            await self._resume(state, before)
        self._report()
        await self._keep()

    def _known(self, loaded: Loaded) -> Mapping[str, Any]:
        """What the disk says; while it says nothing it is asked again."""
        self._unread = loaded.unread
        if not loaded.unread:
            return loaded.state or {}
        self._tries += 1
        self.ctx.start_timer("load", load_again_s(self._tries), LoadAgain(correlation=None))
        return {}

    def _recall(self, state: Mapping[str, Any]) -> Recovery:
        """What is known already is newer. Returns where the recovery stood."""
        if self._home is None:
            self._override = bool(state.get("override"))
        self._home = self._home or state.get("home_id")
        self._text_channel_id = self._text_channel_id or state.get("text_channel_id")
        if self._health == Health():
            self._health = Health.from_dict(state.get("health") or {})
        before, timeline = from_plain(state.get("recovery"))
        self._timeline = self._timeline.after(timeline)
        return before

    async def _resume(self, state: Mapping[str, Any], before: Recovery) -> None:
        self._target = state["channel_id"]
        await (self._go_on(before) if state.get("boot") == BOOT else self._come_back(before))

    @handles(Tick)
    async def keep_health(self, _message: Tick) -> None:
        """How the connection does is kept now and then."""
        self.ctx.start_timer("health", about(HEALTH_S), Tick())
        if self._phase is LinkPhase.READY:
            await self._keep()

    async def on_stop(self, _reason: ExitReason) -> None:
        """The link plays on for the successor."""
        self._watch.settled(self._guild_id)
        self._links.release(self._guild_id)

    # --- the successor of a killed connection ---------------------------------------------------------------

    async def _adopt(self, link: Link, before: Recovery) -> None:
        """The link lives, whatever it is doing."""
        self._phase = _PHASES.get(link.state, LinkPhase.LOST)
        idle = before.state is State.IDLE
        self._recovery = Recovery(State.STABLE, now()) if idle else before
        if link.state is voice.LinkState.READY:
            await self._advance(happens.Back(now()))
        elif before.state is not State.RETRYING:
            await self._broken(cause_of(link.close_code, link.fault), frames_leave=False)
        self._set_patience()
        self._look_around()

    async def _go_on(self, before: Recovery) -> None:
        """There is no link: what was wanted is still wanted."""
        self._recovery = before
        if before.resting and before.next_at is not None:
            self._phase = LinkPhase.RESTING
            self.ctx.start_timer(Timer.REST, self._rest_left_s(before.next_at), RestOver())
        elif (end := self._links.end_of(self._guild_id)) is not None:
            await self._closed(end.code, end.reason, end.fault)
        elif before.state is State.RETRYING and self._target is not None:
            self._set_patience()
            self._connect(self._target)
        else:  # the link has died together with the predecessor
            await self._advance(happens.Over(now(), cause_of(None, Fault.INTERNAL), new_id()))

    # --- what the link says ---------------------------------------------------------------------------------

    @handles(Joined)
    async def joined(self, message: Joined) -> None:
        """Attempts other than the last one do not count; what nobody wants any more is left again."""
        if message.attempt != self._attempt:
            if self._target is None:
                await self._links.disconnect(self._guild_id)
            return
        self._pending = False
        self._problem = None
        link = message.link
        if link.state is voice.LinkState.CLOSED:  # since then, and its event did not count
            await self._advance(happens.Back(now()))  # it was there
            await self._closed(link.close_code, link.close_reason or "closed", link.fault)
        else:
            await self._arrived(link)

    @handles(JoinFailed)
    async def join_failed(self, message: JoinFailed) -> None:
        """An attempt failed for good; the link that it was to replace may still be there."""
        if message.attempt != self._attempt:
            return
        self._pending = False
        self._fail(message.code, message.reason)
        log.warning("join_failed", **self._who(), reason=message.reason)
        living = self._links.claim(self._guild_id, on_event=self._listen)
        if living is not None:  # a move that failed: the bot is where it was
            await self._arrived(living)
        else:
            await self._over(message.code, message.fault)

    @handles(LinkChanged)
    async def link_changed(self, message: LinkChanged) -> None:
        """What the link says of itself; while an attempt or a leave is under way, that ends otherwise."""
        if self._phase is not LinkPhase.JOINING:
            forget()  # the link lives on in the task of the command that wanted it
        counts = not self._pending and self._phase is not LinkPhase.AWAY
        match message.event:
            case voice.Unheard(hand_raised=raised):
                self._notice(_UNHEARD[raised])
            case voice.Failed(code=code, reason=reason, fault=fault):
                self._fail(code, reason)
                await self._advance(happens.Failed(now(), cause_of(code, fault)))
                log.info("voice_attempt_failed", **self._who(), reason=reason)
            case voice.Waiting(delay_s=delay_s):
                log.info("voice_pause", **self._who(), delay_s=round(delay_s, 3))
                await self._advance(happens.Pausing(now(), delay_s))
            case voice.Ready() if counts:
                self._enter(LinkPhase.READY)
                await self._advance(happens.Back(now()))
            case voice.Lost(code=code, reason=reason, resumable=resumable, fault=fault) if counts:
                self._fail(code, reason)
                await self._broken(cause_of(code, fault), frames_leave=resumable)
                self._enter(LinkPhase.LOST, frames_leave=resumable)
            case voice.Moved(channel_id=channel_id) if counts:
                await self._aim(channel_id)
                log.info("voice_moved", **self._who())
                self._look_around()
            case voice.Closed(code=code, reason=reason, fault=fault) if counts:
                await self._closed(code, reason, fault)

    @handles(Verdict)
    async def verdict(self, message: Verdict) -> None:
        """The bot was put out of its channel: by whom?"""
        gone = self._home is not None and self._port.voice_channel(self._guild_id, self._home) is None
        deleted = gone and self._port.present(self._guild_id)
        await self._over(message.code, Fault.CHANNEL_DELETED if deleted else Fault.KICKED)

    @handles(GatewayBack)
    async def gateway_back(self, _message: GatewayBack) -> None:
        """A pause that was only for want of the main gateway is over."""
        cause, link = self._recovery.cause, self._links.link(self._guild_id)
        if cause is None or cause.key is not Fault.GATEWAY_AWAY:
            return
        if self._recovery.resting:
            self.ctx.cancel_timer(Timer.REST)
            await self._advance(happens.Rested(now()))
        elif link is not None:
            link.retry()

    @handles(ReportLink)
    async def report_link(self, _message: ReportLink) -> None:
        """The player has (re)started."""
        self._report()

    async def _arrived(self, link: Link) -> None:
        self._link = link
        self._enter(_PHASES.get(link.state, LinkPhase.LOST))
        await self._aim(link.channel_id)
        await self._advance(happens.Back(now()))
        if link.state is not voice.LinkState.READY:  # it was, a moment ago
            await self._broken(cause_of(link.close_code, link.fault), frames_leave=False)
        self._look_around()

    async def _closed(self, code: int | None, reason: str, fault: Fault | None) -> None:
        """The link has ended by itself."""
        self._link = None
        self._fail(code, reason)
        if fault is Fault.KICKED:
            self._enter(LinkPhase.AWAY)
            await self._aim(None)  # whatever becomes of this actor: it does not come back by itself
            self.ctx.start_timer("verdict", VERDICT_S, Verdict(code, reason))
        else:
            await self._over(code, fault)

    async def _over(self, code: int | None, fault: Fault | None) -> None:
        self._link = None
        waited_for = self._target is not None and self._listeners(self._target) != 0
        cause, stretch = cause_of(code, fault), self._watch.stretch()
        await self._advance(happens.Over(now(), cause, new_id(), waited_for, stretch))

    async def _broken(self, cause: Cause, *, frames_leave: bool) -> None:
        await self._advance(happens.Broken(now(), cause, frames_leave, new_id()))


def _latest(loaded: Loaded) -> Mapping[str, Any]:
    """What a predecessor did while the disk did not answer counts, if it was told to be anywhere."""
    meanwhile = loaded.meanwhile
    return meanwhile if meanwhile is not None and meanwhile["home_id"] is not None else loaded.state or {}


def _events_to(connection: Ref) -> Callable[[LinkEvent], None]:
    """The link's events as messages; called in the link's task, so it only tells and never fails."""

    def on_event(event: LinkEvent) -> None:
        try:
            connection.tell(LinkChanged(event))
        except SupervisionError as error:
            log.warning(
                "link_event_lost", path=connection.path, link_event=type(event).__name__, error=str(error)
            )

    return on_event
