"""A measurement in a fresh interpreter.

For example `python -m tests.bench.kernel.isolated memory asyncio "kernel: fresh" 1000`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.bench.kernel.memory import measure_bytes
from tests.bench.kernel.pauses import measure_pauses

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIME_LIMIT_S = 120


def fresh_bytes(loop: str, way: str, count: int) -> float:
    """:func:`measure_bytes` in a process of its own."""
    return float(_fresh("memory", loop, way, str(count)))


def fresh_pauses(loop: str, count: int, *, tuned: bool) -> Mapping[str, float]:
    """:func:`measure_pauses` in a process of its own."""
    pauses: Mapping[str, float] = json.loads(_fresh("tuned" if tuned else "untuned", loop, str(count)))
    return pauses


def _fresh(*args: str) -> str:
    command = [sys.executable, "-m", __spec__.name, *args]
    return subprocess.run(  # noqa: S603 - this interpreter, arguments of our own
        command, check=True, stdout=subprocess.PIPE, text=True, timeout=_TIME_LIMIT_S
    ).stdout


def _answer(what: str, loop: str, *rest: str) -> object:
    if what == "memory":
        way, count = rest
        return measure_bytes(loop, way, int(count))
    return measure_pauses(loop, int(rest[0]), tuned=what == "tuned")


if __name__ == "__main__":
    print(json.dumps(_answer(*sys.argv[1:])))
