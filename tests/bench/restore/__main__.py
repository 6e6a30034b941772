"""After the end of the whole process: `make bench-restore` (two minutes).

First one guild: from the start of the process to audio, in parts, see `start`. Then many at once.

The bot plays in 50 guilds, is killed, and is started again. From then on nobody commands anything. Said is of
each guild when its first frame of music came, and how far that is from where it had stopped; counted is what
the main gateway was asked for, which Discord limits. Written are `restore.json` and `restore.png` into
`build/bench`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
from matplotlib.figure import Figure

from tests.bench.restore import start
from tests.crash.crash import FARTHEST_S, NEAREST_S
from tests.crash.house import open_house
from tests.crash.life import Witness

if TYPE_CHECKING:
    from tests.crash.house import House

FOLDER: Final = Path("build/bench")
WITHIN_S: Final = 15.0
"""All play again after this time at most."""

SECONDS: Final = 60.0
AT_ONCE: Final = 10
"""Listeners who ask for music side by side."""

HEARD_S: Final = 60.0
DISCORDS_LIMIT: Final = 120


@dataclass(frozen=True, slots=True)
class Figures:
    """:ivar again_s: of each guild, from the start of the process to its first frame of music, in order
    :ivar off_s: of each guild, where the music went on, less where it had stopped
    :ivar busiest: the most messages to the main gateway in any minute, of `DISCORDS_LIMIT`
    """

    guilds: int
    again_s: list[float]
    off_s: list[float]
    busiest: int
    limit_broken: int

    @property
    def ok(self) -> bool:
        """All play in time, where they were, and Discord was not asked for too much."""
        timely = len(self.again_s) == self.guilds and max(self.again_s) <= WITHIN_S
        placed = len(self.off_s) == self.guilds and all(-FARTHEST_S <= off <= NEAREST_S for off in self.off_s)
        return timely and placed and not self.limit_broken


async def measure(guilds: int, folder: Path) -> Figures:
    """Play everywhere, kill, start again, and listen."""
    async with open_house(folder, SECONDS) as house:
        witnesses = [Witness(house, await house.add_place(f"guild {number}")) for number in range(guilds)]
        await house.start()
        await house.until_ready()
        limit = anyio.CapacityLimiter(AT_ONCE)
        async with anyio.create_task_group() as tasks:
            for witness in witnesses:
                tasks.start_soon(_begin, witness, limit)
        await house.kill()
        await anyio.to_thread.run_sync(_look, witnesses)
        await house.start()
        async with anyio.create_task_group() as tasks:
            for witness in witnesses:
                tasks.start_soon(witness.place.guild.listener.wait_frames, 50, HEARD_S)
        again_s = sorted(filter(None, (witness.again_s() for witness in witnesses)))
        return _figures(house, again_s, await anyio.to_thread.run_sync(_look, witnesses))


async def _begin(witness: Witness, limit: anyio.CapacityLimiter) -> None:
    async with limit:
        await witness.begin()


def _look(witnesses: list[Witness]) -> list[float]:
    return [off for off in (witness.look() for witness in witnesses) if off is not None]


def _figures(house: House, again_s: list[float], off_s: list[float]) -> Figures:
    sends, session = house.discord.gateway.sends, house.discord.sessions[0]
    rounded = [round(each, 3) for each in again_s]
    return Figures(
        len(house.places), rounded, sorted(off_s), sends.busiest(shard_id=session.shard_id), sends.exceeded
    )


def draw(path: Path, figures: Figures) -> None:
    """How many guilds play again, over time."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.step([0.0, *figures.again_s], range(len(figures.again_s) + 1), where="post", color="#3d7a8c")
    axes.set_xlabel("s after the start of the process")
    axes.set_ylabel("guilds that hear music again")
    axes.set_ylim(0, figures.guilds + 1)
    figure.savefig(path, dpi=130)


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.restore")
    parser.add_argument("--guilds", type=int, default=50)
    parser.add_argument("--starts", type=int, default=12, help="of the bot alone, and of stock discord.py")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ostinato-start-") as folder:
        starts = anyio.run(start.measure, options.starts, Path(folder))
    print(starts.words(), flush=True)
    with tempfile.TemporaryDirectory(prefix="ostinato-restore-") as folder:
        figures = anyio.run(measure, options.guilds, Path(folder))
    FOLDER.mkdir(parents=True, exist_ok=True)
    report = asdict(figures) | {"ok": figures.ok, "one_guild": starts.to_dict()}
    (FOLDER / "restore.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    draw(FOLDER / "restore.png", figures)
    times = figures.again_s
    print(
        f"{len(times)} of {figures.guilds} guilds play again: the first after {times[0]:.2f} s, "
        f"half after {times[len(times) // 2]:.2f} s, the last after {times[-1]:.2f} s; "
        f"positions off by {figures.off_s[0]:+.2f} to {figures.off_s[-1]:+.2f} s; "
        f"busiest minute {figures.busiest} of {DISCORDS_LIMIT} messages"
    )
    return 0 if figures.ok and starts.ok else 1


if __name__ == "__main__":
    sys.exit(main())
