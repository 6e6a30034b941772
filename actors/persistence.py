"""The persistence actor: the one way from a guild's actors to the store.

It keeps the last state of each part in memory too, so that a restarted player finds it even while the disk
takes nothing. A row that nobody can read is set aside and costs its part only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgpack
import structlog

from supervision import Actor, handles

from .messages import Load, Loaded, Save, Saved
from .store import Store, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA_VERSION = 1
"""Version of the layout of a blob's `state`."""

_ERRORS = "surrogatepass"  # a site's title may hold half a character, which must not cost the queue

log = structlog.get_logger(__name__)


class UnreadableError(Exception):
    """The blob is not what `encode` makes."""


def encode(state: Mapping[str, Any]) -> bytes:
    """State and schema version as msgpack."""
    blob: bytes = msgpack.packb({"version": SCHEMA_VERSION, "state": dict(state)}, unicode_errors=_ERRORS)
    return blob


def decode(blob: bytes) -> dict[str, Any]:
    """What `encode` was given.

    :raises UnreadableError: for anything else, and for versions of a later program.
    """
    try:
        envelope = msgpack.unpackb(blob, strict_map_key=False, unicode_errors=_ERRORS)
        version, state = envelope["version"], envelope["state"]
    except (ValueError, TypeError, KeyError, msgpack.UnpackException) as error:
        raise UnreadableError(f"not a state: {error}") from None
    if version != SCHEMA_VERSION or not isinstance(state, dict):
        raise UnreadableError(f"schema version {version!r} is not {SCHEMA_VERSION}")
    return state


class Persistence(Actor):
    """Answers Save when it is on disk (or says that it is not), and Load with the last state."""

    def __init__(self, guild_id: int, store: Store) -> None:
        self._guild_id = guild_id
        self._store = store
        self._memory: dict[str, Mapping[str, Any]] = {}

    @handles(Save)
    async def save(self, message: Save) -> Saved:
        """Memory first, then the disk."""
        self._memory[message.part] = message.state
        try:
            await self._store.put(self._guild_id, message.part, encode(message.state))
        except StoreError as error:
            log.warning("not_saved", guild_id=self._guild_id, part=message.part, error=str(error))
            return Saved(ok=False, problem=str(error))
        return Saved()

    @handles(Load)
    async def load(self, message: Load) -> Loaded:
        """Memory if there is any, else the disk."""
        if message.part in self._memory:
            return Loaded(self._memory[message.part])
        try:
            blob = await self._store.get(self._guild_id, message.part)
        except StoreError as error:
            log.warning("not_loaded", guild_id=self._guild_id, part=message.part, error=str(error))
            return Loaded(None)
        return Loaded(None if blob is None else await self._read(message.part, blob))

    async def _read(self, part: str, blob: bytes) -> dict[str, Any] | None:
        try:
            return decode(blob)
        except UnreadableError as error:
            log.error("row_set_aside", guild_id=self._guild_id, part=part, error=str(error))  # noqa: TRY400
        try:
            await self._store.set_aside(self._guild_id, part)
        except StoreError as error:
            log.warning("row_not_set_aside", guild_id=self._guild_id, part=part, error=str(error))
        return None
