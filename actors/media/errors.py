"""Errors of the media service, as data that crosses a process boundary and as an exception."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

from .text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_MESSAGE = 300  # characters; messages of sites end up in chat


class ErrorKind(StrEnum):
    """Why a medium cannot be played."""

    NOT_FOUND = "not_found"
    PRIVATE_ADDRESS = "private_address"
    UNSUPPORTED_LINK = "unsupported_link"
    NOT_AUDIO = "not_audio"
    UNAVAILABLE = "unavailable"
    GONE = "gone"  # the stream's address has expired; extracting again may help
    CHANGED = "changed"  # the server has another file than before; opening anew by time may help
    TIMEOUT = "timeout"
    TOO_LONG = "too_long"
    WORKER_DIED = "worker_died"
    LIMITED = "limited"  # sites were asked too often; later it may work
    DISK = "disk"
    CANCELLED = "cancelled"
    INTERNAL = "internal"


_RETRYABLE = frozenset(
    {ErrorKind.GONE, ErrorKind.CHANGED, ErrorKind.TIMEOUT, ErrorKind.WORKER_DIED, ErrorKind.INTERNAL}
)


class MediaError(Exception):
    """A medium cannot be found or made. `message` is for a person; `retryable`: another try may help."""

    def __init__(self, kind: ErrorKind, message: str, *, retryable: bool | None = None) -> None:
        self.kind = kind
        self.message = clean(message, MAX_MESSAGE)
        self.retryable = kind in _RETRYABLE if retryable is None else retryable
        super().__init__(self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.to_dict(),)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for the pipe."""
        return {"kind": self.kind.value, "message": self.message, "retryable": self.retryable}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        return cls(ErrorKind(data["kind"]), str(data["message"]), retryable=bool(data["retryable"]))


def _restore(data: dict[str, Any]) -> MediaError:
    return MediaError.from_dict(data)


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything that led to it: causes, contexts, and what libraries keep in attributes."""
    pending, seen = [error], set[int]()
    while pending:
        item = pending.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        pending += [cause for cause in _inner(item) if isinstance(cause, BaseException)]


def _inner(error: BaseException) -> list[object]:
    details = getattr(error, "exc_info", None) or ()  # yt-dlp's DownloadError and ExtractorError
    inner = [
        error.__cause__,
        error.__context__,
        getattr(error, "cause", None),
        getattr(error, "reason", None),
    ]
    return [*inner, *error.args, *(details if isinstance(details, tuple) else ())]
