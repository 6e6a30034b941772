"""The bench of the kernel: `make bench-kernel`.

A part of it: `python -m tests.bench.kernel --only ask --loop asyncio`.

What it does, so that the figures can be judged:

- **Ratios, not microseconds.** All variants of a measure run in the same process on the same event loop and
  take turns, in a new order each round (`rounds.py`). A ratio is taken within a round; the table shows its
  median and quartiles over the rounds. Microseconds are shown too, but they are the machine's and the
  day's. Time is the clock's, so a machine with other work on it widens the quartiles, most of the slow.
- **Floors** (`floors.py`) are the least that anybody could write by hand: a deque and one parked future.
  They have no bound, no errors, no supervision. A kernel cannot reach them; the ratio says what its
  promises cost.
- **The same work everywhere.** A handler adds one to a number. Producers are the same function for all, and
  its yields (one `anyio` checkpoint each 64 messages, or each look at a lone message) are counted with
  everybody: that dilutes the ratios a little, most for lone messages.
- **Bounded.** Queues, streams and the kernel's mailboxes have room for 4,096 messages. Floors, Pykka and
  fauxtp have no bound.
- **Rivals** (`rivals.py`) do a quarter of the operations, for they are slower. Pykka's asker blocks the
  event loop's thread while the actor's thread answers: that is its way of use. Libraries made of processes
  are left out: they do another thing.
- **The collector is on**, with what stood before a measure frozen, and one collection before each sample,
  outside its time.
- **Restart** counts from the message that crashes the actor to the answer of its successor to the request
  behind it; its baseline is the kernel's own ask. Backoff is 0 and nothing is logged. The event stream has
  no subscriber.
- **Memory and pauses** are measured in fresh processes (`memory.py`, `pauses.py`), the pauses thrice, with
  the median of the worst.

It writes `kernel.json`, `kernel.png` and `kernel.md` (the table of the kernel's README) into `build/bench`.
That a target is not met is shown and is no error.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tests.bench.kernel import table
from tests.bench.kernel.figures import UNITS
from tests.bench.kernel.loops import installed_loops
from tests.bench.kernel.measures import TINY, Sizes, run_measure, steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.kernel.figures import Figure


def run(console: Console, measures: Sequence[str], loops: Sequence[str], sizes: Sizes) -> list[Figure]:
    """Measure all of it, with a line that tells how far it is."""
    total = len(loops) * sum(steps(measure, sizes) for measure in measures)
    columns = (
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    found: list[Figure] = []
    # a refresh by a thread would come in the middle of a sample
    with Progress(*columns, console=console, auto_refresh=False, transient=True) as progress:
        task = progress.add_task("", total=total)
        for measure in measures:
            for loop in loops:
                progress.update(task, description=f"{measure}, {loop}", refresh=True)
                if not console.is_terminal:
                    console.print(f"{measure}, {loop} ...")
                found += run_measure(
                    measure, loop, sizes, lambda: progress.update(task, advance=1, refresh=True)
                )
    return found


def main(args: Sequence[str]) -> int:
    """Run, show, write."""
    options = _options(args)
    console = Console(width=None if sys.stdout.isatty() else 110)
    sizes = TINY if options.tiny else Sizes(rounds=options.rounds)
    measures = [name for name in UNITS if any(word in name for word in options.only or [""])]
    figures = run(console, measures, options.loop or installed_loops(), sizes)
    for each in (*table.tables(figures), ", ".join(table.measured_on().values())):
        console.print(each)
    options.into.mkdir(parents=True, exist_ok=True)
    table.write_json(options.into / "kernel.json", figures)
    (options.into / "kernel.md").write_text(table.markdown(figures), "utf-8")
    _draw(options.into / "kernel.png", figures)
    console.print("\n".join(table.verdict(figures)), style="bold", highlight=False)
    return 0


def _draw(path: Path, figures: Sequence[Figure]) -> None:
    # not earlier: matplotlib is large, and the collector would search it while others are measured
    from tests.bench.kernel.picture import draw

    draw(path, figures)


def _options(args: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.kernel", description="The bench of the kernel."
    )
    parser.add_argument(
        "--only", action="append", metavar="WORD", help=f"measures that contain it: {', '.join(UNITS)}"
    )
    parser.add_argument("--loop", action="append", choices=installed_loops(), help="this event loop alone")
    parser.add_argument(
        "--rounds", type=int, default=Sizes().rounds, help="how often the variants take turns"
    )
    parser.add_argument("--tiny", action="store_true", help="a few of everything, to see that it works")
    parser.add_argument(
        "--into", type=Path, default=Path("build/bench"), help="folder of kernel.json and kernel.png"
    )
    return parser.parse_args(args)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
