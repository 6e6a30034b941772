"""The stream, the bot that plays it, the listener, and the stalls in between."""

from __future__ import annotations

import json
import os
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
from rich.console import Console

from loopback import Loopback
from loopback.chaos.lateness import Lateness
from loopback.demo.bot import bot_environment, bot_process, last_lines
from tests.actors.media.streaming import LiveServer, live_server, make_segments
from tests.soak.live.verdict import BACK_S, GAP_MS, LOOKED_AT_S, Heard, judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback import Guild

SEGMENT_S: Final = 2.0
SHORT_S: Final = 3.0
LONG_S: Final = 15.0
SHORTS_AT: Final = (0.25, 0.5)
"""Parts of the time at which the server is silent for SHORT_S."""
LONG_AT: Final = 0.8
LEAST_S: Final = 75.0
"""Less leaves no room between the stalls and at the end."""
FOLDER: Final = Path("build/bench")


async def hear(seconds: float, tell: Callable[[str], None]) -> Heard:
    """So many seconds of a stream, with its stalls."""
    with tempfile.TemporaryDirectory(prefix="ostinato-live-") as name:
        folder = Path(name)
        tell("making the stream ...")
        segments = await anyio.to_thread.run_sync(
            make_segments, folder, int(seconds / SEGMENT_S) + 30, SEGMENT_S
        )
        async with Loopback() as discord, live_server(segments, SEGMENT_S) as server:
            guild = discord.add_guild("Guild")
            environment = bot_environment(discord, guild.id, folder, os.environ)
            lateness = Lateness()
            async with bot_process(environment, folder) as bot, anyio.create_task_group() as beside:
                beside.start_soon(lateness.watch, bot)
                try:
                    await _ask_for(discord, guild, server.url)
                    stall = await _stalls(server, seconds, tell)
                    beside.cancel_scope.cancel()
                except BaseException:
                    tell("\n".join(last_lines(folder / "bot.log")))
                    raise
            music = [frame for frame in guild.listener.frames if frame.opus and not frame.silence]
            since = time.time() - time.monotonic()
            frames = [(frame.arrival_ns / 1e9 - since, frame.opus or b"") for frame in music]

            def late_ms(begin: float, end: float) -> float:
                return lateness.within_ms(round((begin + since) * 1e9), round((end + since) * 1e9))

            return await anyio.to_thread.run_sync(judge, frames, server.newest_at, stall, late_ms)


async def _ask_for(discord: Loopback, guild: Guild, url: str) -> None:
    """Somebody joins and plays it; until it is heard."""
    text, voice = guild.add_text_channel("general"), guild.add_voice_channel("Music")
    alice = discord.add_user("alice")
    guild.add_member(alice)
    await alice.join(voice)
    await alice.wait_command(text, "play", 60.0)
    await (await alice.slash(text, "play", query=url)).wait_answer(60.0)
    await guild.listener.wait_frames(50, 60.0)


async def _stalls(server: LiveServer, seconds: float, tell: Callable[[str], None]) -> tuple[float, float]:
    """All that happens in so many seconds; the beginning and the end of the long one."""
    began = time.monotonic()
    for part in SHORTS_AT:
        await anyio.sleep(began + part * seconds - time.monotonic())
        tell(f"{time.monotonic() - began:6.1f} s  silent for {SHORT_S:g} s")
        server.stall(SHORT_S)
    await anyio.sleep(began + LONG_AT * seconds - time.monotonic())
    tell(f"{time.monotonic() - began:6.1f} s  silent for {LONG_S:g} s")
    stalled = time.monotonic()
    server.stall(LONG_S)
    await anyio.sleep(max(LONG_S + LOOKED_AT_S, began + seconds - stalled))
    return stalled, stalled + LONG_S


def main(seconds: float) -> bool:
    """Whether everything was as promised."""
    console = Console(width=120)
    seconds = max(seconds, LEAST_S)
    console.print(f"{seconds:g} s of a live stream in segments of {SEGMENT_S:g} s")
    heard = anyio.run(hear, seconds, console.print)
    back = "never" if heard.back_s is None else f"{heard.back_s:.2f} s"
    console.print(
        f"heard {heard.usual_segments} segments behind the newest one at most, before the long stall"
    )
    console.print(f"longest gap besides that stall: {heard.longest_gap_ms:.1f} ms")
    console.print(
        f"longer than {GAP_MS:g} ms but for the bot's waits for a processor: {heard.gaps} gaps "
        f"(it waited {heard.longest_machine_ms:.0f} ms in one at most)"
    )
    console.print(f"back at the live edge after the long stall: {back} (at most {BACK_S:g} s)")
    console.print("as promised" if heard.well else "[bold]NOT AS PROMISED[/bold]")
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "live.json").write_text(
        json.dumps({"seconds": seconds, **asdict(heard)}, indent=1) + "\n", "utf-8"
    )
    return heard.well
