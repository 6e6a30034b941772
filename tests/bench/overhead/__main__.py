"""What metrics, events, alerts and spans cost: `make bench-overhead`.

One bot with 300 streams, in whose process all of that is switched off and on again and again, so that both
are measured on the same process, the same streams and the same seconds of the machine. Meanwhile somebody
gives a command each second. While it is on, the metrics are fetched every five seconds, three times as often
as Prometheus does by default, and spans are made by OpenTelemetry's SDK.

Figures are processor time of the bot's own process in a window, media workers not counted; the ratio is the
median of those of neighbouring windows. Written are `overhead.json` and `overhead.png` into `build/bench`. A
ratio above the target ends with 1.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiohttp
import anyio
from matplotlib.figure import Figure

from loopback.errors import NotAnswered
from tests.bench.voice.players import Ostinato, write_files
from tests.bench.voice.process import busy_s
from tests.bench.voice.run import Run, come_up, on_stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import Process

    from tests.bench.voice.players import Stage

MOST: Final = 1.05
"""On to off: at most 5 % more."""

FETCH_EVERY_S: Final = 5.0
COMMAND_EVERY_S: Final = 1.0
SETTLE_S: Final = 1.0
"""After the switch: starting and stopping is not what is measured."""


class Watched(Ostinato):
    """The bot of `bot.py`, which serves its metrics at `port`."""

    module = "tests.bench.overhead.bot"

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])

    def _environment(self, stage: Stage) -> dict[str, str]:
        more = {"OSTINATO_METRICS_ADDRESS": f"127.0.0.1:{self.port}", "OSTINATO_LOG_FORMAT": "json"}
        return super()._environment(stage) | more


async def measure(streams: int, pairs: int, window_s: float, into: Path) -> list[tuple[float, float]]:
    """Per cent of a core, off and on, of each pair of windows."""
    player = Watched()
    with tempfile.TemporaryDirectory(prefix="ostinato-bench-") as name:
        folder = Path(name)
        files = await anyio.to_thread.run_sync(write_files, folder)
        run = Run("overhead", player, streams)
        async with on_stage(run, files, folder, into / "overhead.log") as (process, stage, sink):
            await come_up(run, process, stage, sink)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_command, stage)
                found = [await _pair(process, player.port, number, window_s) for number in range(pairs)]
                tasks.cancel_scope.cancel()
    return found


async def _pair(process: Process, port: int, number: int, window_s: float) -> tuple[float, float]:
    """Each second pair the other way round: what grows with time must not count for one of both."""
    found: dict[bool, float] = {}
    for on in (False, True) if number % 2 == 0 else (True, False):
        await _switch(process, port, on=on)
        found[on] = await _window(process, port, window_s, on=on)
    print(f"{number + 1}: off {found[False]:.2f} %, on {found[True]:.2f} % of a core", flush=True)
    return found[False], found[True]


async def _switch(process: Process, port: int, *, on: bool) -> None:
    if on is not await _served(port):
        process.send_signal(signal.SIGUSR1 if on else signal.SIGUSR2)
    await anyio.sleep(SETTLE_S)
    assert await _served(port) is on


async def _window(process: Process, port: int, window_s: float, *, on: bool) -> float:
    before, began = busy_s(process.pid), anyio.current_time()
    while (left_s := began + window_s - anyio.current_time()) > 0:
        if on:
            assert await _served(port)
        await anyio.sleep(min(FETCH_EVERY_S, left_s))
    return 100 * (busy_s(process.pid) - before) / (anyio.current_time() - began)


async def _served(port: int) -> bool:
    """Whether the metrics are, every one of which is fetched."""
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}/metrics") as answer,
        ):
            return "ostinato_frames_sent_total" in await answer.text()
    except aiohttp.ClientError:
        return False


async def _command(stage: Stage) -> None:
    while True:
        for user, channel in stage.seats:
            try:
                await (await user.slash(channel, "nowplaying")).wait_answer(20.0)
            except NotAnswered:
                print("a command was not answered", flush=True)
            await anyio.sleep(COMMAND_EVERY_S)


def main(args: Sequence[str]) -> int:
    """Measure, show, write."""
    options = _options(args)
    options.into.mkdir(parents=True, exist_ok=True)
    found = anyio.run(measure, options.streams, options.pairs, options.seconds, options.into)
    ratios = [on / off for off, on in found]
    ratio = statistics.median(ratios)
    report = {
        "streams": options.streams,
        "pairs": found,
        "ratio": ratio,
        "target": MOST,
        "met": ratio <= MOST,
    }
    (options.into / "overhead.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    draw(options.into / "overhead.png", found, options.streams)
    print(
        f"{options.streams} streams: {ratio:.3f} times the processor time with all of it on "
        f"({min(ratios):.3f} to {max(ratios):.3f}); at most {MOST}: {'met' if ratio <= MOST else 'MISSED'}"
    )
    return 0 if ratio <= MOST else 1


def draw(path: Path, pairs: Sequence[tuple[float, float]], streams: int) -> None:
    """A line from off to on for each pair, and the ratios of all beside the target."""
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(2, 1))
    for off, on in pairs:
        left.plot((0, 1), (off, on), "o-", color="#2a6f97", alpha=0.6)
    left.set_xticks((0, 1), ("all of it off", "on"))
    left.set(xlim=(-0.3, 1.3), ylim=(0, None), ylabel="% of a core")
    left.set_title(f"Telemetry at {streams} streams: neighbouring windows", loc="left", fontsize=11)
    ratios = [on / off for off, on in pairs]
    right.plot([0] * len(ratios), ratios, "o", color="#2a6f97", alpha=0.6)
    middle = statistics.median(ratios)
    right.axhline(middle, color="#2f2a33", label=f"median {middle:.3f}")
    right.axhline(MOST, color="#d1495b", linestyle="--", label=f"at most {MOST}")
    right.set_xticks(())
    right.set_title("on to off", loc="left", fontsize=11)
    right.legend(frameon=False)
    figure.savefig(path, dpi=130)


def _options(args: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.overhead", description="Telemetry's cost.")
    parser.add_argument("--streams", type=int, default=300)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a window")
    parser.add_argument("--into", type=Path, default=Path("build/bench"))
    return parser.parse_args(args)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
