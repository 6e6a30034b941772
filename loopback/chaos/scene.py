"""Who takes part in a run of chaos: Discord, the player, the music, and guilds with somebody who listens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from loopback.chaos.ledger import Ledger

if TYPE_CHECKING:
    from loopback import Guild, Loopback, ScriptedUser, TextChannel, VoiceChannel
    from loopback.chaos.bot import BotProcess
    from loopback.chaos.guest import Guest
    from loopback.chaos.hearing import Hearing
    from loopback.chaos.music import Music
    from loopback.faults import GuildFaults


class Mortal(Protocol):
    """A player's process."""

    life: int

    @property
    def pid(self) -> int: ...

    async def start(self) -> None: ...

    async def kill(self) -> None: ...


@dataclass(eq=False)
class Seat:
    """A guild, and who listens there. `guest` is None where nobody asks for anything."""

    discord: Loopback
    guild: Guild
    text: TextChannel
    voices: tuple[VoiceChannel, ...]
    user: ScriptedUser
    hearing: Hearing
    guest: Guest | None = None
    banned_ns: int | None = None
    """Since when the bot may not be in voice there; None: it may."""

    @property
    def faults(self) -> GuildFaults:
        """What can go wrong there."""
        return self.discord.faults.of(self.guild)


@dataclass(eq=False)
class Scene:
    """`bot` is the player where it is this project's."""

    discord: Loopback
    player: Mortal
    bot: BotProcess | None
    music: Music | None
    seats: list[Seat]
    ledger: Ledger = field(default_factory=Ledger)
