"""For whom a fault is: some guilds, or all of them, those that come later included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.faults.log import Fault, FaultKind, FaultLog
    from loopback.voice.server import VoiceServer
    from loopback.world.guild import Guild
    from loopback.world.world import World


@dataclass(frozen=True, slots=True)
class Scope:
    """`guilds` None = all. What happens at once happens to those who are in voice at that moment."""

    world: World
    log: FaultLog
    guilds: frozenset[int] | None = None

    @property
    def voice(self) -> VoiceServer:
        return self.world.voice

    @property
    def bot_id(self) -> int:
        return self.world.bot.id

    @property
    def in_voice(self) -> list[int]:
        """The guilds of the scope in which the bot is in voice, in the order of their making."""
        return [guild.id for guild in self.affected]

    @property
    def affected(self) -> list[Guild]:
        """The same, as guilds."""
        mine = [one for one in self.world.guilds.values() if self.guilds is None or one.id in self.guilds]
        return [guild for guild in mine if self.bot_id in guild.voice_states]

    def at_once(self, kind: FaultKind, detail: str = "") -> Fault:
        """Note a fault without a duration."""
        return self.log.at_once(kind, self.guilds, detail)

    def begin(self, kind: FaultKind, detail: str, *, undo: Callable[[], None]) -> Fault:
        """Note a fault that lasts."""
        return self.log.begin(kind, self.guilds, detail, undo=undo)
