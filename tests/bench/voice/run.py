"""One run of the voice bench: a fresh embedded Discord, N guilds, one player, a window of measuring."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
import numpy as np

from loopback import Loopback, LoopbackSettings
from loopback.media_server import MediaServer
from loopback.voice.protocol import DavePolicy, VoiceSettings
from loopback.voice.server import VoiceServer
from tests.bench.voice.measure import Arrivals, arrivals
from tests.bench.voice.players import ROOT, Files, Player, Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import Process

    from loopback.world.channels import Channel
    from loopback.world.user import ScriptedUser

GUILDS_PER_SHARD: Final = 100  # joins are spread, so that the send limit of a shard is not what is measured
GATEWAY_LATENCY_MS: Final = 25.0  # about Discord's own
VERSIONS: Final = frozenset({"4", "8"})  # songbird's engine still speaks 4
JOIN_S: Final = 240.0
SETTLE_S: Final = 4.0
PLAYER_CORE: Final = 0
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `cpu_s` is CPU seconds per stream and minute, of the player's processes."""

    player: str
    streams: int
    dave: bool
    cpu_s: float
    core_percent: float
    threads: int
    mib_per_stream: float
    mib_total: float
    joined_s: float
    arrivals: Arrivals


class SinkProcess:
    """The receiver in its process, commanded by datagrams."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.port = port
        self._process = process
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(20.0)
        self._socket.connect(("127.0.0.1", port))

    async def tell(self, command: str) -> str:
        """Its answer."""

        def ask() -> str:
            self._socket.send(f"bench {command}".encode())
            return self._socket.recv(2048).decode()

        return await anyio.to_thread.run_sync(ask)

    async def end(self) -> None:
        """Stop it and wait."""
        await self.tell("end")
        self._socket.close()
        await anyio.to_thread.run_sync(self._process.wait)
        if self._process.stdout is not None:
            self._process.stdout.close()


@asynccontextmanager
async def open_sink() -> AsyncIterator[SinkProcess]:
    """The receiver, not on the player's core."""
    process = subprocess.Popen(  # noqa: ASYNC220 - nothing is measured yet
        [sys.executable, "-m", "tests.bench.voice.sink"], stdout=subprocess.PIPE, cwd=ROOT
    )
    _pin(process.pid, others=True)
    assert process.stdout is not None
    port = int(await anyio.to_thread.run_sync(process.stdout.readline))
    sink = SinkProcess(process, port)
    try:
        yield sink
    finally:
        with anyio.CancelScope(shield=True):
            await sink.end()


async def run(
    player: Player, streams: int, files: Files, folder: Path, *, window_s: float, dave: bool
) -> Row:
    """Measure one player with that many streams."""
    _pin(os.getpid(), others=True)
    shards = -(-streams // GUILDS_PER_SHARD)
    settings = LoopbackSettings(
        recommended_shards=shards,
        numeric_voice_endpoint=True,
        rate_limits=False,
        gateway_latency_ms=GATEWAY_LATENCY_MS,
    )
    async with open_sink() as sink:
        voice = VoiceServer(
            settings=VoiceSettings(
                udp_address=("127.0.0.1", sink.port),
                versions=VERSIONS,
                dave=DavePolicy.ON if dave else DavePolicy.OFF,
            )
        )
        async with Loopback(settings, voice=voice) as discord, MediaServer(files.webm.parent) as media:
            stage = await _furnish(discord, media, streams, files, folder, sink.port)
            with (folder / f"{player.name}.log").open("wb") as log:
                process = await player.start(stage, log.fileno())
                try:
                    return await _measure(player, process, stage, sink, window_s, dave=dave)
                finally:
                    with anyio.CancelScope(shield=True):
                        await _stop(process)


async def _furnish(
    discord: Loopback, media: MediaServer, streams: int, files: Files, folder: Path, port: int
) -> Stage:
    seats: list[tuple[ScriptedUser, Channel]] = []
    for number in range(streams):
        guild, user = discord.add_guild(f"Guild {number}"), discord.add_user(f"user {number}")
        guild.add_member(user)
        channel = guild.add_text_channel("general")
        await user.join(guild.add_voice_channel("Music"))
        seats.append((user, channel))
    return Stage(discord, media, seats, files, folder, port)


async def _measure(
    player: Player, process: Process, stage: Stage, sink: SinkProcess, window_s: float, *, dave: bool
) -> Row:
    _pin(process.pid)
    await anyio.sleep(1.0)
    idle_mib, began = _memory_mib(process.pid), time.monotonic()
    await player.play(stage, process)
    await _wait_streams(sink, len(stage.seats))
    joined_s = time.monotonic() - began
    await anyio.sleep(SETTLE_S)
    await sink.tell("begin")
    cpu, began = _cpu_s(process.pid), time.monotonic()
    await anyio.sleep(window_s)
    cpu, lasted_s = _cpu_s(process.pid) - cpu, time.monotonic() - began
    record = stage.folder / "record.npz"
    await sink.tell(f"save {record}")
    total_mib = _memory_mib(process.pid)
    with np.load(record) as loaded:
        heard = arrivals({name: loaded[name] for name in loaded.files}, lasted_s)
    streams = len(stage.seats)
    return Row(
        player=player.name,
        streams=streams,
        dave=dave,
        cpu_s=cpu / streams / lasted_s * 60,
        core_percent=cpu / lasted_s * 100,
        threads=_threads(process.pid),
        mib_per_stream=(total_mib - idle_mib) / streams,
        mib_total=total_mib,
        joined_s=joined_s,
        arrivals=heard,
    )


async def _wait_streams(sink: SinkProcess, streams: int) -> None:
    """Until packets of every stream were seen within the last second."""
    with anyio.fail_after(JOIN_S):
        while int(await sink.tell("count")) < streams:
            await sink.tell("begin")
            await anyio.sleep(1.0)


async def _stop(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
        with anyio.move_on_after(15.0):
            await process.wait()
    if process.returncode is None:
        process.kill()
    await process.aclose()


# -- what the system says of a process ----


def _pin(pid: int, *, others: bool = False) -> None:
    """The player has a core for itself, everybody else shares the others."""
    cores = os.cpu_count() or 1
    if cores > 1:
        os.sched_setaffinity(pid, set(range(cores)) - {PLAYER_CORE} if others else {PLAYER_CORE})


def _family(pid: int) -> list[int]:
    """The process and its children (media workers)."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(each for child in children for each in _family(int(child)))]


def _cpu_s(pid: int) -> float:
    total = 0.0
    for each in _family(pid):
        fields = _stat(each)
        total += (int(fields[11]) + int(fields[12])) / _TICKS  # utime, stime: proc(5)
    return total


def _threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def _memory_mib(pid: int) -> float:
    """Resident memory of the player itself."""
    pages: Any = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * _PAGE / 2**20


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
