"""What extractions have found, in a file that survives a restart. Its addresses are secrets: mode 0600.

It is a cache: what cannot be read is forgotten, what does not fit is left out, and a restart without it only
costs the extractions again. Live streams and what was found with cookies are not written.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import anyio
import msgpack
import structlog
from anyio import to_thread

from .errors import MediaError
from .guard import require_web_link

if TYPE_CHECKING:
    from pathlib import Path

    from .budget import Budget
    from .extractions import Extractions

VERSION: Final = 2
#: s between two looks at whether there is something to write.
WRITE_S: Final = 5.0
MAX_BYTES: Final = 8 << 20

_TEXT, _NUMBER = (str, type(None)), (int, float, type(None))
_STREAM: Final = {
    "url": str, "headers": dict, "manifest": bool, "format_id": _TEXT, "duration_s": _NUMBER, "is_live": bool,
    "direct": bool, "available_at": _NUMBER, "expires_at": (int, float), "chunk_bytes": (int, type(None)),
    "formats": int, "client": int,
}  # fmt: skip
_TRACK: Final = {
    "url": str, "title": str, "duration_s": _NUMBER, "is_live": bool, "uploader": _TEXT, "thumbnail": _TEXT,
}  # fmt: skip

_LISTING: Final = {
    "url": str, "title": str, "total": (int, type(None)), "numbers": list, "then": (int, type(None)),
}  # fmt: skip

log = structlog.get_logger(__name__)


class ExtractionsFile:
    """Keeps `known` and what `budget` has spent. `run` reads it, sets `read_in`, and writes changes."""

    def __init__(self, path: Path, known: Extractions, budget: Budget) -> None:
        self._path = path
        self._known = known
        self._budget = budget
        self._written = 0  # version of `known`
        self.read_in = anyio.Event()

    async def run(self) -> None:
        """Until cancelled; then what has changed is written once more."""
        if not self.read_in.is_set():
            self.read()
            self.read_in.set()
        try:
            while True:
                await anyio.sleep(WRITE_S)
                if (data := self._changed()) is not None:
                    await to_thread.run_sync(self._write, data)
        finally:
            if (data := self._changed()) is not None:
                self._write(data)

    def read(self) -> None:
        """Take over what the file holds, as far as it is whole and lasts still."""
        try:
            with self._path.open("rb") as file:
                self._take(msgpack.unpackb(file.read(MAX_BYTES)))
        except FileNotFoundError:
            pass
        except Exception as error:  # msgpack and damaged content raise anything; a cache is not worth a crash
            log.warning("extractions_forgotten", error=repr(error))

    def _take(self, content: dict[str, Any]) -> None:
        if content["version"] != VERSION:
            return
        for query, (until, found) in content["found"]:
            if isinstance(query, str) and _fits_found(found):
                self._known.keep_found(query, found, until=float(until))
        for url, stream in content["streams"]:
            if isinstance(url, str) and _fits(stream, _STREAM):
                self._known.keep_stream(url, stream)
        self._budget.remember(float(at) for at in content["spent"])

    def _changed(self) -> bytes | None:
        """What is to be written, if it is something else than before."""
        if self._known.version == self._written:
            return None
        self._written = self._known.version
        found, streams = self._known.lasting()
        kept = [(url, stream) for url, stream in streams.items() if _may_be_written(stream)]
        content = {
            "version": VERSION,
            "found": list(found.items()),
            "streams": kept,
            "spent": self._budget.spent,
        }
        data: bytes = msgpack.packb(content, unicode_errors="replace")
        return data if len(data) <= MAX_BYTES else None

    def _write(self, data: bytes) -> None:
        """Whole or not at all: written beside, then renamed. Without fsync: it is a cache."""
        beside = self._path.with_suffix(".new")
        try:
            beside.unlink(missing_ok=True)
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
            beside.replace(self._path)
        except OSError as error:
            log.warning("extractions_not_written", error=error.strerror)


def _may_be_written(stream: dict[str, Any]) -> bool:
    return not stream["is_live"] and "Cookie" not in stream["headers"]


def _fits_found(found: dict[str, Any]) -> bool:
    listing = found["listing"]
    numbers = () if listing is None else listing["numbers"]
    return (
        all(_fits(track, _TRACK) for track in found["tracks"])
        and (listing is None or _fits(listing, _LISTING))
        and all(isinstance(number, int) for number in numbers)
    )


def _fits(item: object, shape: dict[str, Any]) -> bool:
    """Whether it is a mapping of exactly these names to these types, with a web link as its address."""
    if not isinstance(item, dict) or item.keys() != shape.keys():
        return False
    if not all(isinstance(item[name], kind) for name, kind in shape.items()):
        return False
    try:
        require_web_link(item["url"])
    except MediaError:
        return False
    headers = item.get("headers", {})
    return all(isinstance(part, str) for pair in headers.items() for part in pair)
