"""The figures as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from typing import TYPE_CHECKING, Final

from rich.table import Table

from tests.bench.kernel.figures import BASELINES, Figure

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
    caption = f"ratio to: {base}" if base else "no baseline: the target is a value"
    table = Table(
        title=f"[bold]{measure}[/]",
        caption=caption,
        title_justify="left",
        caption_justify="left",
        min_width=100,
    )
    for name in ("loop", "what"):
        table.add_column(name, no_wrap=True)
    for name in (figures[0].unit, "ratio", "quartiles", "target"):
        table.add_column(name, justify="right")
    table.add_column("")
    for loop, group in groupby(figures, key=lambda figure: figure.loop):
        for number, figure in enumerate(group):
            table.add_row(
                loop if not number else "", *_cells(figure), style="bold" if figure.is_kernel else ""
            )
        table.add_section()
    return table


def _cells(figure: Figure) -> list[str]:
    ratio = figure.ratio
    return [
        figure.row,
        number_text(figure.value),
        f"{ratio.median:.2f}" if ratio else "",
        f"{ratio.low:.2f}-{ratio.high:.2f}" if ratio else "",
        f"<= {figure.target:,g}" if figure.target else "",
        _VERDICTS[figure.met],
    ]


def number_text(value: float) -> str:
    """Three figures that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def verdict(figures: Sequence[Figure]) -> str:
    """One line: how many targets are met, and which are not."""
    aimed = [figure for figure in figures if figure.met is not None]
    missed = [f"{figure.measure}, {figure.row}, {figure.loop}" for figure in aimed if not figure.met]
    line = f"{len(aimed) - len(missed)} of {len(aimed)} targets met"
    return line + ("; not met: " + "; ".join(missed) if missed else "")


def write_json(path: Path, figures: Sequence[Figure]) -> None:
    """All figures with what they were measured on."""
    report = {
        "schema": 1,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "packages": dict(_versions()),
        "figures": [figure.to_dict() for figure in figures],
    }
    path.write_text(json.dumps(report, indent=1) + "\n", "utf-8")


def _versions() -> Iterator[tuple[str, str]]:
    for package in _PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            continue
