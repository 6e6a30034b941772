"""The metrics of the table as Prometheus keeps them.

What happens is counted when it happens; how things stand is read from the rooms when somebody asks. So
metrics that nobody fetches cost next to nothing, and no figure is kept twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from actors.telemetry.table import METRICS, Kind, Metric, metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Family = CounterMetricFamily | GaugeMetricFamily
    Kept = Counter | Histogram

_FAMILIES: Final = {Kind.COUNTER: CounterMetricFamily, Kind.GAUGE: GaugeMetricFamily}


class Meters:
    """All metrics of one bot, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, which nobody asks for
        self._registry = CollectorRegistry(auto_describe=False)
        self._kept = {row.name: _keep(row, self._registry) for row in METRICS if not row.read}
        self._reading = _Reading()
        self._registry.register(self._reading)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def count(self, name: str, *labels: str, by: float = 1.0) -> None:
        """It has happened (once more); `labels` in the order of the table."""
        kept = self._kept[name]
        assert isinstance(kept, Counter)  # noqa: S101 - the table says so
        (kept.labels(*labels) if labels else kept).inc(by)

    def observe(self, name: str, value: float, *labels: str) -> None:
        """One more value of a histogram."""
        kept = self._kept[name]
        assert isinstance(kept, Histogram)  # noqa: S101 - the table says so
        (kept.labels(*labels) if labels else kept).observe(value)

    def text(self, reading: Mapping[str, Mapping[tuple[str, ...], float]]) -> bytes:
        """Prometheus' text format 0.0.4, with what was just read.

        :raises KeyError: for a name that is not in the table
        """
        self._reading.values = {name: dict(values) for name, values in reading.items()}
        return generate_latest(self._registry)


class _Reading:
    """What the registry asks for the metrics that are read."""

    def __init__(self) -> None:
        self.values: Mapping[str, Mapping[tuple[str, ...], float]] = {}

    def collect(self) -> Iterator[Family]:
        for name, values in self.values.items():
            yield _family(metric(name), values.items())


def _family(row: Metric, values: Iterable[tuple[tuple[str, ...], float]]) -> Family:
    family: Family = _FAMILIES[row.kind](row.name, row.what, labels=row.labels)
    for labels, value in values:
        family.add_metric(labels, value)
    return family


def _keep(row: Metric, registry: CollectorRegistry) -> Kept:
    if row.kind is Kind.HISTOGRAM:
        return Histogram(row.name, row.what, row.labels, registry=registry, buckets=row.buckets)
    counter = Counter(row.name, row.what, row.labels, registry=registry)
    for value in row.known:
        counter.labels(value)
    return counter
