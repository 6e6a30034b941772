"""SIGKILL at random moments under commands: `make crash` (200 kills, a quarter of an hour; KILLS=, SEED=).

Exit status 0 only if no acknowledged change was lost or doubled, every file was sound, and the music went on
where it had been. Written are `crash.json` and `crash.png` into `build/bench`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Final

import anyio
from matplotlib.figure import Figure

from tests.crash.crash import FARTHEST_S, NEAREST_S, crash

if TYPE_CHECKING:
    from tests.crash.crash import Figures
    from tests.crash.life import Outcome

FOLDER: Final = Path("build/bench")
SECONDS: Final = 120.0


def tell(number: int, outcome: Outcome) -> None:
    """One line a kill."""
    off = "" if outcome.off_s is None else f"  position {outcome.off_s:+.2f} s"
    again = "" if outcome.again_s is None else f"  music after {outcome.again_s:.2f} s"
    print(f"{number:4}{off}{again}{''.join(f'  BROKEN {each}' for each in outcome.wrong)}", flush=True)


def draw(path: Path, figures: Figures) -> None:
    """How far off the music went on, and how soon."""
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.hist(figures.off_s, bins=30, color="#3d7a8c")
    for bound in (-FARTHEST_S, NEAREST_S):
        left.axvline(bound, color="#c2185b", linestyle="--")
    left.set_xlabel("where the music went on, less where it was cut off (s)")
    left.set_ylabel("kills")
    right.hist(figures.again_s, bins=30, color="#3d7a8c")
    right.set_xlabel("start of the process to the first frame of music (s)")
    figure.savefig(path, dpi=130)


def main() -> int:
    """Kill, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash")
    parser.add_argument("--kills", type=int, default=int(os.environ.get("KILLS") or 200))
    seed = os.environ.get("SEED") or SystemRandom().randrange(10**6)
    parser.add_argument("--seed", type=int, default=int(seed))
    options = parser.parse_args()
    print(f"{options.kills} kills, seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="ostinato-crash-") as folder:
        run = partial(crash, Path(folder), kills=options.kills, seed=options.seed, seconds=SECONDS, tell=tell)
        figures = anyio.run(run)
    report = {"seed": options.seed} | figures.to_dict()
    print(json.dumps(report, indent=1))
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "crash.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    draw(FOLDER / "crash.png", figures)
    return 0 if figures.ok else 1


if __name__ == "__main__":
    sys.exit(main())
