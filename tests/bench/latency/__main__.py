"""From a command to sound, and from a skip to the next track: `make bench-latency` (two minutes).

The bot runs as a process beside the embedded Discord. A listener asks for tracks by `play` while the bot is
in the channel and silent; what counts is when the first frame arrives after the interaction was sent. Every
track is asked for twice: the first time it comes from a media server on this machine, by way of yt-dlp and
all; the second time its spool is in the cache. Then two songs take turns in the queue, and each is skipped;
what counts is when the first frame of the other one arrives. Written are `latency.json` and `latency.png`
into `build/bench`.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from actors.media.testing import packets
from loopback import Loopback
from loopback.demo.bot import bot_environment, bot_process
from loopback.media_server import MediaServer
from loopback.music.files import write_sound

if TYPE_CHECKING:
    from loopback import Guild, ScriptedUser, TextChannel

FOLDER: Final = Path("build/bench")
SKIP: Final = "skip to next track"
TARGETS_MS: Final[dict[str, float | None]] = {"cached": 60.0, "loopback media": 400.0, SKIP: None}
SONGS: Final = {"song.webm": 440.0, "other.webm": 660.0}
SECONDS: Final = 20
LISTEN_S: Final = 1.0
"""Of each track before it is skipped: the next one is prepared meanwhile."""
QUIET_S: Final = 0.2


class Scene:
    """One guild, whose listener commands."""

    def __init__(self, guild: Guild, text: TextChannel, alice: ScriptedUser) -> None:
        self.guild, self.text, self.alice = guild, text, alice

    async def first_frame_ms(self, command: str, **options: Any) -> float:
        """From the interaction to the first frame that arrives; nothing must be playing."""
        self.guild.listener.clear()
        began_ns = time.monotonic_ns()
        interaction = await self.alice.slash(self.text, command, **options)
        frames = await self.guild.listener.wait_frames(1, 20.0)
        heard_ns = time.monotonic_ns()
        assert frames
        await interaction.wait_answer(20.0)
        return (heard_ns - began_ns) / 1e6

    async def skip_ms(self, following: frozenset[bytes]) -> float:
        """From the interaction to the first of these frames that arrives."""
        self.guild.listener.clear()
        began_ns = time.time_ns()
        interaction = await self.alice.slash(self.text, "skip")
        with anyio.fail_after(20.0):
            while (at_ns := self._first_of(following)) is None:  # noqa: ASYNC110 - looked for, not told
                await anyio.sleep(0.002)
        await interaction.wait_answer(20.0)
        return (at_ns - began_ns) / 1e6

    def _first_of(self, wanted: frozenset[bytes]) -> int | None:
        frames = self.guild.listener.frames
        return next((frame.arrival_ns for frame in frames if frame.opus in wanted), None)

    async def command(self, command: str, **options: Any) -> None:
        await (await self.alice.slash(self.text, command, **options)).wait_answer(20.0)

    async def silence(self) -> None:
        """Stop, and let the frames under way and those of silence arrive."""
        await self.command("stop")
        await anyio.sleep(QUIET_S)


async def measure(tracks: int, folder: Path) -> dict[str, list[float]]:
    """Milliseconds, by what was asked for."""
    for name, hertz in SONGS.items():
        tone = 0.3 * 32767 * np.sin(2 * np.pi * hertz * np.arange(SECONDS * 48_000) / 48_000)
        write_sound(folder / name, [np.stack([tone, tone], axis=1).astype(np.int16)], title=name)
    found: dict[str, list[float]] = {name: [] for name in TARGETS_MS}
    async with Loopback() as discord, MediaServer(folder) as media:
        guild = discord.add_guild("Guild")
        text, voice = guild.add_text_channel("general"), guild.add_voice_channel("Music")
        alice = discord.add_user("alice")
        guild.add_member(alice)
        await alice.join(voice)
        environment = bot_environment(discord, guild.id, folder, os.environ)
        async with bot_process(environment, folder):
            await alice.wait_command(text, "play", 30.0)
            scene = Scene(guild, text, alice)
            urls = [f"{media.url('song.webm')}?{number}" for number in range(tracks + 1)]
            await scene.command("play", query=urls.pop())  # joins, and starts the workers
            await guild.listener.wait_frames(25, 20.0)
            await scene.silence()
            for name in ("loopback media", "cached"):
                for url in urls:
                    found[name].append(await scene.first_frame_ms("play", query=url))
                    await anyio.sleep(QUIET_S)
                    await scene.silence()
            found[SKIP] = await measure_skips(scene, media, folder, tracks)
    return found


async def measure_skips(scene: Scene, media: MediaServer, folder: Path, tracks: int) -> list[float]:
    """The two songs in turn, each skipped as soon as the next one is prepared."""
    known = [packets((folder / name).read_bytes()) for name in SONGS]
    only = [frozenset(known[number]) - frozenset(known[1 - number]) for number in range(2)]
    names = list(SONGS)
    for number in range(tracks + 1):
        await scene.command("play", query=f"{media.url(names[number % 2])}?skip{number}")
    found = []
    for number in range(tracks):
        await anyio.sleep(LISTEN_S)
        found.append(await scene.skip_ms(only[(number + 1) % 2]))
    return found


def draw(path: Path, found: dict[str, list[float]]) -> None:
    """A dot for each command, and what 95 of 100 of them may take."""
    figure = Figure(figsize=(8, 1.2 + 0.7 * len(found)), layout="constrained")
    axes = figure.subplots()
    for line, (name, values) in enumerate(found.items()):
        axes.plot(values, [line] * len(values), "o", color="#2a6f97", alpha=0.4)
        target = TARGETS_MS[name]
        if target is not None:
            axes.plot((target, target), (line - 0.3, line + 0.3), color="#d1495b", linewidth=2)
    axes.set_yticks(range(len(found)), list(found))
    axes.set(
        xscale="log", xlabel="ms from the command to the first frame; red: the target of the 95th percentile"
    )
    axes.set_ylim(len(found) - 0.4, -0.6)
    figure.savefig(path, dpi=130)


def report(found: dict[str, list[float]]) -> bool:
    """Print and write it; whether the targets are met."""
    table = Table("from a command to sound", "commands", "median ms", "p95 ms", "longest ms", "target p95 ms")
    rows = {}
    for name, values in found.items():
        p50, p95 = np.percentile(values, [50, 95])
        rows[name] = {"commands": len(values), "p50_ms": p50, "p95_ms": p95, "max_ms": max(values)}
        target = TARGETS_MS[name]
        figures = [f"{value:.1f}" for value in (p50, p95, max(values))]
        table.add_row(name, str(len(values)), *figures, "" if target is None else f"{target:.1f}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "latency.json").write_text(json.dumps(rows, indent=1))
    draw(FOLDER / "latency.png", found)
    Console().print(table)
    targets = {name: target for name, target in TARGETS_MS.items() if target is not None}
    return all(rows[name]["p95_ms"] <= target for name, target in targets.items())


def main() -> int:
    """0 if the targets are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return 0 if report(anyio.run(measure, options.tracks, Path(folder))) else 1


if __name__ == "__main__":
    raise SystemExit(main())
