"""The worker that runs yt-dlp: `python -m actors.media.resolver_worker SETTINGS` (JSON)."""

from __future__ import annotations

import json
import sys
from typing import Any

from . import guard, lifeline
from .extraction import Extractor
from .serving import Job, connect, serve

_DATA_BYTES = 1 << 30  # an extraction takes some 60 MB, its JavaScript runtime some 300 MB


def main() -> None:
    """Serve jobs until the bot goes away."""
    settings = json.loads(sys.argv[1])
    lifeline.bind_to_parent(settings["parent"])
    lifeline.be_modest(data_bytes=_DATA_BYTES)
    connection = connect()
    guard.install_programs()
    if not settings["allow_private"]:
        guard.install()
    extractor = Extractor(cache_dir=settings["cache_dir"], playlist=settings["playlist"])

    def answer(job: Job) -> dict[str, Any]:
        request = job.request
        if "query" in request:
            return {"found": extractor.find(request["query"])}
        return {"stream": extractor.stream(request["url"], request["variant"])}

    serve(answer, connection)


if __name__ == "__main__":
    main()
