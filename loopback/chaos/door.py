"""`ostinato chaos`: from its options to its exit status."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from random import SystemRandom
from typing import TYPE_CHECKING, Final

from loopback.chaos.page import write_page
from loopback.chaos.plan import make_plan
from loopback.chaos.report import write_json
from loopback.chaos.run import run_bot, run_stock
from loopback.chaos.view import View
from loopback.interrupted import until_interrupted

if TYPE_CHECKING:
    from pathlib import Path

    from loopback.chaos.report import Report

OK: Final = 0
FAILED: Final = 1


async def run_chaos(
    *,
    seed: int | None,
    minutes: float,
    guilds: int,
    folder: Path,
    against_stock: bool = False,
    view: View | None = None,
) -> int:
    """Disturb the bot for so many minutes, and leave the report in the folder; returns the exit status.

    0: every invariant was kept, 1: not so, or nothing played that could be disturbed, 130: interrupted. Runs
    on asyncio.

    :param seed: None: one is drawn, and said
    """
    # A client that is killed, or hangs up, leaves requests half answered: that is what is wanted here.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    seed = SystemRandom().randrange(10**6) if seed is None else seed
    view = view or View()
    return await until_interrupted(
        partial(_run, seed, minutes * 60, guilds, folder, against_stock, view), view.say
    )


async def _run(seed: int, seconds: float, guilds: int, folder: Path, against_stock: bool, view: View) -> int:
    plan = make_plan(seed, seconds, guilds)
    view.say(f"seed {seed}: {len(plan)} faults in {seconds / 60:g} minutes over {guilds} guilds")
    report = await run_bot(seed, seconds, guilds, folder, plan, view)
    if against_stock:
        view.say("the same faults, as far as they can meet it, to a plain discord.py player")
        report = replace(report, other=await run_stock(seed, seconds, guilds, folder, plan, view))
    _leave(report, folder)
    view.conclude(report)
    view.say(f"left in {folder}: report.json, report.html, bot.log")
    return OK if report.ok and (report.other is not None or not against_stock) else FAILED


def _leave(report: Report, folder: Path) -> None:
    write_json(report, folder / "report.json")
    write_page(report, folder / "report.html")
