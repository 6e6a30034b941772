"""The bench of voice at scale: `make bench-voice`.

A part of it: `python -m tests.bench.voice --sizes 1,100 --players ostinato,floor`.

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
- **CPU** is user and system time of the player's processes in the window (for ours the media workers too),
  over streams and minutes. Ratios are taken between rows of the same run.
- **DAVE** off is the comparison, as songbird's engine does not have it; the rows with DAVE have one more
  member in each channel, for whom every frame is encrypted end to end.

It writes `voice.json` and `voice.png` into `build/bench`. That a target is not met is shown and is no error.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
from rich.console import Console

from tests.bench.voice import table
from tests.bench.voice.players import PLAYERS, write_files
from tests.bench.voice.run import Row, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SIZES: Final = (1, 10, 100, 300, 500, 1000)
WITH_DAVE: Final = ((100, "ostinato"), (1000, "ostinato"), (100, "stock"))
MOST: Final = {"stock": 300, "songbird": 800}
"""Beyond these a rival no longer keeps 50 frames a second: it would only be waited for."""


def plan(sizes: Sequence[int], players: Sequence[str]) -> Iterator[tuple[int, str, bool]]:
    """Streams, player and whether with DAVE, of each run."""
    for streams in sizes:
        for player in players:
            if streams <= MOST.get(player, streams):
                yield streams, player, False
    for streams, player in WITH_DAVE:
        if streams in sizes and player in players:
            yield streams, player, True


async def measure(console: Console, options: argparse.Namespace) -> list[Row]:
    """All runs, one after the other, a line for each as it ends."""
    rows: list[Row] = []
    runs = list(plan(options.sizes, options.players))
    with tempfile.TemporaryDirectory(prefix="ostinato-bench-") as name:
        folder = Path(name)
        files = await anyio.to_thread.run_sync(write_files, folder)
        for number, (streams, player, dave) in enumerate(runs, start=1):
            what = f"{number}/{len(runs)}: {player}, {streams} streams{', DAVE' if dave else ''}"
            console.print(f"{what} ...", highlight=False)
            try:
                row = await run(PLAYERS[player], streams, files, folder, window_s=options.seconds, dave=dave)
            except TimeoutError:
                console.print("    did not come up", style="red")
                continue
            rows.append(row)
            console.print(f"    {table.in_short(row)}", highlight=False)
    return rows


def main(args: Sequence[str]) -> int:
    """Measure, show, write."""
    options = _options(args)
    console = Console(width=None if sys.stdout.isatty() else 140)
    rows = anyio.run(measure, console, options)
    options.into.mkdir(parents=True, exist_ok=True)
    console.print(table.rows(rows))
    console.print(table.verdicts(rows))
    table.write_json(options.into / "voice.json", rows)
    _draw(options.into / "voice.png", rows)
    return 0 if not any(row.arrivals.dropped for row in rows) else 1


def _draw(path: Path, rows: Sequence[Row]) -> None:
    from tests.bench.voice.picture import draw  # matplotlib is large, and its memory is not to be measured

    draw(path, rows)


def _options(args: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.voice", description="Voice at scale.")
    parser.add_argument(
        "--sizes", type=lambda text: [int(each) for each in text.split(",")], default=list(SIZES)
    )
    parser.add_argument("--players", type=lambda text: text.split(","), default=list(PLAYERS))
    parser.add_argument("--seconds", type=float, default=15.0, help="length of the window")
    parser.add_argument("--into", type=Path, default=Path("build/bench"))
    return parser.parse_args(args)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
