"""What the demo shows while it runs: steps as lines, the music as a bar where there is a terminal."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.progress import TaskID

    from loopback.listening.heard import TrackReport

_NEAR_S: Final = 0.1
LINE_EVERY_S: Final = 5.0  # where there is no terminal


@dataclass(slots=True)
class Display:
    """Writes to `console`. Without a terminal the bar becomes a line every few seconds."""

    console: Console = field(default_factory=lambda: Console(highlight=False))
    _bar: Progress | None = None
    _tasks: dict[str, TaskID] = field(default_factory=dict)
    _written_s: float = 0.0
    _current: str = ""
    _over: bool = False

    def step(self, text: str) -> None:
        """Something was done."""
        self.console.print(f"[green]•[/] {escape(text)}")

    def says(self, who: str, text: str) -> None:
        """Somebody wrote something in the channel."""
        lines = [line.strip() for line in text.replace("**", "").splitlines() if line.strip()]
        self.console.print(f"  [bold]{escape(who)}[/]: {escape(' · '.join(lines))}")

    def hint(self, text: str) -> None:
        """One line that can be copied."""
        self.console.print(f"[green]•[/] {escape(text)}", soft_wrap=True)

    def failure(self, text: str) -> None:
        """The one line that says why the demo failed."""
        self.console.print(f"[bold red]✗[/] {escape(text)}", soft_wrap=True)

    def quote(self, title: str, lines: Iterable[str]) -> None:
        """Lines of a log."""
        self.console.print(f"[dim]{escape(title)}[/]")
        for line in lines:
            self.console.print(f"[dim]  {escape(line)}[/]", soft_wrap=True)

    @contextmanager
    def music(self) -> Iterator[None]:
        """While the music plays; `heard` may be called inside."""
        if not self.console.is_terminal:
            yield
            return
        columns = (
            TextColumn("  [bold]{task.description}[/]"),
            BarColumn(bar_width=36),
            TextColumn("{task.fields[clock]}  [dim]{task.fields[note]}[/]"),
        )
        with Progress(*columns, console=self.console, refresh_per_second=5) as self._bar:
            yield
        self._bar = None

    def heard(self, title: str, place_s: float, length_s: float | None, note: str) -> None:
        """The listener hears this place of this track."""
        if length_s is not None and place_s > length_s - _NEAR_S:
            place_s = max(place_s, length_s)  # an encoder's delay is no missing second
        clock = f"{_clock(place_s)} of {_clock(length_s)}" if length_s else _clock(place_s)
        if self._bar is not None:
            task = self._tasks.get(title)
            if task is None:
                task = self._tasks[title] = self._bar.add_task(title, total=length_s, clock="", note="")
            self._bar.update(task, completed=place_s, clock=clock, note=note)
        elif time.monotonic() - self._written_s >= LINE_EVERY_S or self._turns(title, place_s, length_s):
            self._written_s, self._current = time.monotonic(), title
            self.console.print(f"  heard: {escape(title)}  {clock}  {note}")

    def _turns(self, title: str, place_s: float, length_s: float | None) -> bool:
        """Whether this is the first word of a track, or the last."""
        if title != self._current:
            return True
        over, self._over = self._over, length_s is not None and place_s >= length_s
        return self._over and not over

    def report(self, reports: Sequence[TrackReport]) -> None:
        """The table at the end, and what is wrong, a line each."""
        table = Table(
            title="What the listener heard", title_justify="left", title_style="bold", box=box.SIMPLE
        )
        table.add_column("track", style="bold", overflow="fold")
        for heading in ("heard", "longest gap", "lost", "repeated", "out of order"):
            table.add_column(heading, justify="right", no_wrap=True)
        for one in reports:
            asked = "" if one.seconds_asked is None else f" of {one.seconds_asked:.1f}"
            cells = (f"{one.seconds_heard:.1f}{asked} s", f"{one.longest_gap_ms:.0f} ms")
            counts = (str(one.lost), str(one.repeated), str(one.out_of_order))
            table.add_row(escape(one.track), *cells, *counts)
        self.console.print()
        self.console.print(table)
        for one in reports:
            for problem in one.problems:
                self.failure(f"{one.track}: {problem}")
            self.console.print(f"  [dim]the order of {escape(one.track)} was judged by {one.judged_by}[/]")
            reach = "end to end" if one.end_to_end else "only as far as the voice server"
            self.console.print(f"  [dim]it was encrypted {reach}[/]")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(0, int(seconds)), 60)
    return f"{minutes}:{rest:02d}"
