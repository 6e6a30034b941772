"""The bench of voice at scale: `make bench-voice`.

A part of it: `python -m tests.bench.voice --sizes 1,100 --players ostinato,floor`. With `--add` the rows join
those of earlier calls, so that the whole can be measured piece by piece.

What it does, so that the figures can be judged:

- **Whole programs.** Each player is a process of its own that joins N guilds of an embedded Discord over TLS,
  voice gateway and UDP. Ours is the bot as `ostinato run` starts it, with its trees, displays and state;
  users ask for a track by slash commands. `stock` is discord.py with its cheapest source (Opus from memory),
  `songbird` discord.py with a Rust voice engine. `floor` is an event loop that seals and sends, and nothing
  else.
- **The same sound.** 20 ms Opus frames of 320 bytes, passed through by everybody.
- **The player has a core for itself**; the embedded Discord and the receiver share the others.
- **The receiver** (`sink.py`) takes packets in batches, with the kernel's receive times, and tells how many
  the kernel had to drop: a run with any is void.
- **Machines are not even.** Where others share its processors the same row differs by a third in minutes:
  `--rounds 3` takes each size three times, the players in turn, and shows medians (of gaps the longest, of
  rates the worst, of what was lost the sum).
- **CPU** is user and system time of the player's processes in the window (for ours the media workers too),
  over streams and minutes. Ratios are taken between rows of the same call.
- **DAVE** off is the comparison, as songbird's engine does not have it; the rows with DAVE have one more
  member in each channel, for whom every frame is encrypted end to end.
- **Idle**: connections that have joined half a minute before and play nothing. The window is 53 s, whatever
  `--seconds` says: heartbeats may leave in bunches, four times in that time, and with every second bunch
  keep-alives.

It writes `voice.json`, `voice.md` and `voice.png` into `build/bench`. That a target is not met is shown;
it is no error.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
from rich.console import Console

from tests.bench.voice import rows, table, targets
from tests.bench.voice.players import PLAYERS, write_files
from tests.bench.voice.run import NotUpError, Run, measure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.bench.voice.rows import Absent, Row

SIZES: Final = (1, 10, 100, 300, 500, 1000)
IDLE: Final = 500
FILE: Final = "voice.json"
MOST: Final = {"stock": 300, "songbird": 500}
"""Beyond this stock discord.py no longer keeps 50 frames a second, and songbird takes a quarter of an hour to
join: they would only be waited for."""


@dataclass(slots=True)
class Found:
    """What the calls so far have shown."""

    rows: list[Row] = field(default_factory=list)
    absent: list[Absent] = field(default_factory=list)

    def write(self, into: Path) -> None:
        """After each run, so that one that is broken off costs no other."""
        rows.write(into / FILE, self.rows, self.absent, targets.reached(self.rows))


def plan(options: argparse.Namespace) -> Iterator[Run]:
    """Each run of this call."""
    name = datetime.now(UTC).isoformat(timespec="seconds")
    players = [PLAYERS[each] for each in options.players]
    for streams, _ in product(options.sizes, range(options.rounds)):
        for player in players:
            for dave in options.dave:
                if streams <= MOST.get(player.name, streams) and (player.dave or not dave):
                    yield Run(name, player, streams, dave)
    for player in players:
        if options.idle and player.joins:
            yield Run(name, player, options.idle, plays=False)


async def carry_out(runs: Sequence[Run], found: Found, console: Console, into: Path, window_s: float) -> None:
    """All runs, one after the other, a line for each as it ends."""
    with tempfile.TemporaryDirectory(prefix="ostinato-bench-") as name:
        folder = Path(name)
        files = await anyio.to_thread.run_sync(write_files, folder)
        for number, run in enumerate(runs, start=1):
            console.print(f"{number}/{len(runs)}: {table.what(run)} ...", highlight=False)
            own = folder / str(number)  # the bot takes up what it finds there: nothing of an earlier run
            own.mkdir()
            try:
                row = await measure(run, files, own, into / f"voice-{run.player.name}.log", window_s)
            except (NotUpError, TimeoutError) as error:
                heard = error.heard if isinstance(error, NotUpError) else 0
                found.absent.append(rows.Absent(run.name, run.player.name, run.streams, run.dave, heard))
                console.print(f"    did not come up: {heard} of {run.streams}", style="red")
            else:
                found.rows.append(row)
                console.print(f"    {table.in_short(row)}", highlight=False)
            found.write(into)


def main(args: Sequence[str]) -> int:
    """Measure, show, write."""
    options = _options(args)
    console = Console(width=None if sys.stdout.isatty() else 150)
    options.into.mkdir(parents=True, exist_ok=True)
    found = Found(*(rows.read(options.into / FILE) if options.add else ()))
    anyio.run(carry_out, list(plan(options)), found, console, options.into, options.seconds)
    console.print(table.rows(found.rows))
    console.print(table.verdicts(found.rows))
    _report(options.into, found)
    return 0 if not any(row.arrivals is not None and row.arrivals.dropped for row in found.rows) else 1


def _report(into: Path, found: Found) -> None:
    from tests.bench.voice import (
        markdown,
        picture,
    )  # matplotlib is large, and its memory is not to be measured

    picture.draw(into / "voice.png", rows.latest(found.rows))
    (into / "voice.md").write_text(markdown.report(found.rows, found.absent), "utf-8")


def _options(args: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.voice", description="Voice at scale.")
    parser.add_argument("--sizes", type=_numbers, default=list(SIZES))
    parser.add_argument("--players", type=lambda text: text.split(","), default=list(PLAYERS))
    parser.add_argument("--dave", type=_switches, default=[False, True], help="off, on or off,on")
    parser.add_argument("--idle", type=int, default=IDLE, help="connections that play nothing; 0: none")
    parser.add_argument("--rounds", type=int, default=1, help="of each row; the medians are shown")
    parser.add_argument("--seconds", type=float, default=15.0, help="length of the window while they play")
    parser.add_argument("--into", type=Path, default=Path("build/bench"))
    parser.add_argument("--add", action="store_true", help="keep the rows of earlier calls")
    return parser.parse_args(args)


def _numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",") if each]


def _switches(text: str) -> list[bool]:
    return [{"off": False, "on": True}[each] for each in text.split(",")]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
