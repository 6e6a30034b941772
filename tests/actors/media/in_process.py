"""Frames of a link, made in this process: the way of a worker without its process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.media import Spool, Track, maker
from actors.media.requester import Address
from actors.media.sink import Sink

if TYPE_CHECKING:
    from pathlib import Path


def made(url: str, folder: Path) -> list[bytes]:
    """All frames; raises MediaError. It blocks."""
    spool = Spool(Track(url=url, title="x", requested_by=1), folder)

    def report(message: dict[str, Any]) -> None:
        if "frames" in message:
            spool.grow(message["frames"], message["bytes"], message["marks"])

    sink = Sink(spool.fd, report, max_frames=10_000, max_bytes=8 << 20)
    try:
        maker.Maker(maker.Medium(Address(url)), sink, report).run()
        return list(iter(spool.cursor().next_frame, None))
    finally:
        spool.close()
