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


def _nobody() -> None:
    """For a condition whose effects nobody counts."""


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
    guilds: frozenset[int] | None = None
    on_hit: Callable[[], None] = _nobody
    _used: dict[int, int] = field(default_factory=dict)

    def take(self, opening: Opening, guild_id: int) -> int | None:
        """The close code for this opening, None if it may go through."""
        used = self._used.get(guild_id, 0)
        out_of_scope = self.guilds is not None and guild_id not in self.guilds
        if opening is not self.opening or out_of_scope or used >= len(self.codes):
            return None
        self._used[guild_id] = used + 1
        self.on_hit()
        return self.codes[used]


@dataclass(slots=True, eq=False)
class VoiceConditions:
    """All conditions of one voice server, each added and removed by the fault that it belongs to.

    ``mute_connections`` are the scopes (None: every guild) whose new websockets answer nothing.
    """

    network: Network = field(default_factory=Network)
    refusals: list[Refusal] = field(default_factory=list)
    mute_connections: list[frozenset[int] | None] = field(default_factory=list)

    def refused(self, opening: Opening, guild_id: int) -> int | None:
        """The close code that the oldest refusal in force has for this opening, None without one."""
        codes = (refusal.take(opening, guild_id) for refusal in self.refusals)
        return next((code for code in codes if code is not None), None)

    def silent(self, guild_id: int | None) -> bool:
        """Whether a new websocket for that guild (None: not known yet) is not to be answered."""
        return any(scope is None or guild_id in scope for scope in self.mute_connections)
