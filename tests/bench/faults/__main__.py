"""The table of voice faults, measured: `make bench-faults`.

A piece of it: `python -m tests.bench.faults --add --rounds 1 --players ostinato --rtcp off --dave on`, which
adds a round to those of `faults.json` and shows the worst of all that are there; `--rounds 0 --add` only
shows them. `--only hole` measures the faults with that in their names.

Each player runs in a process of its own against the embedded Discord, with a guild for each fault of a single
guild and once more for those of the main gateway, one after the other; the listener of each guild is the
judge. Faults of guilds follow one another by 0.13 s, so that their handshakes do not meet. The frames say
their numbers: a frame that the player drew and the listener never got is lost. Shown is the worst of the
rounds: the longest gap in ms and the frames lost; "never" is music that did not come back for as long as
was listened to.

It writes `faults.json`, `faults.png` and the table as `faults.md` into `build/bench`. That a player is worse
than the table allows is shown in red, and is no error.
"""

from __future__ import annotations

import argparse
import itertools
import math
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
from rich.console import Console

from tests.bench.faults.figures import Column, Round
from tests.bench.faults.measure import Conditions, run
from tests.bench.faults.picture import draw
from tests.bench.faults.players import PLAYERS
from tests.bench.faults.record import read, write
from tests.bench.faults.table import markdown, table

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULT: Final = Path("build/bench/faults.json")
CHOICES: Final = {"off": (False,), "on": (True,), "both": (False, True)}


def columns(options: argparse.Namespace) -> Iterator[Column]:
    """Every player under all conditions that were asked for."""
    for player, rtcp, dave in itertools.product(
        options.players.split(","), CHOICES[options.rtcp], CHOICES[options.dave]
    ):
        yield Column(player, Conditions(rtcp, dave))


async def measure(options: argparse.Namespace, rounds: list[Round], console: Console) -> None:
    """Each column as often as asked; what was measured is written after each round."""
    for number, column in itertools.product(range(options.rounds), columns(options)):
        console.print(f"{column.player}, {column.conditions}: round {number + 1} of {options.rounds}")
        player = PLAYERS[column.player]
        listen_s = min(options.listen, player.patience_s)
        heard = await run(player, column.conditions, listen_s, lambda row: options.only in row.name)
        rounds.append(Round(column, heard))
        write(RESULT, rounds)


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
    here = [name for name in PLAYERS if name != "songbird" or find_spec("discord.ext.songbird")]
    parser.add_argument("--players", default=",".join(here), help="of these (default all that are installed)")
    parser.add_argument("--add", action="store_true", help="to the rounds that were measured before")
    options = parser.parse_args()
    console = Console()
    rounds = read(RESULT) if options.add else []
    anyio.run(measure, options, rounds, console)
    console.print(table(rounds))
    RESULT.with_suffix(".md").write_text(markdown(rounds), encoding="utf-8")
    draw(RESULT.with_suffix(".png"), rounds)
    console.print(f"written: {RESULT}, and a table and a picture beside it")


if __name__ == "__main__":
    main()
