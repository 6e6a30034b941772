"""From the start of the process to audio, in parts: one guild, ended by SIGKILL and by SIGTERM in turn.

The parts are the bot's own (`music_again` in its log), the whole is measured from outside: from the call that
starts the interpreter to the first frame of music at the listener. Beside it stock discord.py, with its
defaults and frames that lie in memory, which begins as soon as it is ready.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import anyio

from actors.startup import PARTS
from loopback.demo.bot import bot_environment
from tests.crash.house import open_house
from tests.crash.life import Witness

if TYPE_CHECKING:
    from tests.crash.house import House, Place

WITHIN_S: Final = 1.0
"""From the start of the process to audio again, as the median."""

SECONDS: Final = 60.0
HEARD_S: Final = 30.0
ENDS: Final = (signal.SIGKILL, signal.SIGTERM)
ROOT: Final = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Starts:
    """:ivar again_s: of each start of the bot
    :ivar parts_s: of each start, part by part
    :ivar stock_s: of each start of stock discord.py
    """

    again_s: list[float]
    parts_s: dict[str, list[float]]
    stock_s: list[float]

    @property
    def ok(self) -> bool:
        """The bot is in time."""
        return median(self.again_s) <= WITHIN_S

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"median_s": median(self.again_s), "ok": self.ok}

    def words(self) -> str:
        """One line for each of the two."""
        parts = ", ".join(f"{part} {median(self.parts_s[f'{part}_s']):.2f}" for part in PARTS)
        ours = f"start to audio, {len(self.again_s)} starts: {_spread(self.again_s)} ({parts})"
        return f"{ours}\nstock discord.py, {len(self.stock_s)} starts: {_spread(self.stock_s)}"


def _spread(values: list[float]) -> str:
    return f"median {median(values):.2f} s, {min(values):.2f} to {max(values):.2f}"


async def measure(starts: int, folder: Path) -> Starts:
    """So many starts of the bot, and as many of stock discord.py, each in a world of its own."""
    again_s, parts_s = await _ours(starts, folder)
    return Starts(again_s, parts_s, await _stock(starts))


async def _ours(starts: int, folder: Path) -> tuple[list[float], dict[str, list[float]]]:
    again_s: list[float] = []
    async with open_house(folder, SECONDS) as house:
        witness = Witness(house, await house.add_place("guild"))
        await house.start()
        await house.until_ready()
        await witness.begin()
        for number in range(starts):
            await house.end(ENDS[number % len(ENDS)])
            witness.look()
            await house.start()
            again_s.append(await _heard_s(house, witness.place))
        lines = [json.loads(line) for line in house.log_lines('"music_again"')]
    return again_s, {f"{part}_s": [line[f"{part}_s"] for line in lines] for part in PARTS}


async def _stock(starts: int) -> list[float]:
    again_s: list[float] = []
    for _ in range(starts):
        with tempfile.TemporaryDirectory(prefix="ostinato-stock-") as folder:
            async with open_house(Path(folder), 1.0) as house:
                again_s.append(await _stock_once(house, await house.add_place("guild")))
    return again_s


async def _stock_once(house: House, place: Place) -> float:
    environment = bot_environment(house.discord, place.guild.id, house.folder, os.environ)
    house.started_ns = time.time_ns()
    process = await anyio.open_process(
        [sys.executable, "-m", f"{__package__}.stock"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**environment, "PYTHONPATH": str(ROOT)},
    )
    try:
        return await _heard_s(house, place)
    finally:
        with anyio.CancelScope(shield=True):
            process.kill()
            await process.wait()
            await process.aclose()


async def _heard_s(house: House, place: Place) -> float:
    """From the start of the process to the first frame that is not silence."""
    with anyio.fail_after(HEARD_S):
        while True:
            for frame in place.guild.listener.frames:
                if not frame.silence:
                    return (frame.arrival_ns - house.started_ns) / 1e9
            await anyio.sleep(0.02)
