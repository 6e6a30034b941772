"""The table of voice faults, measured: `make bench-faults`.

A part of it: `python -m tests.bench.faults --only hole --rounds 1 --rtcp off --dave off`.

Each player runs in a process of its own against the embedded Discord, with a guild for each fault of a single
guild and a run for each fault of the main gateway; the listener of each guild is the judge. Faults follow one
another by 0.13 s, so that their handshakes do not meet. The frames say their numbers: a frame that the player
drew and the listener never got is lost. Shown is the worst of the rounds: the longest gap in ms and the
frames lost; "never" is music that did not come back for as long as was listened to.

It writes `faults.json` and `faults.png` into `build/bench`. That a player is worse than the table is shown
in red, and is no error.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
from rich.console import Console
from rich.table import Table

from tests.bench.faults.figures import coloured, rows_of, worst
from tests.bench.faults.measure import Conditions, run
from tests.bench.faults.picture import draw
from tests.bench.faults.players import OurPlayer, StockPlayer

if TYPE_CHECKING:
    from tests.bench.faults.figures import Column, Heard
    from tests.bench.faults.players import Player

PLAYERS: Final[tuple[Player, ...]] = (OurPlayer(), StockPlayer())
RESULT: Final = Path("build/bench/faults.json")
PICTURE: Final = RESULT.with_suffix(".png")
CHOICES: Final = {"off": (False,), "on": (True,), "both": (False, True)}


def table(columns: dict[Column, Heard]) -> Table:
    """The whole table, a row a fault, in the order of their definition."""
    made = Table(title="longest gap in ms / frames lost +repeated")
    made.add_column("fault")
    made.add_column("allowed ms", justify="right")
    for player, conditions in columns:
        made.add_column(f"{player.name}\n{conditions}", justify="right")
    for row in rows_of(columns):
        cells = [coloured(row, heard.get(row)) for heard in columns.values()]
        made.add_row(row.name, f"{row.gap_ms:.0f}", *cells)
    return made


def write(path: Path, columns: dict[Column, Heard]) -> None:
    """All figures as JSON."""
    entries = [
        {
            "player": player.name,
            **asdict(conditions),
            "fault": row.name,
            "allowed_ms": row.gap_ms,
            **asdict(one),
        }
        for (player, conditions), heard in columns.items()
        for row, one in heard.items()
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


async def measure(options: argparse.Namespace, console: Console) -> dict[Column, Heard]:
    """Every player under all conditions, as often as asked."""
    columns: dict[Column, Heard] = {}
    for player, rtcp, dave in itertools.product(PLAYERS, CHOICES[options.rtcp], CHOICES[options.dave]):
        conditions, rounds = Conditions(rtcp, dave), []
        for number in range(options.rounds):
            console.print(f"{player.name}, {conditions}: round {number + 1} of {options.rounds}")
            listen_s = min(options.listen, player.patience_s)
            rounds.append(await run(player, conditions, listen_s, lambda row: options.only in row.name))
        columns[player, conditions] = worst(rounds)
    return columns


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.faults")
    parser.add_argument("--only", default="", metavar="TEXT", help="faults with this in their names")
    parser.add_argument("--rounds", type=int, default=3, help="the worst of so many is shown (default 3)")
    parser.add_argument(
        "--listen", type=float, default=math.inf, metavar="S", help="seconds after the faults at most"
    )
    parser.add_argument("--rtcp", choices=CHOICES, default="both", help="RTCP from the server")
    parser.add_argument("--dave", choices=CHOICES, default="both", help="end-to-end encryption")
    options = parser.parse_args()
    console = Console()
    columns = anyio.run(measure, options, console)
    console.print(table(columns))
    write(RESULT, columns)
    draw(PICTURE, columns)
    console.print(f"written: {RESULT} and {PICTURE}")


if __name__ == "__main__":
    main()
