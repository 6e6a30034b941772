"""A run of chaos from its options to its exit status."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

import anyio

from loopback.chaos.beginning import all_heard, begin
from loopback.chaos.bot import BotProcess
from loopback.chaos.diary import Diary
from loopback.chaos.guest import Guest, Tally
from loopback.chaos.hearing import Hearing
from loopback.chaos.holdings import Holdings
from loopback.chaos.invariants import INVARIANTS, check
from loopback.chaos.judge import Judge
from loopback.chaos.lateness import WorkersLateness
from loopback.chaos.ledger import Ledger
from loopback.chaos.music import TRACKS, open_music
from loopback.chaos.performance import Performance
from loopback.chaos.report import Commands, Player, Report, Run, Violation
from loopback.chaos.scene import Scene, Seat
from loopback.chaos.stock import StockProcess
from loopback.chaos.witnesses import Witnesses
from loopback.server import Loopback
from loopback.settings import LoopbackSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

    from loopback.chaos.music import Music
    from loopback.chaos.plan import Step
    from loopback.chaos.view import View

GATEWAY_LATENCY_MS: Final = 25.0
"""Discord's own is 20 to 30 ms."""
STOCK_UDP_MS: Final = 5.0
"""One way. Without any, stock discord.py may miss the answer of IP discovery and then waits for ever: a fault
that only a network without length has.
"""
VERSIONS: Final = ("ostinato", "discord.py", "anyio", "davey", "yt-dlp", "av")
SCRAPE_S: Final = 3.0


async def run_bot(
    seed: int,
    seconds: float,
    guilds: int,
    folder: Path,
    plan: Sequence[Step],
    view: View,
    tracks: int = TRACKS,
) -> Report:
    """This project's bot under the plan; `bot.log` and `guests.jsonl` are left in the folder.

    :param tracks: of music that there are: fewer are made sooner
    """
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    async with (
        Loopback(LoopbackSettings(gateway_latency_ms=GATEWAY_LATENCY_MS)) as discord,
        open_music(tracks) as music,
        _open_bot(discord, folder / "bot.log") as (bot, witnesses),
    ):
        tally, ledger, diary = Tally(), Ledger(), Diary(folder / "guests.jsonl")
        diary.begin()
        workers = WorkersLateness(bot)
        seats = [await _seat(discord, number) for number in range(guilds)]
        for number, seat in enumerate(seats):
            dice = Random(f"{seed}/guest/{number}")  # noqa: S311 - to be done again, not to be secret
            _give_wishes(seat, music, dice, tally, ledger, diary, workers)
        scene = Scene(discord, bot, bot, music, seats, ledger)
        performance = Performance(scene)
        await bot.start()
        view.say(f"see its actors from another terminal: {bot.look_inside}")
        if why := await begin(scene, bot):
            return _not_begun(_run_of(seed, seconds, guilds, started_at, 0.0), why, bot, _commands(tally))
        holdings = Holdings(bot, performance.lateness, time.time_ns(), seconds)
        view.say("the bot plays everywhere; the chaos begins")
        diary.note(None, "began")
        watchers: list[Callable[[], Coroutine[None, None, None]]] = [
            witnesses.follow,
            holdings.watch,
            partial(_scrape, witnesses),
            partial(view.follow, performance, seconds),
        ]
        with view.live():
            await performance.suffer(plan, seconds, watchers, [witnesses.compare, holdings.look])
        code = await bot.stop()
        span_ns = performance.began_ns, performance.ended_ns
        judge = Judge(seed, span_ns, ledger.entries, performance.lateness)
        player = judge.player("ostinato", bot.life, {seat.guild.name: seat.hearing for seat in seats})
        check(judge, performance, tally, witnesses, holdings, code)
    lasted_s = round((performance.ended_ns - performance.began_ns) / 1e9, 1)
    return Report(
        run=_run_of(seed, seconds, guilds, started_at, lasted_s),
        player=player,
        commands=_commands(tally),
        restarts=witnesses.restarts(),
        samples=tuple(holdings.samples),
        invariants=INVARIANTS,
        violations=tuple(sorted(judge.violations, key=lambda one: one.at_s)),
    )


async def run_stock(
    seed: int, seconds: float, guilds: int, folder: Path, plan: Sequence[Step], view: View
) -> Player | None:
    """A plain discord.py player under what can meet any player; `stock.log` is left in the folder.

    None if it does not play at all, which is said.
    """
    log = folder / "stock.log"
    async with Loopback(LoopbackSettings(gateway_latency_ms=GATEWAY_LATENCY_MS)) as discord:
        discord.faults.everywhere.udp.delay(STOCK_UDP_MS)
        seats = [await _seat(discord, number) for number in range(guilds)]
        with tempfile.TemporaryDirectory(prefix="ostinato-chaos-") as name:
            stock = StockProcess(discord, Path(name), log, [seat.voices[0] for seat in seats])
            performance = Performance(Scene(discord, stock, None, None, seats))
            try:
                await stock.start()
                if why := await all_heard(performance.scene):
                    view.say(f"the plain player does not play: {why}")
                    return None
                with view.live():
                    shown = [partial(view.follow, performance, seconds)]
                    await performance.suffer([step for step in plan if step.kind.rival], seconds, shown)
            finally:
                await stock.kill()
    span_ns = performance.began_ns, performance.ended_ns
    judge = Judge(seed, span_ns, performance.scene.ledger.entries, performance.lateness)
    hearings = {seat.guild.name: seat.hearing for seat in seats}
    return judge.player("stock discord.py", stock.life, hearings)


@asynccontextmanager
async def _open_bot(discord: Loopback, log: Path) -> AsyncIterator[tuple[BotProcess, Witnesses]]:
    """A bot that is not started yet; whatever runs of it is killed with the block."""
    with tempfile.TemporaryDirectory(prefix="ostinato-chaos-") as name:
        async with anyio.create_task_group() as group:
            bot = BotProcess(discord, Path(name), log, group)
            witnesses = Witnesses(bot)
            bot.on_line = witnesses.read
            try:
                yield bot, witnesses
            finally:
                await bot.kill()


async def _seat(discord: Loopback, number: int) -> Seat:
    """A guild with two voice channels, and somebody who listens in the first."""
    guild = discord.add_guild(f"Guild {number + 1}")
    user = discord.add_user(f"listener {number + 1}")
    guild.add_member(user)
    text = guild.add_text_channel("general")
    voices = guild.add_voice_channel("Music"), guild.add_voice_channel("Lounge")
    await user.join(voices[0])
    return Seat(discord, guild, text, voices, user, Hearing(guild.listener))


def _give_wishes(
    seat: Seat,
    music: Music,
    dice: Random,
    tally: Tally,
    ledger: Ledger,
    diary: Diary,
    workers: WorkersLateness,
) -> None:
    """Whoever listens there asks for music, too."""
    seat.guest = Guest(
        place=seat.guild.name,
        diary=diary,
        guild=seat.guild,
        text=seat.text,
        user=seat.user,
        music=music,
        random=dice,
        tally=tally,
        ledger=ledger,
        workers_late_ns=workers.total_ns,
    )
    seat.hearing = Hearing(seat.guild.listener, seat.guest, music.frames)
    music.hearings[seat.guild.id] = seat.hearing


async def _scrape(witnesses: Witnesses) -> None:
    """For ever: remember what the metrics say, as a process that is killed cannot be asked any more."""
    while True:
        await anyio.sleep(SCRAPE_S)
        life = witnesses.now
        life.metrics = await witnesses.scrape() or life.metrics


def _run_of(seed: int, seconds: float, guilds: int, started_at: str, lasted_s: float) -> Run:
    return Run(seed, seconds / 60, guilds, started_at, lasted_s, True, versions(), os.cpu_count() or 0)


def _not_begun(run: Run, why: str, bot: BotProcess, commands: Commands) -> Report:
    """Of a run whose chaos never began, for want of music."""
    return Report(
        run=run,
        player=Player("ostinato", share_heard=0.0, longest_gap_ms=0.0, lost=0, repeated=0, lives=bot.life),
        commands=commands,
        invariants=INVARIANTS,
        violations=(Violation("beginning", 0.0, None, why, run.seed),),
    )


def _commands(tally: Tally) -> Commands:
    return Commands(
        given=tally.given,
        acknowledged=tally.done.total() - tally.not_saved,
        refused=tally.refused,
        not_saved=tally.not_saved,
        unanswered=tally.unanswered,
        lost=tally.lost,
        by_name=dict(tally.done),
    )


def versions() -> dict[str, str]:
    """Of what took part."""
    found = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    for name in VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
