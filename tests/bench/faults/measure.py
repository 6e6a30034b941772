"""One run of the table: a player, one set of conditions, every fault; what the listeners heard."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio

from loopback import Loopback, LoopbackSettings
from loopback.faults.rows import GATEWAY_ROWS, GUILD_ROWS, Row, Victim
from loopback.listening.places import by_number
from loopback.listening.since import GapReport, heard_since
from loopback.voice.protocol import VoiceSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from loopback import Guild, VoiceChannel
    from loopback.listening.listener import Listener
    from tests.bench.faults.players import Player

GATEWAY_LATENCY_MS: Final = 25.0
"""Discord's own is 20 to 30 ms, and clients behave otherwise without any."""
UDP_LATENCY_MS: Final = 5.0
"""One way. Without any, stock discord.py may miss the answer of IP discovery, for which it listens a moment
after it has asked, and then waits for ever: a fault that only a network without length has.
"""
RTCP_S: Final = 1.0
LEAD_S: Final = 0.5
"""Between the marks and the first fault: what is heard again after a fault has been heard since the mark."""
STAGGER_S: Final = 0.13
"""Between two faults: a handshake takes some tens of milliseconds, and is not to meet others."""
GATEWAY_LISTEN_S: Final = 12.0
"""A client may wait for 5 s after op 9; nothing of a main gateway takes longer to show."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the table is measured under: RTCP from the server, somebody who listens end to end (DAVE)."""

    rtcp: bool = False
    dave: bool = False

    def __str__(self) -> str:
        return f"RTCP {'on' if self.rtcp else 'off'}, DAVE {'on' if self.dave else 'off'}"


async def run(
    player: Player,
    conditions: Conditions,
    listen_s: float,
    wanted: Callable[[Row], bool] = lambda _row: True,
) -> dict[Row, GapReport]:
    """All wanted rows: those of single guilds side by side, those of the gateway one after the other."""
    heard: dict[Row, GapReport] = {}
    alone_s = min(listen_s, GATEWAY_LISTEN_S)
    for rows, for_s, apart_s in (
        (GUILD_ROWS, listen_s, STAGGER_S),
        (GATEWAY_ROWS, alone_s, alone_s + LEAD_S),
    ):
        chosen = [row for row in rows if wanted(row) and (player.ours or not row.ours)]
        if chosen:
            heard |= await _suffer(player, conditions, chosen, for_s, apart_s)
    return heard


async def _suffer(
    player: Player, conditions: Conditions, rows: Sequence[Row], listen_s: float, apart_s: float
) -> dict[Row, GapReport]:
    """A guild for each row. Faults begin `apart_s` after one another; each is listened to for `listen_s`."""
    heard: dict[Row, GapReport] = {}

    async def judge(row: Row, victim: Victim, ear: Listener, after_s: float) -> None:
        await anyio.sleep(after_s)
        mark = ear.mark()
        await anyio.sleep(LEAD_S)
        async with anyio.create_task_group() as fault:
            fault.start_soon(row.inflict, victim)
            await anyio.sleep(listen_s)
        heard[row] = heard_since(ear, mark, places=by_number)

    async with Loopback(_settings(player, conditions)) as discord:
        discord.faults.everywhere.udp.delay(UDP_LATENCY_MS)
        guilds = {row: discord.add_guild(row.name) for row in rows}
        channels = {guild: guild.add_voice_channel("Music") for guild in guilds.values()}
        ears = await _seat(discord, {guilds[row]: row for row in rows}, channels, conditions)
        with tempfile.TemporaryDirectory(prefix="ostinato-faults-") as folder:
            async with (
                player.playing(discord, channels, Path(folder)) as kill,
                anyio.create_task_group() as tasks,
            ):
                for index, (row, guild) in enumerate(guilds.items()):
                    victim = Victim(discord, guild, partial(kill, guild))
                    tasks.start_soon(judge, row, victim, ears[guild], index * apart_s)
    return heard


def _settings(player: Player, conditions: Conditions) -> LoopbackSettings:
    voice = VoiceSettings(rtcp_interval_s=RTCP_S if conditions.rtcp else None, versions=player.versions)
    return LoopbackSettings(
        gateway_latency_ms=GATEWAY_LATENCY_MS, numeric_voice_endpoint=player.numeric_endpoint, voice=voice
    )


async def _seat(
    discord: Loopback,
    rows: Mapping[Guild, Row],
    channels: Mapping[Guild, VoiceChannel],
    conditions: Conditions,
) -> dict[Guild, Listener]:
    """Whoever is to listen end to end encrypted takes a seat; the judge of each guild."""
    ears = {guild: guild.listener for guild in channels}
    listener = discord.add_user("listener")
    for guild, channel in channels.items():
        if conditions.dave or rows[guild].listened:
            guild.add_member(listener)
            await listener.join(channel)
        if rows[guild].listened:
            ears[guild] = discord.voice.ears(guild.id, listener.id)
    return ears
