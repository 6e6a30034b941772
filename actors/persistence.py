"""The persistence actor: the one way from a guild's actors to the store.

It keeps the last state of each part in memory too, so that a restarted player finds it even while the disk
takes nothing; what could not be written is written as soon as that works again. A row that nobody can make
sense of is set aside, told in the guild's text channel, and costs its part only. Where the disk does not say
what there is, whoever wanted it asks again (`keeping.load_again_s`); nothing is written over it meanwhile.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import structlog

from supervision import handles

from .correlation import Follower
from .envelope import NewerStateError, UnreadableError, decode, encode
from .keeping import tell
from .messages import Load, Loaded, Notice, Save, Saved, SetAside, Tick
from .pace import about
from .store import Store, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .positions import Positions

RETRY_S: Final = 2.0
"""How often it is tried to write what could not be written."""

LOST: Final = {
    "player": "What I remembered of this server's queue could not be read. The queue begins empty.",
    "connection": "What I remembered of this server's voice channel could not be read. Use join to call me.",
}
"""What people are told of a part that was set aside; of others nothing."""

log = structlog.get_logger(__name__)


class Persistence(Follower):
    """Answers Save when it is on disk (or says that it is not), and Load with the last state."""

    def __init__(self, guild_id: int, store: Store, positions: Positions) -> None:
        self._guild_id = guild_id
        self._store = store
        self._positions = positions
        self._memory: dict[str, Mapping[str, Any]] = {}
        self._held: dict[str, Mapping[str, Any]] = {}  # done by those who do not know what is on disk
        self._unwritten: dict[str, None] = {}  # parts that are newer in memory, the oldest first

    @handles(Save)
    async def save(self, message: Save) -> Saved:
        """Memory first, then the disk."""
        if message.unread:
            return self._hold(message)
        self._held.pop(message.part, None)
        self._memory[message.part] = message.state
        if message.position is not None:
            self._positions.note(self._guild_id, message.position)
        problem = await self._write(message)
        return Saved(ok=problem is None, problem=problem)

    def _hold(self, message: Save) -> Saved:
        """It is kept for a successor of whoever saves, until what is on disk was read."""
        self._held[message.part] = message.state
        if message.position is not None:
            self._positions.hold(self._guild_id)
        return Saved(ok=False, problem="what was saved before could not be read yet")

    async def _write(self, message: Save) -> str | None:
        try:
            blob = encode(message.state)
            await self._store.put(self._guild_id, message.part, blob, message.position)
        except (StoreError, NewerStateError) as error:
            log.warning("not_saved", guild_id=self._guild_id, part=message.part, error=str(error))
            self._unwritten[message.part] = None
            self.ctx.start_timer("again", about(RETRY_S), Tick())
            return str(error)
        self._unwritten.pop(message.part, None)
        return None

    @handles(Tick)
    async def write_again(self, _message: Tick) -> None:
        """What was only done is saved as well, as soon as that is possible."""
        for part in list(self._unwritten):
            position = self._positions.latest(self._guild_id) if part == "player" else None
            if await self._write(Save(part, self._memory[part], position)) is not None:
                return

    @handles(Load)
    async def load(self, message: Load) -> Loaded:
        """Memory if there is any, else the disk; an error of the disk does not mean that there is nothing."""
        held = self._held.get(message.part)
        try:
            loaded = await self._read(message)
        except (StoreError, NewerStateError) as error:
            log.warning("not_loaded", guild_id=self._guild_id, part=message.part, error=str(error))
            if message.position:
                self._positions.hold(self._guild_id)
            return Loaded(held, unread=True, meanwhile=held)
        if message.position:
            self._positions.release(self._guild_id)
        return replace(loaded, meanwhile=held)

    async def _read(self, message: Load) -> Loaded:
        """
        :raises StoreError, NewerStateError: it is not known whether there is something
        """
        position = await self._position() if message.position else None
        if message.part in self._memory:
            return Loaded(self._memory[message.part], position)
        blob = await self._store.get(self._guild_id, message.part)
        if blob is None:
            return Loaded(None, position)
        try:
            return Loaded(decode(message.part, blob), position)
        except UnreadableError as error:
            saved = await self.set_aside(SetAside(message.part, str(error)))
            if not saved.ok:  # the next save would destroy it
                raise StoreError(saved.problem or "a row was not set aside") from None
            return Loaded(None, damaged=True)

    async def _position(self) -> Any:
        latest = self._positions.latest(self._guild_id)
        return await self._store.position(self._guild_id) if latest is None else latest

    @handles(SetAside)
    async def set_aside(self, message: SetAside) -> Saved:
        """Out of the way, but not lost."""
        part = message.part
        log.error("row_set_aside", guild_id=self._guild_id, part=part, error=message.why)
        self._memory.pop(part, None)
        try:
            await self._store.set_aside(self._guild_id, part)
        except StoreError as error:
            log.warning("row_not_set_aside", guild_id=self._guild_id, part=part, error=str(error))
            return Saved(ok=False, problem=str(error))
        if part in LOST:
            tell(self.ctx, "display", Notice(LOST[part], await self._text_channel()))
        return Saved()

    async def _text_channel(self) -> int | None:
        """Where the bot last spoke, from whatever part can still be read."""
        for part in ("player", "connection"):
            try:
                blob = await self._store.get(self._guild_id, part)
                state = {} if blob is None else decode(part, blob)
            except (StoreError, UnreadableError):
                continue
            channel_id = state.get("text_channel_id")
            if isinstance(channel_id, int):
                return channel_id
        return None
