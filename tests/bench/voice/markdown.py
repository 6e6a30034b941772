"""The rows and the targets as Markdown: what stands in the README is made by this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.bench.voice.picture import STYLES
from tests.bench.voice.rows import latest
from tests.bench.voice.targets import TARGETS, reach

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.bench.voice.rows import Absent, Row

_HEAD: Final = (
    "Streams", "Player", "DAVE", "CPU-s per stream-minute", "Frames/s, worst stream", "Error p99",
    "Longest gap", "Threads", "MiB per stream",
)  # fmt: skip


def report(found: Sequence[Row], absent: Sequence[Absent]) -> str:
    """Both tables."""
    rows = sorted(latest(found), key=lambda row: (not row.plays, row.streams, row.dave))
    measured = [_cells(row) for row in rows]
    missing = [
        [str(one.streams), _name(one.player), "on" if one.dave else "off", f"{one.heard} came up"]
        for one in absent
        if not any((row.player, row.streams, row.dave) == (one.player, one.streams, one.dave) for row in rows)
    ]
    padded = [[*cells, *[""] * (len(_HEAD) - len(cells))] for cells in missing]
    verdicts = _table(("Target", "Reached", "Asked", ""), _targets(found))
    return f"{_table(_HEAD, [*measured, *padded])}\n{verdicts}"


def _cells(row: Row) -> list[str]:
    heard = row.arrivals
    return [
        str(row.streams)
        if row.plays
        else f"{row.streams}, nothing plays: {row.core_percent:.1f} % of a core",
        f"**{_name(row.player)}**" if row.player == "ostinato" else _name(row.player),
        "on" if row.dave else "off",
        f"{row.cpu_s:.4f}" if row.plays else "",
        "" if heard is None else f"{heard.fps_worst:.2f}",
        "" if heard is None else f"{heard.error_p99_ms:.2f} ms",
        "" if heard is None else f"{heard.longest_gap_ms:.1f} ms",
        str(row.threads),
        f"{row.mib_per_stream:.2f}",
    ]


def _targets(found: Sequence[Row]) -> list[list[str]]:
    return [
        [
            f"{target.name}, N = {target.streams}",
            f"{reached:.3g}",
            f"{'>=' if target.at_least else '<='} {target.limit:g}",
            "met" if target.is_met(reached) else "**missed**",
        ]
        for target in TARGETS
        if (reached := reach(target, found)) is not None
    ]


def _name(player: str) -> str:
    return STYLES[player][2]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
