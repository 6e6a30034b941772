"""A part of a guild's state as bytes: msgpack, with the version of its layout.

Older layouts are read by going through every step between (`migrations`); a later one is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgpack

from .migrations import STEPS

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION: Final = 1 + len(STEPS)
"""Version of the layouts of all parts together, from 1."""

_ERRORS: Final = "surrogatepass"  # a site's title may hold half a character, which must not cost the queue


class UnreadableError(Exception):
    """The blob is not what any version of `encode` made."""


class NewerStateError(Exception):
    """The state was written by a later program, which this one must not overwrite; one line says so."""


def encode(state: Mapping[str, Any]) -> bytes:
    """State and version as msgpack. The version comes first, so that a prefix tells it."""
    blob: bytes = msgpack.packb({"version": VERSION, "state": dict(state)}, unicode_errors=_ERRORS)
    return blob


def decode(part: str, blob: bytes) -> dict[str, Any]:
    """The state of that part, in the present layout.

    :raises UnreadableError: for what no `encode` made
    :raises NewerStateError: for what a later one made
    """
    try:
        envelope = msgpack.unpackb(blob, strict_map_key=False, unicode_errors=_ERRORS)
        version, state = envelope["version"], envelope["state"]
    except (ValueError, TypeError, KeyError, msgpack.UnpackException) as error:
        raise UnreadableError(f"not a state: {error}") from None
    _refuse(version, part)
    if not isinstance(version, int) or version < 1 or not isinstance(state, dict):
        raise UnreadableError(f"not a state of version {version!r}")
    try:
        present: dict[str, Any] = state
        for step in STEPS[version - 1 :]:
            present = step(part, present)
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableError(f"not a state of version {version}: {error!r}") from None
    return present


def refuse_newer_blob(prefix: bytes, whose: str) -> None:
    """Look at the version in a blob's first bytes; those of an unreadable one say nothing.

    :raises NewerStateError: it is a later one
    """
    reader = msgpack.Unpacker(max_buffer_size=0)
    reader.feed(prefix)
    try:
        if reader.read_map_header() and reader.unpack() == "version":
            _refuse(reader.unpack(), whose)
    except (ValueError, msgpack.UnpackException):
        return


def _refuse(version: object, whose: str) -> None:
    if isinstance(version, int) and version > VERSION:
        raise NewerStateError(
            f"the state of {whose} has version {version}, and this version of the bot knows {VERSION} at "
            "most: run the version that wrote it, or restore a backup"
        )
