"""Findings, and how they look in a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence


class Level(Enum):
    """How bad a finding is; the value is its mark and its colour."""

    OK = ("ok", "green")
    NOTE = ("note", "cyan")
    """Good to know; nothing is wrong."""
    WARN = ("warn", "yellow")
    """The bot runs, but something will not work, or not for long."""
    FAIL = ("FAIL", "bold red")
    """The bot cannot run, or cannot play."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: what is so, and if it is not right, what to do about it."""

    name: str
    level: Level
    what: str
    todo: str = ""
    link: str = ""
    """Shown below the table in one piece, so that it can be clicked or copied."""


def ok(name: str, what: str) -> Finding:
    """All is well."""
    return Finding(name, Level.OK, what)


def note(name: str, what: str, todo: str = "", *, link: str = "") -> Finding:
    """Something good to know."""
    return Finding(name, Level.NOTE, what, todo, link)


def warn(name: str, what: str, todo: str) -> Finding:
    """Something that will not work."""
    return Finding(name, Level.WARN, what, todo)


def fail(name: str, what: str, todo: str) -> Finding:
    """Something that keeps the bot from playing."""
    return Finding(name, Level.FAIL, what, todo)


def print_report(findings: Sequence[Finding], console: Console | None = None) -> None:
    """Print a table, and one line that sums it up."""
    table = Table("Check", "", "Found, and what to do", box=None, pad_edge=False, header_style="bold")
    for finding in findings:
        mark, style = finding.level.value
        words = Text(finding.what)
        if finding.todo:
            words.append(f"\n-> {finding.todo}", style=style)
        table.add_row(Text(finding.name), Text(mark, style=style), words)
    console = console or Console()
    console.print(table)
    for finding in findings:
        if finding.link:
            console.print(Text(f"\n{finding.name}: {finding.link}"), soft_wrap=True)
    console.print(Text(f"\n{summary(findings)}", style="bold"))


def summary(findings: Sequence[Finding]) -> str:
    """The verdict in one line."""
    counts = {level: sum(finding.level is level for finding in findings) for level in Level}
    if counts[Level.FAIL]:
        return f"{counts[Level.FAIL]} of {len(findings)} checks failed: the bot cannot play yet."
    if counts[Level.WARN]:
        return f"The bot can play; {counts[Level.WARN]} of {len(findings)} checks have a warning."
    return "All is well: start the bot with `ostinato run`."
