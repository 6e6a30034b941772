"""The bench of telemetry's cost draws what it has measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.overhead.__main__ import draw

if TYPE_CHECKING:
    from pathlib import Path


def test_the_picture(tmp_path: Path) -> None:
    draw(tmp_path / "overhead.png", [(30.0, 31.0), (29.0, 29.5), (33.0, 32.0)], 300)
    assert (tmp_path / "overhead.png").read_bytes().startswith(b"\x89PNG")
