"""The table of voice faults: how each is inflicted on one guild, and what it may cost its listener."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import anyio

from loopback.faults import Direction
from loopback.world.channels import VoiceChannel

if TYPE_CHECKING:
    from loopback import Guild, Loopback
    from loopback.faults import GuildFaults
    from loopback.faults.gateway import GatewayFaults
    from loopback.listening.since import GapReport

HOLE_S: Final = 5.0
"""Length of a passing black hole of UDP."""

LISTEN_S: Final = 10.5
"""How long the slowest fault takes to be noticed and over: a half-open websocket is found within 9 s."""

REPEATED: Final = 50
"""Frames that may be heard twice where nothing may be lost and it is not known what arrived: one second."""

ACTORS: Final = ("connection", "player", "preloader", "display", "persistence")
KILLS_APART_S: Final = 1.5
MEMBERS_APART_S: Final = 0.8

HANDSHAKE_MS: Final = 150
"""The part of a long gap that is work and not waiting: only that grows with a slower machine."""

QUIET_MS: Final = 25.0
"""The longest gap of a guild that suffers nothing, on a machine left in peace."""


@dataclass(frozen=True, slots=True)
class Victim:
    """A guild in which music plays, and what can be done to it; `kill` ends a part of the guild's tree."""

    discord: Loopback
    guild: Guild
    kill: Callable[[str], Awaitable[None]]

    @property
    def faults(self) -> GuildFaults:
        return self.discord.faults.of(self.guild)


Inflict: TypeAlias = Callable[[Victim], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True)
class Row:
    """One fault.

    `gap_ms` is the longest silence that it may cost, `repeated` and `lost` the most frames that may come
    twice or never. `contiguous`: RTP goes on as if nothing had happened. `ours`: only this bot has such a
    part. `listened`: somebody stays in the channel, listens end to end encrypted, and is the judge, whatever
    the conditions are.
    """

    name: str
    inflict: Inflict
    gap_ms: float
    repeated: int = REPEATED
    contiguous: bool = False
    ours: bool = False
    lost: int = 0
    listened: bool = False

    def broken(self, heard: GapReport, slowness: float = 1.0) -> list[str]:
        """What was worse than allowed, on a machine that is so many times slower than one left in peace."""
        limit_ms = self.gap_ms + min(self.gap_ms, HANDSHAKE_MS) * (slowness - 1)
        limits = {
            "gap": heard.longest_gap_ms > limit_ms,
            "silence at the end": heard.open_ms > limit_ms + 1000,
            "lost": heard.lost > self.lost,
            "repeated": heard.repeated > self.repeated,
            "out of order": heard.out_of_order > 0,
            "not contiguous": self.contiguous and not heard.contiguous,
            "nonce used again": heard.reused_nonces > 0,
            "undecryptable": heard.undecryptable > self.lost,
        }
        return [name for name, broken in limits.items() if broken]


def _close(code: int) -> Inflict:
    async def inflict(victim: Victim) -> None:
        victim.faults.voice.close(code)

    return inflict


async def _reset(victim: Victim) -> None:
    victim.faults.voice.reset()


async def _half_open(victim: Victim) -> None:
    victim.faults.voice.half_open()


def _move_server(code: int | None) -> Inflict:
    async def inflict(victim: Victim) -> None:
        victim.faults.place.move_server(code=code)

    return inflict


async def _move(victim: Victim) -> None:
    victim.faults.place.move(victim.guild.add_voice_channel("Another"))


async def _refuse(victim: Victim) -> None:
    victim.faults.voice.refuse_identifies((4006, 4006))
    victim.faults.voice.close(4006)


def _hole(direction: Direction) -> Inflict:
    async def inflict(victim: Victim) -> None:
        victim.faults.udp.hole(HOLE_S, direction=direction)

    return inflict


async def _hole_for_ever(victim: Victim) -> None:
    server = victim.discord.voice.server_of(victim.guild.id, victim.discord.bot.id)
    victim.faults.udp.hole(server=server)


async def _kill_actors(victim: Victim) -> None:
    for actor in ACTORS:
        await victim.kill(f"/{actor}")
        await anyio.sleep(KILLS_APART_S)


async def _kill_supervisor(victim: Victim) -> None:
    await victim.kill("")


async def _members(victim: Victim) -> None:
    """Two others come, go and are gone; each time the group has a new epoch. Who listens stays."""
    guild = victim.guild
    channel = guild.channels[guild.voice_states[victim.discord.bot.id].channel_id or 0]
    assert isinstance(channel, VoiceChannel)  # noqa: S101 - nobody is in voice elsewhere
    first, second = others = [victim.discord.add_user(name) for name in ("first", "second")]
    for other in others:
        guild.add_member(other)
    for other, comes in ((first, True), (second, True), (first, False), (first, True), (second, False)):
        await (other.join(channel) if comes else other.leave(guild))
        await anyio.sleep(MEMBERS_APART_S)
    await first.leave(guild)


async def _nothing(_victim: Victim) -> None:
    pass


def slowness(undisturbed: GapReport) -> float:
    """How many times slower than in peace the machine was, by a guild that suffered nothing; at least 1."""
    return max(1.0, undisturbed.longest_gap_ms / QUIET_MS)


UNDISTURBED: Final = Row("nothing", _nothing, 40, 0, contiguous=True)
"""Shows what the machine costs, and what should have been heard."""

GUILD_ROWS: Final = (
    Row("4006", _close(4006), 150),
    Row("4009", _close(4009), 150),
    Row("4015", _close(4015), 60, 0, contiguous=True),
    Row("1001", _close(1001), 60, 0, contiguous=True),
    Row("1006", _reset, 60, 0, contiguous=True),
    Row("half-open websocket", _half_open, 60, 0, contiguous=True),
    Row("4014 with a new server", _move_server(4014), 150),
    Row("4022 with a new server", _move_server(4022), 150),
    Row("server move", _move_server(None), 150),
    Row("moved to another channel", _move, 150),
    Row("4014 bare", _close(4014), 2500),
    Row("4006, two identifies refused", _refuse, 2000 * 1.3 + 900),
    Row("UDP hole 5 s, outbound", _hole(Direction.OUTBOUND), HOLE_S * 1000 + 500),
    Row("UDP hole 5 s, both ways", _hole(Direction.BOTH), HOLE_S * 1000 + 500),
    Row("UDP hole 5 s, inbound", _hole(Direction.INBOUND), HOLE_S * 1000, 175),
    Row("UDP hole for ever", _hole_for_ever, 6000),
    Row("any actor killed", _kill_actors, 40, 0, contiguous=True, ours=True),
    Row("guild supervisor killed", _kill_supervisor, 150, ours=True),
    Row("DAVE: members join and leave", _members, 60, 0, contiguous=True, lost=2, listened=True),
    UNDISTURBED,
)
"""Faults of one guild: they can be inflicted on as many guilds side by side."""


def _gateway(inflict: Callable[[GatewayFaults], object]) -> Inflict:
    async def at_once(victim: Victim) -> None:
        inflict(victim.discord.faults.gateway)

    return at_once


GATEWAY_ROWS: Final = (
    Row("main gateway closed", _gateway(lambda gateway: gateway.close(4000)), 60, 0, contiguous=True),
    Row("main gateway reset", _gateway(lambda gateway: gateway.reset()), 60, 0, contiguous=True),
    Row("op 7", _gateway(lambda gateway: gateway.reconnect()), 60, 0, contiguous=True),
    Row("op 9", _gateway(lambda gateway: gateway.invalidate(resumable=False)), 60, 0, contiguous=True),
)
"""Faults of the main gateway: they meet every guild of a bot, so each has a time to itself."""
