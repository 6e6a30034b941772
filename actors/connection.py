"""The connection actor: the one owner of its guild's voice connection.

It knows where the bot is meant to be (the target, kept in persistence); the link itself recovers from what
passes. A restarted connection actor claims the link that plays on. Nothing here waits for Discord in a
handler: joining runs beside, and whoever asked looks again with GetVoice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
import structlog

from supervision import Actor, SupervisionError, handles

from . import voice
from .keeping import load, save, tell
from .messages import (
    AloneTimeout,
    GetVoice,
    Join,
    Joined,
    JoinFailed,
    Leave,
    LinkChanged,
    LinkPhase,
    LinkState,
    No,
    Notice,
    Reconnect,
    ReportLink,
    Retry,
    VoiceReport,
    VoiceStates,
)
from .voice import VoiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from supervision import ExitReason, Ref

    from .discord_port import Port
    from .voice import Link, LinkEvent, Links

ALONE_S = 300.0
"""The bot leaves a channel where nobody listened for this long."""

RETRIES_S = (0.0, 2.0, 4.0, 8.0)
"""After the link itself has given up for a reason that may pass: when the actor tries again."""

JOIN_TIMEOUT_S = 15.0

FINAL_CODES = frozenset({4014, 4017, 4021, 4022})
"""Close codes after which the bot does not come back by itself: kicked, DAVE required, rate limited, call
ended.
"""

log = structlog.get_logger(__name__)


class Connection(Actor):
    """Joins, leaves and follows its link; tells the player whether frames can leave."""

    def __init__(self, guild_id: int, links: Links, port: Port) -> None:
        self._guild_id = guild_id
        self._links = links
        self._port = port
        self._link: Link | None = None
        self._target: int | None = None
        self._text_channel_id: int | None = None
        self._phase = LinkPhase.AWAY
        self._attempt = 0
        self._pending = False  # an attempt runs beside
        self._retries = 0
        self._retrying = False  # another attempt waits for its time
        self._code: int | None = None
        self._problem: str | None = None
        self._alone_timer = False

    async def on_start(self) -> None:
        """Claim the link of a predecessor; go on with the join that it was killed in."""
        state = await load(self.ctx, "connection") or {}
        self._target, self._text_channel_id = state.get("channel_id"), state.get("text_channel_id")
        self._listen = _events_to(self.ctx.lookup(self.ctx.path))
        self._link = self._links.claim(self._guild_id, on_event=self._listen)
        if self._link is not None:
            self._target = self._link.channel_id
            self._phase = _PHASES.get(self._link.state, LinkPhase.LOST)
            self._look_around()
        elif self.ctx.incarnation > 1 and self._target is not None:
            self._connect(self._target)
        self._report()

    async def on_stop(self, _reason: ExitReason) -> None:
        """The link plays on for the successor."""
        self._links.release(self._guild_id)

    # --- asked ----------------------------------------------------------------------------------------------

    @handles(Join)
    async def join(self, message: Join) -> VoiceReport:
        """Be in this channel from now on."""
        self._retries = 0
        self._text_channel_id = message.text_channel_id or self._text_channel_id
        if self._phase is not LinkPhase.AWAY and self._target == message.channel_id:
            return self._view()
        await self._aim(message.channel_id)
        self._connect(message.channel_id)
        return self._view()

    @handles(Leave)
    async def leave(self, _message: Leave) -> VoiceReport:
        """Be away from now on."""
        if self._phase is LinkPhase.AWAY and not self._retrying:
            raise No("The bot is in no voice channel.")
        await self._go_away()
        return self._view()

    @handles(Reconnect)
    async def reconnect(self, message: Reconnect) -> VoiceReport:
        """Leave, and connect anew to the same channel."""
        target = self._target or message.fallback_id
        if target is None:
            raise No("There is no voice channel to connect to: join one first.")
        self._retries = 0
        self._attempt += 1
        self._pending = True  # what the present link says of its end is no news
        await self._links.disconnect(self._guild_id)
        await self._aim(target)
        self._connect(target)
        return self._view()

    @handles(GetVoice)
    async def get_voice(self, _message: GetVoice) -> VoiceReport:
        """The present state."""
        return self._view()

    # --- told -----------------------------------------------------------------------------------------------

    @handles(Joined)
    async def joined(self, message: Joined) -> None:
        """Attempts other than the last one do not count; what nobody wants any more is left again."""
        if message.attempt != self._attempt:
            if self._target is None:
                await self._links.disconnect(self._guild_id)
            return
        self._pending = False
        self._problem = None
        if message.link.state is voice.LinkState.CLOSED:  # since then, and its event did not count
            await self._closed(message.link.close_code, message.link.close_reason or "closed")
        else:
            await self._arrived(message.link)

    async def _arrived(self, link: Link) -> None:
        self._link = link
        await self._aim(link.channel_id)
        self._enter(_PHASES.get(link.state, LinkPhase.LOST))
        self._look_around()

    @handles(JoinFailed)
    async def join_failed(self, message: JoinFailed) -> None:
        """The first attempt's asker says so; a retry goes on while it may help."""
        if message.attempt != self._attempt:
            return
        self._pending = False
        self._code, self._problem = message.code, message.reason
        log.warning("join_failed", guild_id=self._guild_id, close_code=message.code, reason=message.reason)
        living = self._links.claim(self._guild_id, on_event=self._listen)
        if living is not None:  # a move that failed: the bot is where it was
            await self._arrived(living)
            return
        self._link = None
        self._enter(LinkPhase.AWAY)
        if self._retries:
            await self._retry_or_tell(message.code, message.reason)
        else:
            await self._aim(None)

    @handles(LinkChanged)
    async def link_changed(self, message: LinkChanged) -> None:
        """What the link says of itself, unless an attempt or a leave is under way that ends otherwise."""
        if isinstance(message.event, voice.Unheard):
            self._notice(_UNHEARD[message.event.hand_raised])
            return
        if self._pending or self._phase is LinkPhase.AWAY:
            return
        match message.event:
            case voice.Ready():
                self._enter(LinkPhase.READY)
            case voice.Lost(code=code, reason=reason, resumable=resumable):
                self._code, self._problem = code, reason
                self._enter(LinkPhase.LOST, frames_leave=resumable)
            case voice.Moved(channel_id=channel_id):
                await self._aim(channel_id)
                self._look_around()
            case voice.Closed(code=code, reason=reason):
                await self._closed(code, reason)

    @handles(VoiceStates)
    async def voice_states(self, _message: VoiceStates) -> None:
        """Somebody came or went."""
        self._look_around()

    @handles(AloneTimeout)
    async def alone_timeout(self, _message: AloneTimeout) -> None:
        """Nobody came back."""
        self._alone_timer = False
        if self._alone():
            await self._go_away()
            self._notice("Left the voice channel: nobody was there. The queue is kept.")

    @handles(Retry)
    async def retry(self, _message: Retry) -> None:
        """Another attempt, if the bot is still meant to be somewhere."""
        self._retrying = False
        if self._target is not None and self._phase is LinkPhase.AWAY:
            self._connect(self._target)

    @handles(ReportLink)
    async def report_link(self, _message: ReportLink) -> None:
        """The player has (re)started."""
        self._report()

    # --- joining --------------------------------------------------------------------------------------------

    def _connect(self, channel_id: int) -> None:
        """Begin an attempt; an earlier one that is still under way counts no more."""
        self._attempt += 1
        self._pending = True
        self._problem = self._code = None
        self._forget_retry()
        self._enter(LinkPhase.JOINING)
        self.ctx.start_soon(self._join, channel_id, self._attempt)

    async def _join(self, channel_id: int, attempt: int) -> None:
        channel = self._port.voice_channel(self._guild_id, channel_id)
        if channel is None:
            self.ctx.ref.tell(JoinFailed(attempt, None, "the voice channel does not exist any more"))
            return
        try:
            link = await self._links.connect(channel, on_event=self._listen, timeout_s=JOIN_TIMEOUT_S)
        except VoiceError as error:
            self.ctx.ref.tell(JoinFailed(attempt, error.code, error.reason))
        except (discord.DiscordException, OSError, TimeoutError) as error:
            self.ctx.ref.tell(JoinFailed(attempt, None, str(error) or type(error).__name__))
        else:
            self.ctx.ref.tell(Joined(attempt, link))

    async def _go_away(self) -> None:
        self._attempt += 1
        self._pending = False
        self._phase = LinkPhase.AWAY
        await self._aim(None)
        self._forget_retry()
        await self._links.disconnect(self._guild_id)
        self._link = None
        self._enter(LinkPhase.AWAY)
        self._look_around()

    def _forget_retry(self) -> None:
        self.ctx.cancel_timer("retry")
        self._retrying = False

    async def _closed(self, code: int | None, reason: str) -> None:
        """The link has ended by itself."""
        self._link = None
        self._code, self._problem = code, reason
        self._enter(LinkPhase.AWAY)
        await self._retry_or_tell(code, reason)

    async def _retry_or_tell(self, code: int | None, reason: str) -> None:
        if code in FINAL_CODES:
            await self._aim(None)
            self._notice(f"Disconnected from voice: {reason}. The queue is kept; use join or play to go on.")
        elif self._retries < len(RETRIES_S):
            self.ctx.start_timer("retry", RETRIES_S[self._retries], Retry())
            self._retries += 1
            self._retrying = True
        else:
            self._notice(f"The voice connection is lost: {reason}. The queue is kept; use join to try again.")

    async def _aim(self, channel_id: int | None) -> None:
        if self._target != channel_id:
            self._target = channel_id
            state = {"channel_id": channel_id, "text_channel_id": self._text_channel_id}
            await save(self.ctx, "connection", state)

    # --- the rest -------------------------------------------------------------------------------------------

    def _enter(self, phase: LinkPhase, *, frames_leave: bool | None = None) -> None:
        self._phase = phase
        if phase is LinkPhase.READY:
            self._retries = 0
        log.info(
            "voice_state",
            guild_id=self._guild_id,
            voice_channel_id=self._target,
            state=phase.name,
            close_code=self._code,
            attempt=self._attempt,
        )
        self._report(frames_leave=frames_leave)

    def _report(self, *, frames_leave: bool | None = None) -> None:
        ready = self._phase is LinkPhase.READY if frames_leave is None else frames_leave
        tell(self.ctx, "player", LinkState(ready, self._target))

    def _alone(self) -> bool:
        if self._phase is LinkPhase.AWAY or self._target is None:
            return False
        return self._port.listeners(self._guild_id, self._target) == 0

    def _look_around(self) -> None:
        """Nobody there: the time runs; it does not begin anew with every bot that comes and goes."""
        if not self._alone():
            self.ctx.cancel_timer("alone")
            self._alone_timer = False
        elif not self._alone_timer:
            self.ctx.start_timer("alone", ALONE_S, AloneTimeout())
            self._alone_timer = True

    def _notice(self, text: str) -> None:
        tell(self.ctx, "display", Notice(text, self._text_channel_id))

    def _view(self) -> VoiceReport:
        link = self._link if self._phase in (LinkPhase.READY, LinkPhase.LOST) else None
        return VoiceReport(
            phase=self._phase,
            channel_id=self._target,
            latency_ms=None if link is None else link.latency_ms,
            mode=None if link is None else link.mode,
            close_code=self._code,
            attempt=self._attempt,
            problem=self._problem,
        )


_UNHEARD = {
    True: "I am in the audience of the stage, unheard. I have raised my hand: a moderator can let me speak.",
    False: "I am in the audience of the stage, unheard: the permission “Mute Members” is missing there.",
}
_PHASES = {
    voice.LinkState.CONNECTING: LinkPhase.JOINING,
    voice.LinkState.READY: LinkPhase.READY,
    voice.LinkState.RECONNECTING: LinkPhase.LOST,
    voice.LinkState.CLOSED: LinkPhase.AWAY,
}


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
