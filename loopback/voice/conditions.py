"""What is wrong with the voice servers at the moment. Nothing, unless somebody has injected a fault.

The voice server asks here before it answers an IDENTIFY or RESUME and before a datagram passes; who sets the
conditions is :mod:`loopback.faults`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, Flag, auto
from typing import TYPE_CHECKING

from loopback.voice.network import Network

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


Guilds = frozenset[int] | None
"""Whom a condition is for; None = every guild."""


def _nobody() -> None:
    """For a condition whose effects nobody counts."""


def _concerns(guilds: Guilds, guild_id: int | None) -> bool:
    return guilds is None or guild_id in guilds


class Opening(Enum):
    """The two ways to begin on a voice websocket."""

    IDENTIFY = "identify"
    RESUME = "resume"


class Silence(Flag):
    """Which websockets answer nothing: those that are open when it begins, and those that come later."""

    EXISTING = auto()
    NEW = auto()


@dataclass(slots=True, eq=False)
class Refusal:
    """The next openings of each guild of the scope are closed with these codes, one after the other."""

    opening: Opening
    codes: Sequence[int]
    guilds: Guilds = None
    on_hit: Callable[[], None] = _nobody
    _used: dict[int, int] = field(default_factory=dict)

    def take(self, opening: Opening, guild_id: int) -> int | None:
        """The close code for this opening, None if it may go through."""
        used = self._used.get(guild_id, 0)
        meant = opening is self.opening and _concerns(self.guilds, guild_id)
        if not meant or used >= len(self.codes):
            return None
        self._used[guild_id] = used + 1
        self.on_hit()
        return self.codes[used]


@dataclass(slots=True, eq=False)
class VoiceConditions:
    """All conditions of one voice server, each added and removed by the fault that it belongs to.

    ``echo`` and ``rtcp_s`` are what the settings say without any fault: whether keep-alives come back, and
    the interval of the server's RTCP in s. ``mute_connections`` are the scopes (None: every guild) whose new
    websockets answer nothing, ``unacknowledged`` those whose heartbeats get no answer, ``mute_keep_alives``
    those whose keep-alives do not come back; ``rtcp`` has scopes with intervals of their own, of which the
    latest counts.
    """

    echo: bool = True
    rtcp_s: float | None = None
    network: Network = field(default_factory=Network)
    refusals: list[Refusal] = field(default_factory=list)
    mute_connections: list[Guilds] = field(default_factory=list)
    unacknowledged: list[Guilds] = field(default_factory=list)
    mute_keep_alives: list[Guilds] = field(default_factory=list)
    rtcp: list[tuple[Guilds, float | None]] = field(default_factory=list)

    def refused(self, opening: Opening, guild_id: int) -> int | None:
        """The close code that the oldest refusal in force has for this opening, None without one."""
        codes = (refusal.take(opening, guild_id) for refusal in self.refusals)
        return next((code for code in codes if code is not None), None)

    def silent(self, guild_id: int | None) -> bool:
        """Whether a new websocket for that guild (None: not known yet) is not to be answered."""
        return any(_concerns(guilds, guild_id) for guilds in self.mute_connections)

    def acknowledges(self, guild_id: int | None) -> bool:
        """Whether heartbeats of the guild (None: not known yet) are answered."""
        return not any(_concerns(guilds, guild_id) for guilds in self.unacknowledged)

    def echoes(self, guild_id: int) -> bool:
        """Whether keep-alives of the guild come back."""
        return self.echo and not any(_concerns(guilds, guild_id) for guilds in self.mute_keep_alives)

    def rtcp_interval_s(self, guild_id: int) -> float | None:
        """How often the guild's sessions get RTCP, s; None = never."""
        mine = [interval_s for guilds, interval_s in self.rtcp if _concerns(guilds, guild_id)]
        return mine[-1] if mine else self.rtcp_s
