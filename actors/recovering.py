"""The part of the connection actor that recovers: it carries out what the state machine of `recovery` wants.

Nothing waits for Discord in a handler: joining runs beside.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, ClassVar, Final

import discord
import structlog

from supervision import handles

from .correlation import Follower
from .epoch import now
from .keeping import save, tell
from .messages import (
    Joined,
    JoinFailed,
    LinkPhase,
    LinkState,
    Notice,
    PatienceOver,
    RestOver,
    TroubleNews,
)
from .recovery import (
    POLICY,
    Health,
    Incident,
    RecoveryPolicy,
    Step,
    effects as does,
    events as happens,
    from_plain,
    step,
    to_plain,
)
from .recovery.effects import Timer
from .voice import Fault, VoiceError, cause_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .discord_port import Port
    from .recovery import Watch
    from .voice import Link, LinkEvent, Links

JOIN_TIMEOUT_S = 15.0
"""For a connection that somebody waits for."""

SERIES_TIMEOUT_S = 600.0
"""For a whole series of attempts, which the link itself bounds; this is for what nobody thought of."""

BOOT: Final = secrets.token_hex(8)
"""This process: what another one has left behind is come back to with more care."""

UNTOLD = frozenset({Fault.LEFT, Fault.STOPPED})
"""Ends that nobody need be told of."""

OUT: Final = (LinkPhase.AWAY, LinkPhase.RETURNING)
"""The bot is in no channel, and not on the way to one."""

log = structlog.get_logger(__name__)


class Recovering(Follower):
    """Makes the guild's link; tells the player whether frames can leave, and the display what has happened.

    `_target` is the channel where the bot is meant to be, None for nowhere; `_home` the last one of these,
    which an administrator's reconnect goes back to.
    """

    policy: ClassVar[RecoveryPolicy] = POLICY

    def __init__(self, guild_id: int, links: Links, port: Port, watch: Watch) -> None:
        self._guild_id = guild_id
        self._links = links
        self._port = port
        self._watch = watch
        self._listen: Callable[[LinkEvent], None] = _ignore
        self._link: Link | None = None
        self._target: int | None = None
        self._home: int | None = None
        self._text_channel_id: int | None = None
        self._phase = LinkPhase.AWAY
        self._attempt = 0
        self._pending = False  # an attempt runs beside
        self._code: int | None = None
        self._problem: str | None = None
        self._override = False  # an administrator wants it back, whatever cooldown runs
        self._health = Health()
        self._unread = False  # the disk has not said so far what was saved
        self._tries = 0  # to read it, in vain
        self._saved = True  # the latest state is on disk
        self._recovery, self._timeline = from_plain(None)

    # --- what the state machine wants -----------------------------------------------------------------------

    async def _advance(self, event: happens.Event) -> None:
        """Let the state machine take a step, and do what it wants."""
        before = self._recovery
        self._recovery, effects = step(before, event, self.policy)
        if isinstance(event, happens.Back):
            self._override = False
            self._health = self._health.well(now())
        for effect in effects:
            await self._carry_out(effect)
        if self._recovery.resting and self._phase is not LinkPhase.RESTING:
            self._enter(LinkPhase.RESTING)
        self._watch.stepped(Step(self._guild_id, before, event, self._recovery, effects))
        if self._recovery != before and not isinstance(event, happens.Pausing):
            await self._keep()

    async def _carry_out(self, effect: does.Effect) -> None:
        match effect:
            case does.Start(timer, delay_s):
                message = PatienceOver() if timer is Timer.PATIENCE else RestOver()
                self.ctx.start_timer(timer, delay_s, message)
            case does.Cancel():
                self._cancel_timers()
            case does.Connect() if self._target is not None:
                self._connect(self._target)
            case does.Forget():
                await self._aim(None)
                self._enter(LinkPhase.AWAY)
                self.ctx.start_soon(self._links.vacate, self._guild_id)
            case does.Tell(incident, cause, next_at) if cause.key not in UNTOLD:
                tell(self.ctx, "display", TroubleNews(incident, cause, next_at, self._text_channel_id))
            case does.Record(incident):
                self._timeline = self._timeline.recorded(incident)
                log.info("voice_incident", **self._who() | _figures(incident))
            case does.Alarm(cause, count):
                words = f"{count} undocumented voice close codes in a row, the latest is {cause.label}"
                self._watch.alert("unknown_close_codes", self._guild_id, words)

    def _cancel_timers(self) -> None:
        for key in (Timer.PATIENCE, Timer.REST, "verdict"):
            self.ctx.cancel_timer(key)

    @handles(PatienceOver)
    async def patience_over(self, _message: PatienceOver) -> None:
        """It lasts."""
        await self._advance(happens.Patience(now()))

    @handles(RestOver)
    async def rest_over(self, _message: RestOver) -> None:
        """Time for another series of attempts."""
        await self._advance(happens.Rested(now()))

    # --- joining --------------------------------------------------------------------------------------------

    def _connect(self, channel_id: int) -> None:
        """Begin an attempt; an earlier one that is still under way counts no more."""
        self._attempt += 1
        self._pending = True
        self._health = self._health.tried(now())
        self._enter(LinkPhase.JOINING)
        self.ctx.start_soon(self._join, channel_id, self._attempt)

    async def _join(self, channel_id: int, attempt: int) -> None:
        channel = self._port.voice_channel(self._guild_id, channel_id)
        if channel is None:
            self.ctx.ref.tell(self._no_channel(attempt))
            return
        asked = self._recovery.incident is None
        timeout_s = JOIN_TIMEOUT_S if asked else SERIES_TIMEOUT_S
        try:
            link = await self._links.connect(
                channel, on_event=self._listen, timeout_s=timeout_s, urgent=asked
            )
        except VoiceError as error:
            self.ctx.ref.tell(JoinFailed(attempt, error.code, error.reason, error.fault))
        except (discord.DiscordException, OSError, TimeoutError) as error:
            words = str(error) or type(error).__name__
            self.ctx.ref.tell(JoinFailed(attempt, None, words, Fault.UNREACHABLE))
        else:
            self.ctx.ref.tell(Joined(attempt, link))

    def _no_channel(self, attempt: int) -> JoinFailed:
        """It is gone, or nothing can be known of it now."""
        known = self._port.present(self._guild_id)
        fault = Fault.CHANNEL_DELETED if known else Fault.GATEWAY_AWAY
        return JoinFailed(attempt, None, cause_of(None, fault).name, fault)

    # --- keeping and telling -------------------------------------------------------------------------------

    async def _aim(self, channel_id: int | None) -> None:
        if self._target != channel_id:
            self._target = channel_id
            self._home = channel_id or self._home
            await self._keep()

    async def _keep(self) -> None:
        """Without a channel the bot does not come back by itself, not even after a restart."""
        self._feel()
        state = {
            "boot": BOOT,
            "channel_id": self._target,
            "home_id": self._home,
            "text_channel_id": self._text_channel_id,
            "override": self._override,
            "health": self._health.to_dict(),
            "recovery": to_plain(self._recovery, self._timeline),
        }
        self._saved = await save(self.ctx, "connection", state, unread=self._unread)

    def _feel(self) -> None:
        """What the link knows of its heart."""
        link = self._links.link(self._guild_id) if self._phase is LinkPhase.READY else None
        status = None if link is None else link.status()
        if status is not None and status.heartbeat_age_s is not None:
            self._health = self._health.beaten(now() - status.heartbeat_age_s, status.latency_ms)

    def _fail(self, code: int | None, reason: str) -> None:
        self._code, self._problem = code, reason
        self._health = self._health.failed(now(), code, reason)

    def _enter(self, phase: LinkPhase, *, frames_leave: bool | None = None) -> None:
        self._phase = phase
        log.info("voice_state", **self._who())
        self._report(frames_leave=frames_leave)

    def _report(self, *, frames_leave: bool | None = None) -> None:
        ready = self._phase is LinkPhase.READY if frames_leave is None else frames_leave
        self._watch.means(self._guild_id, there=self._phase not in OUT)
        tell(self.ctx, "player", LinkState(ready, self._target))

    def _who(self) -> dict[str, object]:
        """The fields of every log line about the connection; `incident` joins those of one incident.

        `attempt` counts the joins that this actor has begun; those of the link itself are `failed_attempts`.
        """
        incident = self._recovery.incident
        return {
            "guild_id": self._guild_id,
            "voice_channel_id": self._target,
            "state": self._phase.name,
            "close_code": self._code,
            "attempt": self._attempt,
            "latency_ms": None if self._link is None else self._link.latency_ms,
            "incident": None if incident is None else incident.id,
            "failed_attempts": 0 if incident is None else incident.attempts,
        }

    def _notice(self, text: str) -> None:
        tell(self.ctx, "display", Notice(text, self._text_channel_id))


def _figures(incident: Incident) -> dict[str, object]:
    """What an incident was, in one log line."""
    return {
        "incident": incident.id,
        "outcome": incident.outcome.name,
        "silent_s": round(incident.silent_s, 3),
        "lasted_s": round((incident.ended_at or incident.at) - incident.at, 3),
        "failed_attempts": incident.attempts,
        "causes": [closure.label for closure in incident.closures],
    }


def _ignore(_event: LinkEvent) -> None:
    """Before the actor has started, nobody listens."""
