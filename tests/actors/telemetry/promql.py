"""As much of PromQL as the dashboard and the alert rules use, over two scrapes of the bot's metrics.

A range is what lies between both scrapes, however long it says that it is. Series have the labels that
Prometheus gives to all of a target, so that sums match nothing else here that they would not match there.
"""

from __future__ import annotations

import math
import operator
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Labels: TypeAlias = frozenset[tuple[str, str]]
Vector: TypeAlias = dict[Labels, float]
Value: TypeAlias = "float | Vector | tuple[Vector, Vector]"

TARGET: Final = {"instance": "127.0.0.1:9464", "job": "ostinato"}
_TOKEN: Final = re.compile(
    r'\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<range>\[\w+\])|(?P<text>"[^"]*")|(?P<name>[a-z_]\w*)|(?P<mark>[!=]=|!=|[-+*/<>(){},=]))'
)
_OPERATORS: Final[dict[str, Callable[[float, float], float]]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul,
    "/": lambda a, b: a / b if b else math.nan if a == 0 or math.isnan(a) else math.inf,
}  # fmt: skip
_FILTERS: Final[dict[str, Callable[[float, float], bool]]] = {
    "==": operator.eq, ">": operator.gt, "<": operator.lt,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scrape:
    """What the metrics said at a time (s)."""

    at_s: float
    text: str

    def series(self, name: str) -> Vector:
        """All of that name."""
        if name == "up":
            return {frozenset(TARGET.items()): 1.0}
        return {
            frozenset((sample.labels | TARGET).items()): sample.value
            for family in text_string_to_metric_families(self.text)
            for sample in family.samples
            if sample.name == name
        }


def ask(expression: str, before: Scrape, after: Scrape) -> Vector:
    """The value of an expression at the second scrape, a single number as a series without labels.

    :raises ValueError: it is none, or more of PromQL than is understood here
    """
    query = _Query(expression, before, after)
    value = query.comparison()
    if query.tokens:
        raise ValueError(f"{expression}: {query.tokens[0]!r} is left")
    return _vector(value) if isinstance(value, dict) else {frozenset(): _scalar(value)}


class _Query:
    def __init__(self, expression: str, before: Scrape, after: Scrape) -> None:
        self.tokens: list[str] = []
        at = 0
        while at < len(expression.rstrip()):
            found = _TOKEN.match(expression, at)
            if found is None:
                raise ValueError(f"{expression}: what is {expression[at:]!r}")
            self.tokens.append(found[0].strip())
            at = found.end()
        self._before, self._after = before, after

    # --- grammar ---

    def comparison(self) -> Value:
        left = self._chain(self._product, "+-")
        if self._next() in _FILTERS:
            holds, right = _FILTERS[self.tokens.pop(0)], _scalar(self._chain(self._product, "+-"))
            return {key: value for key, value in _vector(left).items() if holds(value, right)}
        return left

    def _product(self) -> Value:
        return self._chain(self._atom, "*/")

    def _chain(self, part: Callable[[], Value], marks: str) -> Value:
        left = part()
        while (self._next() or "?") in marks:
            left = _combined(_OPERATORS[self.tokens.pop(0)], left, part())
        return left

    def _atom(self) -> Value:
        token = self.tokens.pop(0)
        if token[0].isdigit():
            return float(token)
        if token == "(":
            inner = self.comparison()
            self._take(")")
            return inner
        if token in _SUMS or token == "quantile":
            return self._sum(token)
        if token in _FUNCTIONS:
            return _FUNCTIONS[token](self._after.at_s - self._before.at_s, self._arguments())
        if token == "time":
            self._arguments()
            return self._after.at_s
        return self._selected(token)

    def _sum(self, name: str) -> Vector:
        by: set[str] = set()
        if self._next() == "by":
            self.tokens.pop(0)
            self._take("(")
            while (token := self.tokens.pop(0)) != ")":
                by |= {token} - {","}
        *share, values = self._arguments()
        groups: defaultdict[Labels, list[float]] = defaultdict(list)
        for key, value in _vector(values).items():
            groups[frozenset(pair for pair in key if pair[0] in by)].append(value)
        if name == "quantile":
            return {key: _quantile(_scalar(share[0]), found) for key, found in groups.items()}
        return {key: _SUMS[name](found) for key, found in groups.items()}

    def _arguments(self) -> list[Value]:
        self._take("(")
        found: list[Value] = []
        while self._next() != ")":
            found.append(self.comparison())
            if self._next() == ",":
                self.tokens.pop(0)
        self._take(")")
        return found

    def _selected(self, name: str) -> Value:
        wanted: list[tuple[str, str, str]] = []
        if self._next() == "{":
            self.tokens.pop(0)
            while (label := self.tokens.pop(0)) != "}":
                if label != ",":
                    wanted.append((label, self.tokens.pop(0), self.tokens.pop(0).strip('"')))

        def read(scrape: Scrape) -> Vector:
            return {key: value for key, value in scrape.series(name).items() if _fits(dict(key), wanted)}

        if (self._next() or "").startswith("["):
            self.tokens.pop(0)
            return read(self._before), read(self._after)
        return read(self._after)

    def _next(self) -> str | None:
        return self.tokens[0] if self.tokens else None

    def _take(self, mark: str) -> None:
        if not self.tokens or self.tokens.pop(0) != mark:
            raise ValueError(f"{mark!r} is missing")


# --- values ---


def _vector(value: Value) -> Vector:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is no vector")
    return value


def _scalar(value: Value) -> float:
    if not isinstance(value, float):
        raise TypeError(f"{value!r} is no number")
    return value


def _combined(does: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """Numbers with numbers or with each series; series with those of the same labels."""
    if isinstance(left, float):
        return (
            does(left, right)
            if isinstance(right, float)
            else {key: does(left, value) for key, value in _vector(right).items()}
        )
    if isinstance(right, float):
        return {key: does(value, right) for key, value in _vector(left).items()}
    others = _vector(right)
    return {key: does(value, others[key]) for key, value in _vector(left).items() if key in others}


def _fits(labels: dict[str, str], wanted: Iterable[tuple[str, str, str]]) -> bool:
    return all((labels.get(name, "") == value) == (how == "=") for name, how, value in wanted)


def _risen(_span_s: float, arguments: list[Value]) -> Vector:
    (found,) = arguments
    if not isinstance(found, tuple):
        raise TypeError("a rise needs a range")
    before, after = found
    return {key: after[key] - value for key, value in before.items() if key in after}


def _rate(span_s: float, arguments: list[Value]) -> Vector:
    return {key: value / span_s for key, value in _risen(span_s, arguments).items()}


def _at_least(_span_s: float, arguments: list[Value]) -> Vector:
    return {key: max(value, _scalar(arguments[1])) for key, value in _vector(arguments[0]).items()}


def _quantile(share: float, values: list[float]) -> float:
    ranked, at = sorted(values), share * (len(values) - 1)
    low = int(at)
    high = min(low + 1, len(ranked) - 1)
    return ranked[low] + (ranked[high] - ranked[low]) * (at - low)


def _histogram_quantile(_span_s: float, arguments: list[Value]) -> Vector:
    share, groups = _scalar(arguments[0]), defaultdict[Labels, list[tuple[float, float]]](list)
    for key, value in _vector(arguments[1]).items():
        rest = frozenset(pair for pair in key if pair[0] != "le")
        groups[rest].append((float(dict(key)["le"]), value))
    return {key: _in_buckets(share, sorted(buckets)) for key, buckets in groups.items()}


def _in_buckets(share: float, buckets: list[tuple[float, float]]) -> float:
    """By a straight line within the bucket, as Prometheus does."""
    rank = share * buckets[-1][1]
    if not buckets[-1][1]:
        return math.nan
    begin, below = 0.0, 0.0
    for end, count in buckets:
        if count >= rank:
            return begin if math.isinf(end) else begin + (end - begin) * (rank - below) / (count - below)
        begin, below = end, count
    return math.nan


_SUMS: Final[dict[str, Callable[[list[float]], float]]] = {"sum": sum, "min": min, "max": max}
_FUNCTIONS: Final[dict[str, Callable[[float, list[Value]], Value]]] = {
    "rate": _rate,
    "increase": _risen,
    "clamp_min": _at_least,
    "histogram_quantile": _histogram_quantile,
}
