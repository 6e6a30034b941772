"""The figures to reach, and what was reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.bench.voice.rows import over_rounds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.bench.voice.measure import Arrivals
    from tests.bench.voice.rows import Row

    Value = Callable[[Row], float]

US: Final = "ostinato"


@dataclass(frozen=True, slots=True)
class Target:
    """A figure to reach at N streams.

    :ivar against: as a ratio to that player in the same call
    :ivar dave: what DAVE adds to it
    :ivar plays: False: of connections that play nothing
    """

    name: str
    streams: int
    value: Value
    limit: float
    against: str | None = None
    at_least: bool = False
    dave: bool = False
    plays: bool = True

    def is_met(self, reached: float) -> bool:
        """Whether that is good enough."""
        return reached >= self.limit if self.at_least else reached <= self.limit


def _cpu(row: Row) -> float:
    return row.cpu_s


def _heard(value: Callable[[Arrivals], float]) -> Value:
    return lambda row: float("nan") if row.arrivals is None else value(row.arrivals)


_P99, _GAP = _heard(lambda heard: heard.error_p99_ms), _heard(lambda heard: heard.longest_gap_ms)

TARGETS: Final = (
    Target("CPU, ratio to stock discord.py", 100, _cpu, 0.54, "stock"),
    Target("CPU, ratio to songbird", 100, _cpu, 0.94, "songbird"),
    Target("CPU, ratio to songbird", 500, _cpu, 0.82, "songbird"),
    Target("CPU, ratio to an empty sender loop", 1000, _cpu, 1.8, "floor"),
    Target("core %, all in one process", 1000, lambda row: row.core_percent, 100.0),
    Target("frames/s, worst stream", 1000, _heard(lambda heard: heard.fps_worst), 49.9, at_least=True),
    Target("inter-arrival error p99, ms", 100, _P99, 1.5),
    Target("inter-arrival error p99, ms", 1000, _P99, 3.0),
    Target("longest gap, ms", 100, _GAP, 40.0),
    Target("longest gap, ms", 1000, _GAP, 40.0),
    Target("threads", 1000, lambda row: float(row.threads), 50.0),
    Target("memory, MiB a stream", 1000, lambda row: row.mib_per_stream, 0.3),
    Target("DAVE adds CPU-s a stream-minute", 100, _cpu, 0.012, dave=True),
    Target("DAVE adds CPU-s a stream-minute", 1000, _cpu, 0.012, dave=True),
    Target("core % of idle connections", 500, lambda row: row.core_percent, 1.0, plays=False),
)


def reached(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The targets as plain data, with what was reached; those that were not measured are left out."""
    return [
        {
            "name": target.name,
            "streams": target.streams,
            "limit": target.limit,
            "at_least": target.at_least,
            "reached": figure,
            "met": target.is_met(figure),
        }
        for target in TARGETS
        if (figure := reach(target, rows)) is not None
    ]


def reach(target: Target, rows: Sequence[Row]) -> float | None:
    """What was reached in the latest call that has shown it, or None."""
    for run in sorted({row.run for row in rows}, reverse=True):
        figure = _reach(target, over_rounds([row for row in rows if row.run == run]))
        if figure is not None:
            return figure
    return None


def _reach(target: Target, rows: Sequence[Row]) -> float | None:
    ours = _row(rows, target, US, dave=target.dave)
    if ours is None:
        return None
    if target.against is None and not target.dave:
        return target.value(ours)
    other = _row(rows, target, target.against or US, dave=False)
    if other is None:
        return None
    if target.dave:
        return target.value(ours) - target.value(other)
    return target.value(ours) / target.value(other)


def _row(rows: Sequence[Row], target: Target, player: str, *, dave: bool) -> Row | None:
    wanted = (player, target.streams, dave, target.plays)
    return next((row for row in rows if (row.player, row.streams, row.dave, row.plays) == wanted), None)
