"""Figures as people read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_CODE: Final = re.compile(r"(\d{4})\b")
_STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)


def ms(value: float) -> str:
    """A silence: `38 ms`, `1.24 s`, `12.3 s`; `—` for 0."""
    if value <= 0:
        return "—"
    if value < 1000:
        return f"{value:.0f} ms"
    return f"{value / 1000:.2f} s" if value < 10_000 else f"{value / 1000:.1f} s"


def kind_words(kind: str) -> str:
    """A kind of fault: a bare code says what it is one of."""
    if _CODE.match(kind):
        return f"close code {kind}"
    return f"gateway {kind}" if kind.startswith("op ") else kind


def clock(at_s: float) -> str:
    """`m:ss` or `h:mm:ss`."""
    total = max(0, int(at_s))
    hours, minutes = divmod(total // 60, 60)
    return f"{hours}:{minutes:02}:{total % 60:02}" if hours else f"{minutes}:{total % 60:02}"


def minutes(span_s: float) -> str:
    """`90 seconds`, `10 minutes`, `2.5 hours`."""
    for size_s, unit in ((7200, "hour"), (120, "minute")):
        if span_s >= size_s:
            return f"{span_s / (3600 if unit == 'hour' else 60):.1f} {unit}s".replace(".0 ", " ")
    return count(round(span_s), "second")


def date(iso: str) -> str:
    """`2 January 2026, 03:04 UTC`; as it is if it is no date."""
    try:
        at = datetime.fromisoformat(iso).astimezone(UTC)
    except ValueError:
        return iso
    return f"{at.day} {at:%B %Y, %H:%M} UTC"


def moment(at_s: float) -> str:
    """A time of the run that can be looked for in its log: `3:07.25`."""
    return f"{clock(at_s)}.{int(at_s * 100) % 100:02}"


def share(value: float) -> str:
    """Of 0 to 1, in per cent; 100 only if nothing is missing."""
    if value >= 1:
        return "100 %"
    shown = min(value * 100, 99.999)
    return f"{shown:.3f} %" if shown > 99 else f"{shown:.1f} %"


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 fault`, `1,204 faults`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def step_s(span_s: float, parts: float) -> float:
    """A round number of seconds of which about `parts` make the span."""
    return next((step for step in _STEPS_S if span_s / step <= parts), _STEPS_S[-1])


def tidy(value: float) -> str:
    """A value on an axis of silences: `20 ms`, `1 s`."""
    return f"{value:g} ms" if value < 1000 else f"{value / 1000:g} s"
