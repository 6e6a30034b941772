"""The worker that makes spools, and keeps them: `python -m actors.media.spool_worker SETTINGS` (JSON)."""

from __future__ import annotations

import json
import sys
from dataclasses import astuple
from pathlib import Path
from typing import Any

from . import cache_file, guard, lifeline
from .courtesy import Courtesy
from .errors import ErrorKind, MediaError
from .live import LiveMaker
from .maker import Maker, Medium
from .requester import Address
from .serving import Job, connect, serve
from .sink import Sink
from .source import HttpSource

_COURTESY = Courtesy()
_DATA_BYTES = 2 << 30  # sixteen spools, each with a thread's stack
_REFRESH_S = 90.0  # for the bot to extract a new address, and until the site releases it


def make(job: Job) -> dict[str, Any]:
    """One spool. The request's fields are those of `Media._request`."""
    request = job.request
    assert job.fd is not None  # noqa: S101 - the media service always sends one
    made_before = request["frames"]

    def report(message: dict[str, Any]) -> None:
        job.send(message)
        _COURTESY.report(job.id, message["frames"] - made_before)

    sink = Sink(
        job.fd,
        report,
        frames=request["frames"],
        size=request["bytes"],
        max_frames=request["max_frames"],
        max_bytes=request["max_bytes"],
        ring=request["ring"],
    )
    medium = Medium(
        address=_address(request["stream"]),
        start_frame=request["start_frame"],
        volume=request["volume"],
        effect=request["effect"],
        manifest=request["stream"]["manifest"],
        is_live=request["stream"]["is_live"],
        use_title=request["stream"]["direct"],
        max_s=request["max_s"],
        chunk_bytes=request["stream"]["chunk_bytes"],
    )
    kind = Maker if request["ring"] is None else LiveMaker
    maker = kind(medium, sink, job.send, lambda status: _refresh(job, status), job.cancelled)
    job.on_cancel = maker.abort
    _COURTESY.begin(job.id)
    try:
        maker.run()
    finally:
        _COURTESY.made_enough(job.id)
        sink.flush()
    return {"frames": sink.frames, "origin": astuple(maker.origin), "short_s": maker.short_s}


def keep(job: Job) -> dict[str, Any]:
    """A complete spool into a file of the cache. The request's fields are those of `write`."""
    assert job.fd is not None  # noqa: S101 - the keeper always sends one
    request = job.request["keep"]
    try:
        return {"size": cache_file.write(job.fd, Path(request.pop("path")), **request)}
    except OSError as error:
        raise MediaError(ErrorKind.DISK, f"The track cannot be kept: {error.strerror}.") from error


def look(job: Job) -> dict[str, Any]:
    """What the server says of a file now."""
    source = HttpSource(Address(job.request["look"]), cancelled=job.cancelled)
    job.on_cancel = source.abort
    try:
        return {"origin": astuple(source.open().origin())}
    finally:
        source.close()


def work(job: Job) -> dict[str, Any]:
    """Whatever the request asks for."""
    return next((do for name, do in _OTHERS.items() if name in job.request), make)(job)


_OTHERS = {"keep": keep, "look": look}


def _refresh(job: Job, status: int) -> Address:
    return _address(job.ask({"refresh": status}, timeout_s=_REFRESH_S)["stream"])


def _address(stream: dict[str, Any]) -> Address:
    return Address(stream["url"], stream["headers"])


def main() -> None:
    """Serve jobs until the bot goes away."""
    settings = json.loads(sys.argv[1])
    lifeline.bind_to_parent(settings["parent"])
    lifeline.be_modest(data_bytes=_DATA_BYTES, file_bytes=settings["file_bytes"])
    guard.install_programs()
    if not settings["allow_private"]:
        guard.install()
    serve(work, connect())


if __name__ == "__main__":
    main()
