"""What a run shows while it goes on: a table where there is a terminal, else a line now and then."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import anyio
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from loopback.chaos.bot import now_s

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loopback.chaos.performance import Performance
    from loopback.chaos.report import Player, Report
    from loopback.chaos.scene import Seat

REFRESH_S: Final = 0.5
LINE_S: Final = 10.0
RECENT: Final = 6
MOST_GUILDS: Final = 30


@dataclass(eq=False)
class View:
    """Writes to `console`."""

    console: Console = field(default_factory=lambda: Console(highlight=False))
    _live: Live | None = None

    def say(self, words: str) -> None:
        """One line."""
        self.console.print(f"[green]•[/] {escape(words)}", soft_wrap=True)

    @contextmanager
    def live(self) -> Iterator[None]:
        """While the chaos goes on; `follow` may run inside."""
        if not self.console.is_terminal:
            yield
            return
        with Live(console=self.console, auto_refresh=False, transient=True) as self._live:
            yield
        self._live = None

    async def follow(self, performance: Performance, seconds: float) -> None:
        """For ever: show how it is."""
        while True:
            if self._live is not None:
                self._live.update(_screen(performance, seconds), refresh=True)
                await anyio.sleep(REFRESH_S)
            else:
                await anyio.sleep(LINE_S)
                self.say(_line(performance, seconds))

    def conclude(self, report: Report) -> None:
        """The figures, and what was broken."""
        self.console.print(_figures(report.player, report.other))
        for broken in report.violations:
            where = f" in {broken.guild}" if broken.guild else ""
            words = f"{broken.invariant} at {broken.at_s:.1f} s{where}: {broken.words}"
            self.console.print(f"[bold red]✗[/] {escape(words)}", soft_wrap=True)
        self.say(_verdict(report))


def _verdict(report: Report) -> str:
    done, broken = report.commands, len(report.violations)
    verdict = "every invariant was kept" if report.ok else f"{broken} times an invariant was violated"
    heard = f"{100 * report.player.share_heard:.3f} % was heard of what was due"
    commands = f"{done.acknowledged} commands acknowledged, {done.lost} lost"
    return f"{verdict} (seed {report.run.seed}); {heard}; {commands}; {report.player.lives} processes"


def _line(performance: Performance, seconds: float) -> str:
    scene = performance.scene
    gaps = [gap.length_ms for seat in scene.seats for gap in seat.hearing.gaps]
    done = f"{len(scene.ledger.entries)} things done, process {scene.player.life}"
    silences = f"{len(gaps)} silences, the longest {max(gaps, default=0):.0f} ms"
    return f"{now_s(performance.began_ns):.0f} of {seconds:.0f} s: {done}, {silences}"


def _screen(performance: Performance, seconds: float) -> Group:
    table = Table(box=None, expand=True, pad_edge=False, header_style="reverse")
    for name, justify in (("GUILD", "left"), ("HEARS", "left"), ("SILENCES", "right"), ("LONGEST", "right")):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]  # a literal in a tuple
    table.add_column("WHAT IS DONE TO IT", ratio=1, no_wrap=True)
    for seat in performance.scene.seats[:MOST_GUILDS]:
        table.add_row(*_row(performance, seat))
    recent = [""]
    for one in performance.scene.ledger.entries[-RECENT:]:
        at_s = (one.start_ns - performance.began_ns) / 1e9
        recent.append(f"{at_s:7.1f} s  {one.guild or 'everybody'}: {one.kind} {one.path}")
    title = Text(_line(performance, seconds), style="bold")
    return Group(title, table, Text("\n".join(recent), style="dim"))


def _row(performance: Performance, seat: Seat) -> tuple[Text | str, ...]:
    hearing, now_ns = seat.hearing, time.time_ns()
    silent_s = (now_ns - hearing.last_ns) / 1e9
    playing = hearing.now
    hears = "nothing" if playing is None else f"track {playing.track}, {playing.last / 50:.1f} s"
    sound = Text(hears, style="green") if silent_s < 1 else Text(f"silent for {silent_s:.1f} s", style="red")
    doing = [
        one.kind
        for one in performance.scene.ledger.entries[-100:]
        if one.concerns(seat.guild.name) and (one.end_ns is None or now_ns - one.end_ns < 1_500_000_000)
    ]
    longest_ms = max((gap.length_ms for gap in hearing.gaps), default=0.0)
    return seat.guild.name, sound, str(len(hearing.gaps)), f"{longest_ms:.0f} ms", ", ".join(doing)


def _figures(player: Player, other: Player | None) -> Table:
    table = Table(title="the longest silence of which nothing else is a part, beyond what was forced")
    for name in ("fault", "times", "allowed ms", player.name):
        table.add_column(name, justify="left" if name == "fault" else "right")
    theirs = {} if other is None else {one.kind: one for one in other.kinds}
    if other is not None:
        table.add_column(other.name, justify="right")
    for one in player.kinds:
        cells = [one.kind, str(one.count), f"{one.bound_ms:.0f}", _cell(one.longest_beyond_ms)]
        if other is not None:
            cells.append(_cell(theirs[one.kind].longest_beyond_ms) if one.kind in theirs else "")
        table.add_row(*cells)
    return table


def _cell(longest_ms: float) -> str:
    return f"{longest_ms:.0f}" if longest_ms else "·"
