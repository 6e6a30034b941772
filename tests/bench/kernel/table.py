"""The figures as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from typing import TYPE_CHECKING, Final

from rich.table import Table

from tests.bench.kernel.figures import BASELINES, EVERY_LOOP, TARGETS, UNITS, Figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_PACKAGES: Final = ("anyio", "trio", "uvloop", "pykka", "fauxtp", "papyra")
_VERDICTS: Final = {True: "[green]met[/]", False: "[bold red]not met[/]", None: ""}


def tables(figures: Sequence[Figure]) -> Iterator[Table]:
    """One table for each measure, its loops below each other."""
    for measure, group in groupby(figures, key=lambda figure: figure.measure):
        yield _table(measure, list(group))


def _table(measure: str, figures: Sequence[Figure]) -> Table:
    base = BASELINES.get(measure)
    table = Table(title=f"[bold]{measure}[/]", title_justify="left", caption_justify="left")
    table.caption = f"ratio to: {base}" if base else None
    for name, width in (("loop", 7), ("what", 40)):
        table.add_column(name, no_wrap=True, min_width=width)
    for name in (UNITS[measure], *(("ratio", "quartiles") if base else ()), "target"):
        table.add_column(name, justify="right", min_width=7)
    table.add_column("", min_width=7)
    for loop, group in groupby(figures, key=lambda figure: figure.loop):
        for number, figure in enumerate(group):
            table.add_row("" if number else loop, *_cells(figure), style="bold" if figure.is_kernel else "")
        table.add_section()
    return table


def _cells(figure: Figure) -> list[str]:
    ratio = figure.ratio
    return [
        figure.row,
        number_text(figure.value),
        *((f"{ratio.median:.2f}", f"{ratio.low:.2f}-{ratio.high:.2f}") if ratio else ()),
        f"<= {figure.target:,g}" if figure.target else "",
        _VERDICTS[figure.met],
    ]


def number_text(value: float) -> str:
    """Three figures that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def verdict(figures: Sequence[Figure]) -> list[str]:
    """How many targets are met, and which are not, a line each."""
    aimed = [figure for figure in figures if figure.met is not None]
    missed = [figure for figure in aimed if not figure.met]
    lines = [f"{len(aimed) - len(missed)} of {len(aimed)} targets met"]
    return lines + [f"not met: {figure.measure}, {figure.row}, on {figure.loop}" for figure in missed]


def markdown(figures: Sequence[Figure]) -> str:
    """What has a target, as a table of Markdown: a line for each, a column for each loop."""
    loops = list(dict.fromkeys(figure.loop for figure in figures))
    lines = [f"| | {' | '.join(loops)} | target |", "|---|" + "---|" * (len(loops) + 1)]
    for measure, row in dict.fromkeys((target.measure, target.row) for target in TARGETS):
        mine = {figure.loop: figure for figure in figures if (figure.measure, figure.row) == (measure, row)}
        if mine:
            cells = [_in_short(mine[loop]) if loop in mine else "" for loop in loops]
            lines.append(f"| {title(measure, row)} | {' | '.join(cells)} | {_aims(measure, row)} |")
    return "\n".join(lines) + "\n"


def title(measure: str, row: str) -> str:
    """A row of the Markdown table by name."""
    return f"{measure}: {row.removeprefix('kernel: ')}"


def _in_short(figure: Figure) -> str:
    value = f"{number_text(figure.value)} {figure.unit}"
    return f"**{figure.ratio.median:.2f}** ({value})" if figure.ratio else f"**{value}**"


def _aims(measure: str, row: str) -> str:
    found = [target for target in TARGETS if (target.measure, target.row) == (measure, row)]
    return ", ".join(
        f"≤ {target.at_most:,g}" + ("" if target.loops == EVERY_LOOP else f" on {' and '.join(target.loops)}")
        for target in found
    )


def write_json(path: Path, figures: Sequence[Figure]) -> None:
    """All figures with what they were measured on."""
    report = {"schema": 1, **measured_on(), "figures": [figure.to_dict() for figure in figures]}
    path.write_text(json.dumps(report, indent=1) + "\n", "utf-8")


def measured_on() -> dict[str, str]:
    """Machine and versions, in words."""
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "packages": ", ".join(f"{name} {text}" for name, text in _versions()),
    }


def _versions() -> Iterator[tuple[str, str]]:
    for package in _PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            continue
