"""The embedded Discord with its guests, the bot beside it, and the verdict."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

import anyio
from anyio.streams.text import TextReceiveStream
from rich.console import Console
from rich.table import Table

from loopback import Loopback, LoopbackSettings
from loopback.demo.bot import bot_environment, stop
from loopback.media_server import MediaServer
from loopback.music.files import write_music
from loopback.music.pieces import PIECES
from tests.soak.playback.guests import TRACK_S, Guest, Tally, trouble
from tests.soak.playback.picture import draw
from tests.soak.playback.samples import COUNTED, Sample
from tests.soak.playback.slope import Slope, slope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from anyio.abc import Process

GUILDS: Final = 3
ENDINGS: Final = (".webm", ".webm", ".m4a", ".webm", ".mp3")
WARM_H: Final = 1.0
MEMORY_PER_H: Final = 1.0
"""MiB/h: the upper bound of the slope must be below."""
COUNT_PER_H: Final = 0.5
"""A count grows if it surely does so by more than this."""
KEPT: Final = 500
"""Frames that each listener remembers."""
STARTED_S: Final = 600.0
FOLDER: Final = Path("build/bench")


def write_tracks(folder: Path) -> list[str]:
    """Music files of three minutes, most of them Opus; returns their names."""
    names = []
    for number, ending in enumerate(ENDINGS):
        names.append(f"piece-{number}{ending}")
        write_music(folder / names[-1], PIECES[number % len(PIECES)], TRACK_S)
    return names


@asynccontextmanager
async def running(discord: Loopback, folder: Path, factor: float, leak: float) -> AsyncIterator[Process]:
    """The bot's process; its log goes into the folder."""
    environment = bot_environment(discord, discord.guilds[0].id, folder, os.environ)
    environment["OSTINATO_GUILD_SYNC"] = ",".join(str(guild.id) for guild in discord.guilds)
    command = [sys.executable, "-m", "tests.soak.playback.bot", str(factor), str(leak)]
    with (folder / "bot.log").open("wb") as log:
        process = await anyio.open_process(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=environment
        )
        try:
            yield process
        finally:
            with anyio.CancelScope(shield=True):
                await stop(process)


async def follow(process: Process, hours: float, tell: Callable[[Sample], None]) -> list[Sample]:
    """The samples of that many hours; fewer if the bot ends before."""
    samples: list[Sample] = []
    rest = ""
    assert process.stdout is not None
    async for text in TextReceiveStream(process.stdout):
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            samples.append(Sample(**json.loads(line)))
            tell(samples[-1])
        if samples and samples[-1].at_h >= hours:
            return samples
    raise RuntimeError(f"the bot ended after {samples[-1].at_h if samples else 0:.2f} hours")


async def observe(
    hours: float, factor: float, leak: float, console: Console
) -> tuple[list[Sample], Tally, list[float]]:
    """The samples, what happened, and how many hours each guild has heard."""
    with tempfile.TemporaryDirectory(prefix="ostinato-soak-") as name:
        folder, media = Path(name), Path(name) / "media"
        media.mkdir()
        console.print("writing music ...")
        tracks = write_tracks(media)
        async with Loopback(LoopbackSettings(gateway_latency_ms=25)) as discord, MediaServer(media) as server:
            urls = [server.url(track) for track in tracks]
            tally = Tally()
            guests = [await invite(discord, number, urls, tally) for number in range(GUILDS)]
            async with running(discord, folder, factor, leak) as process, anyio.create_task_group() as tasks:
                try:
                    for guest in guests:
                        await guest.user.wait_command(guest.text, "play", STARTED_S)
                        tasks.start_soon(guest.visit)
                    tasks.start_soon(trouble, discord, Random(len(guests)), tally)  # noqa: S311 - no secret
                    samples = await follow(process, hours, lambda one: report(console, one, tally))
                except BaseException:
                    console.print((folder / "bot.log").read_text("utf-8", "replace")[-3000:], markup=False)
                    raise
                heard = [guest.guild.listener.heard / 50 / 3600 for guest in guests]
                tasks.cancel_scope.cancel()
    return samples, tally, heard


async def invite(discord: Loopback, number: int, urls: Sequence[str], tally: Tally) -> Guest:
    """A guild and its listener, in the voice channel."""
    guild = discord.add_guild(f"Guild {number}")
    guild.listener.limit = KEPT
    user = discord.add_user(f"listener {number}")
    guild.add_member(user)
    text, voice = guild.add_text_channel("general"), guild.add_voice_channel("Music")
    await user.join(voice)
    return Guest(guild, user, text, [*urls[number:], *urls[:number]], Random(number), tally)  # noqa: S311 - no secret


def report(console: Console, one: Sample, tally: Tally) -> None:
    """A line each ten minutes of playback."""
    if round(one.at_h * 60) % 10 == 0:
        held = (
            f"{one.memory:6.1f} MiB, {one.descriptors} descriptors, {one.threads} threads, {one.tasks} tasks"
        )
        below = f"{one.processes} processes ({one.workers:.0f} MiB below)"
        asked = f"{tally.tracks} tracks, {tally.commands} commands, {tally.faults} faults"
        console.print(f"{one.at_h:5.2f} h  {held}, {below}; {asked}")


def judge(samples: Sequence[Sample], warm_h: float) -> dict[str, tuple[Slope, bool]]:
    """The slope of each figure after the warm-up, and whether it is allowed."""
    later = [one for one in samples if one.at_h >= warm_h]
    hours = [one.at_h for one in later]
    slopes = {name: slope(hours, [getattr(one, name) for one in later]) for name in ("memory", *COUNTED)}
    return {
        name: (found, found.upper < MEMORY_PER_H if name == "memory" else found.lower <= COUNT_PER_H)
        for name, found in slopes.items()
    }


def table(verdicts: dict[str, tuple[Slope, bool]]) -> Table:
    """One row a figure."""
    made = Table(title="what grows, after the warm-up")
    for head in ("figure", "at the start", "an hour", "95 % bounds", ""):
        made.add_column(head, justify="left" if head == "figure" else "right")
    for name, (found, well) in verdicts.items():
        bounds = f"{found.lower:+.2f} .. {found.upper:+.2f}"
        unit = " MiB" if name == "memory" else ""
        made.add_row(name, f"{found.start:.1f}{unit}", f"{found.per_h:+.2f}", bounds, "" if well else "GROWS")
    return made


def main(hours: float, factor: float, leak: float) -> bool:
    """Whether nothing grows."""
    console = Console(width=140)
    console.print(
        f"{hours:g} hours of playback in {GUILDS} guilds, {factor:g} times as fast"
        + f", leaking {leak:g} MiB/h" * bool(leak)
    )
    samples, tally, heard = anyio.run(observe, hours, factor, leak, console)
    warm_h = min(WARM_H, hours / 4)
    verdicts = judge(samples, warm_h)
    console.print(table(verdicts))
    console.print(f"heard: {', '.join(f'{one:.2f}' for one in heard)} h; {tally}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    facts = {
        "samples": [asdict(one) for one in samples],
        "slopes": {name: asdict(found) for name, (found, _) in verdicts.items()},
        "heard_h": heard,
        "tally": asdict(tally),
        "leak_mib_per_h": leak,
    }
    (FOLDER / "soak.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    draw(FOLDER / "soak.png", samples, warm_h, verdicts["memory"][0])
    return all(well for _, well in verdicts.values())
