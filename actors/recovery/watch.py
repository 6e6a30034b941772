"""What concerns all guilds: whether Discord as a whole has trouble, and what whoever runs the bot must know.

One per process. While many guilds fail at once, or the main gateway is slow or away, every pause between
attempts is stretched: a service that is down is not helped by a crowd at its door.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from actors.recovery.effects import Effect
    from actors.recovery.events import Event
    from actors.recovery.machine import Recovery

LOOK_EVERY_S: Final = 1.0
"""The figures are looked at again after this; many guilds ask at once."""

FEW: Final = 5
"""So few guilds in trouble are their own trouble, not Discord's."""

SLOW_S: Final = ((3.0, 2.0), (1.0, 1.5))
"""Round trip of the main gateway's heartbeat (s), and the factor from there on."""

SHARES: Final = ((0.5, 3.0), (0.2, 2.0))
"""Share of guilds that fail at once, or whose voice heartbeats are overdue; and the factor from there on."""

AWAY: Final = 2.0
"""The factor while the main gateway is not connected."""

STRETCHES: Final = (AWAY, *(factor for _, factor in (*SLOW_S, *SHARES)))
"""All factors that there are."""

OVERDUE_S: Final = 1.5
"""A voice heartbeat that is not acknowledged after this counts as missed: half of what ends a websocket."""

log = structlog.get_logger(__name__)


class Gateway(Protocol):
    """What is asked of the main gateway's client."""

    @property
    def gateway_away(self) -> bool:
        """It is not connected."""
        ...

    @property
    def latency(self) -> float:
        """Round trip of its heartbeat in s; not a number before the first."""
        ...


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that whoever runs the bot should look at, and in which guild."""

    name: str
    guild_id: int
    words: str


@dataclass(frozen=True, slots=True)
class Step:
    """What the recovery of a guild was, what happened, what it is now, and the effects that are wanted."""

    guild_id: int
    before: Recovery
    event: Event
    after: Recovery
    wanted: tuple[Effect, ...]


class Watch:
    """
    :ivar meant: guilds where the bot is, or tries to be, in a voice channel; as their connections have said
        last, which may be down now
    :ivar on_step: is told of each step of a guild's recovery
    :ivar on_alert: is told what whoever runs the bot should look at
    """

    def __init__(
        self,
        gateway: Callable[[], Gateway | None],
        unanswered_s: Callable[[], Iterable[float | None]],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        :param gateway: the client that is connected now
        :param unanswered_s: of every voice link, how long its latest heartbeat has not been acknowledged
        """
        self._gateway = gateway
        self._unanswered = unanswered_s
        self._now = now
        self._failing: dict[int, int] = {}
        self.meant: set[int] = set()
        self._looked_at = float("-inf")
        self._factor = 1.0
        self.on_step: Callable[[Step], None] = _ignore
        self.on_alert: Callable[[Alert], None] = _ignore

    def stepped(self, step: Step) -> None:
        """The recovery of a guild has taken a step."""
        if step.after.incident is None:
            self.settled(step.guild_id)
        else:
            self._failing[step.guild_id] = step.after.incident.attempts
        self.on_step(step)

    def settled(self, guild_id: int) -> None:
        """The voice connection of a guild is back, or given up."""
        self._failing.pop(guild_id, None)

    def means(self, guild_id: int, *, there: bool) -> None:
        """The bot is meant to be in voice there from now on, or not any more."""
        (self.meant.add if there else self.meant.discard)(guild_id)

    @property
    def attempts(self) -> Mapping[int, int]:
        """Attempts that failed so far, of each guild whose voice connection is being recovered."""
        return self._failing

    @property
    def guilds(self) -> frozenset[int]:
        """Those whose voice connection is being recovered."""
        return frozenset(self._failing)

    def alert(self, name: str, guild_id: int, words: str) -> None:
        """Something that whoever runs the bot should look at has happened in a guild."""
        log.error("voice_alert", alert=name, guild_id=guild_id, problem=words)
        self.on_alert(Alert(name, guild_id, words))

    def stretch(self) -> float:
        """The factor on every pause: 1 while all is well, at most 3."""
        now = self._now()
        if now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            before, self._factor = self._factor, self._look()
            if self._factor != before:
                log.warning("voice_backoff_stretched", factor=self._factor, guilds_failing=len(self._failing))
        return self._factor

    def _look(self) -> float:
        waits = list(self._unanswered())
        overdue = sum(1 for wait_s in waits if wait_s is not None and wait_s >= OVERDUE_S)
        guilds = max(len(waits), len(self._failing))
        return max(
            self._gateway_factor(), _share_factor(len(self._failing), guilds), _share_factor(overdue, guilds)
        )

    def _gateway_factor(self) -> float:
        gateway = self._gateway()
        if gateway is None or gateway.gateway_away:
            return AWAY
        latency_s = gateway.latency  # comparisons with "not a number" are false
        return next((factor for least, factor in SLOW_S if latency_s >= least), 1.0)


def _share_factor(guilds: int, of: int) -> float:
    if guilds < FEW:
        return 1.0
    return next((factor for least, factor in SHARES if guilds >= least * of), 1.0)


def _ignore(*_what: object) -> None:
    """Nobody listens."""
