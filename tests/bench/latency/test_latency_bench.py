"""The bench of latency draws what it has measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.latency.__main__ import SKIP, draw

if TYPE_CHECKING:
    from pathlib import Path


def test_the_picture(tmp_path: Path) -> None:
    draw(tmp_path / "latency.png", {"cached": [9.0, 12.0], "loopback media": [44.0], SKIP: [19.0]})
    assert (tmp_path / "latency.png").read_bytes().startswith(b"\x89PNG")
