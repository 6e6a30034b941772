"""The worker that runs yt-dlp: `python -m actors.media.resolver_worker SETTINGS` (JSON)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import guard, lifeline
from .extraction import Extractor
from .serving import Job, connect, serve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from yt_dlp.extractor.common import InfoExtractor

_DATA_BYTES = 1 << 30  # an extraction takes some 60 MB, its JavaScript runtime some 300 MB
_COOKIES_BYTES = 1 << 20


def main(sites: Sequence[type[InfoExtractor]] = ()) -> None:
    """Serve jobs until the bot goes away. `sites`: extractors that are asked before yt-dlp's own."""
    settings = json.loads(sys.argv[1])
    lifeline.bind_to_parent(settings["parent"])
    lifeline.be_modest(data_bytes=_DATA_BYTES)
    connection = connect()
    guard.install_programs()
    if not settings["allow_private"]:
        guard.install()
    extractor = Extractor(
        cache_dir=settings["cache_dir"],
        cookies=_read(settings["cookies"]),
        sites=sites,
    )

    def answer(job: Job) -> dict[str, Any]:
        """The request is one of `Resolver`: its names are those of the extractor's arguments."""
        work = extractor.find if "query" in job.request else extractor.stream
        return work(**job.request)

    serve(answer, connection)


def _read(path: str | None) -> str | None:
    """The cookies, as this worker's own copy: yt-dlp rewrites what it is given, so never the file."""
    if path is None:
        return None
    try:
        with Path(path).open(encoding="utf-8", errors="replace") as file:
            return file.read(_COOKIES_BYTES)
    except OSError as error:  # it was there when the bot started; without it most links still play
        sys.stderr.write(f"the cookies file cannot be read: {error.strerror}\n")
        return None


if __name__ == "__main__":
    main()
