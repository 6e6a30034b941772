"""One run of the voice bench: a fresh embedded Discord, N guilds, one player, a window of measuring."""

from __future__ import annotations

import os
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio
import numpy as np

from loopback import Loopback, LoopbackSettings
from loopback.media_server import MediaServer
from loopback.voice.protocol import DavePolicy, VoiceSettings
from loopback.voice.server import VoiceServer
from tests.bench.voice.measure import Arrivals, arrivals
from tests.bench.voice.players import Files, Player, Stage
from tests.bench.voice.process import cpu_s, memory_mib, pin, threads
from tests.bench.voice.rows import Row
from tests.bench.voice.sink_process import SinkProcess, open_sink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from anyio.abc import Process

    from loopback.world.channels import Channel
    from loopback.world.user import ScriptedUser

GUILDS_PER_SHARD: Final = 40  # of 120 sends a minute songbird takes two to join: that is not what is measured
SHARD_SHIFT: Final = 22  # a guild is served by shard (id >> 22) % shards: so the guilds take turns
GATEWAY_LATENCY_MS: Final = 100.0  # stock discord.py hangs when Discord answers before it waits for that
VERSIONS: Final = frozenset({"4", "8"})  # songbird's engine still speaks 4
JOIN_S: Final = 480.0
SETTLE_S: Final = 4.0
IDLE_SETTLE_S: Final = 30.0
"""Joining is over, and each connection has sent two of its heartbeats."""

IDLE_WINDOW_S: Final = 4 * 13.25
"""Heartbeats may leave all at once, every 13.25 s where Discord asks for 13.75 at least, and keep-alives with
every second one: a window has to hold whole periods of that."""


@dataclass(frozen=True, slots=True)
class Run:
    """What is to be measured.

    :ivar name: of the call that it belongs to
    :ivar dave: with one more member in each channel, for whom every frame is encrypted end to end
    :ivar plays: else the connections are made and nothing is played
    """

    name: str
    player: Player
    streams: int
    dave: bool = False
    plays: bool = True


class NotUpError(Exception):
    """Not every stream came up in time; `heard` did."""

    def __init__(self, heard: int) -> None:
        super().__init__(f"{heard} came up")
        self.heard = heard


async def measure(run: Run, files: Files, folder: Path, log_to: Path, window_s: float) -> Row:
    """Measure one player with that many streams.

    :param log_to: what the player prints
    :raises NotUpError: if not all of them come up
    """
    async with on_stage(run, files, folder, log_to) as (process, stage, sink):
        return await _measure(run, process, stage, sink, window_s if run.plays else IDLE_WINDOW_S)


@asynccontextmanager
async def on_stage(
    run: Run, files: Files, folder: Path, log_to: Path
) -> AsyncIterator[tuple[Process, Stage, SinkProcess]]:
    """The player has started, and plays nothing yet; it is stopped with the block."""
    pin(os.getpid(), others=True)
    async with open_sink() as sink:
        voice = VoiceServer(
            settings=VoiceSettings(
                udp_address=("127.0.0.1", sink.port),
                versions=VERSIONS,
                dave=DavePolicy.ON if run.dave else DavePolicy.OFF,
            )
        )
        async with Loopback(_settings(run), voice=voice) as discord, MediaServer(files.webm.parent) as media:
            stage = await _furnish(discord, media, run, files, folder, sink.port)
            with log_to.open("wb") as log:
                process = await run.player.start(stage, log.fileno())
                try:
                    pin(process.pid)
                    yield process, stage, sink
                finally:
                    with anyio.CancelScope(shield=True):
                        await _stop(process)


def _settings(run: Run) -> LoopbackSettings:
    return LoopbackSettings(
        recommended_shards=-(-run.streams // GUILDS_PER_SHARD),
        numeric_voice_endpoint=True,
        rate_limits=False,
        interaction_deadline_s=30.0,  # 1,000 guilds ask within a minute or two
        gateway_latency_ms=GATEWAY_LATENCY_MS,
    )


async def _furnish(
    discord: Loopback, media: MediaServer, run: Run, files: Files, folder: Path, port: int
) -> Stage:
    seats: list[tuple[ScriptedUser, Channel]] = []
    for number in range(run.streams):
        guild = discord.add_guild(f"Guild {number}", guild_id=(1 + number) << SHARD_SHIFT)
        user = discord.add_user(f"user {number}")
        guild.add_member(user)
        channel = guild.add_text_channel("general")
        await user.join(guild.add_voice_channel("Music"))
        seats.append((user, channel))
    return Stage(discord, media, seats, files, folder, port, plays=run.plays)


async def _measure(run: Run, process: Process, stage: Stage, sink: SinkProcess, window_s: float) -> Row:
    await anyio.sleep(1.0)
    load, before_mib = os.getloadavg()[0], memory_mib(process.pid)
    joined_s = await come_up(run, process, stage, sink)
    await sink.tell("begin")
    cpu, began = cpu_s(process.pid), time.monotonic()
    await anyio.sleep(window_s)
    cpu, lasted_s = cpu_s(process.pid) - cpu, time.monotonic() - began
    heard = await _heard(sink, stage.folder, lasted_s) if run.plays else None
    total_mib = memory_mib(process.pid)
    return Row(
        run=run.name,
        load=load,
        player=run.player.name,
        streams=run.streams,
        dave=run.dave,
        cpu_s=cpu / run.streams / lasted_s * 60,
        core_percent=cpu / lasted_s * 100,
        threads=threads(process.pid),
        mib_per_stream=(total_mib - before_mib) / run.streams,
        mib_total=total_mib,
        joined_s=joined_s,
        arrivals=heard,
    )


async def come_up(run: Run, process: Process, stage: Stage, sink: SinkProcess) -> float:
    """Every stream is heard, or every connection made, and things have settled; how long that took, in s.

    :raises NotUpError: if not all of them come up
    """
    began = time.monotonic()
    await run.player.play(stage, process)
    await (_wait_heard(sink, run.streams) if run.plays else _wait_joined(stage))
    took_s = time.monotonic() - began
    await anyio.sleep(SETTLE_S if run.plays else IDLE_SETTLE_S)
    return took_s


async def _heard(sink: SinkProcess, folder: Path, lasted_s: float) -> Arrivals:
    record = folder / "record.npz"
    await sink.tell(f"save {record}")
    with np.load(record) as loaded:
        return arrivals({name: loaded[name] for name in loaded.files}, lasted_s)


async def _wait_heard(sink: SinkProcess, streams: int) -> None:
    """Until packets of every stream were seen within the last second."""
    heard = 0
    with anyio.move_on_after(JOIN_S):
        while (heard := int(await sink.tell("count"))) < streams:
            await sink.tell("begin")
            await anyio.sleep(1.0)
    if heard < streams:
        raise NotUpError(heard)


async def _wait_joined(stage: Stage) -> None:
    """Until the player has a voice session in every guild."""
    voice, bot, joined = stage.discord.voice, stage.discord.bot.id, 0
    with anyio.move_on_after(JOIN_S):
        while joined < len(stage.seats):
            await anyio.sleep(0.5)
            joined = sum(voice.session(guild.id, bot) is not None for guild in stage.discord.guilds)
    if joined < len(stage.seats):
        raise NotUpError(joined)


async def _stop(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
        with anyio.move_on_after(15.0):
            await process.wait()
    if process.returncode is None:
        process.kill()
    await process.aclose()
