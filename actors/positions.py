"""Where every guild's listeners are in their tracks, written down together while music plays.

One task reads all streams of the clock and writes what has changed in one transaction, so that a process that
is killed finds its guilds within a second of where they were. Written is what is known to have been heard; of
the frames that left but of which nothing proves yet that they arrived, at most `AHEAD_MS` count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import anyio
import structlog

from .envelope import NewerStateError
from .plays import parse_play
from .store import Position, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .store import Store
    from .voice import Reached

EVERY_S: Final = 0.25
"""Between two looks. With the 0.8 s between two proofs of what arrived (`voice.pulse`), less `AHEAD_MS`, what
is written is less than 1 s behind what was heard."""

SELDOM: Final = 4
"""While no frame leaves, only what comes to be known of earlier ones can change a position: of so many looks
one is made."""

AHEAD_MS: Final = 200
"""How far beyond what is proven a position may be: more would skip music that a broken network swallowed."""

AT_ONCE: Final = 40
"""Streams that are read without a pause, in which frames can leave: a fifth of a millisecond."""

log = structlog.get_logger(__name__)


class Source(Protocol):
    """A stream of the clock."""

    @property
    def guild_id(self) -> int: ...

    def reached(self) -> Reached | None: ...


class Positions:
    """One per process. The players write through `note` what they decide; `run` writes what happens."""

    def __init__(self, streams: Streams, store: Store) -> None:
        self._streams = streams
        self._store = store
        self._latest: dict[int, Position] = {}
        self._heard: dict[int, tuple[str, int]] = {}  # guild id -> play, ms of it: as last looked at
        self._held: dict[int, str] = {}  # guild id -> the play that the sought position is to replace
        self._unread: set[int] = set()
        self._written = True
        self._wakeups = -1  # of the clock, as of the last look
        self._skipped = 0  # looks since

    def note(self, guild_id: int, position: Position) -> None:
        """A player has decided it, and has it written.

        While it seeks, what the stream still plays says nothing.
        """
        self._latest[guild_id] = position
        self._heard.pop(guild_id, None)
        self._held.pop(guild_id, None)
        heard = self._streams.stream(guild_id).reached() if position.seeking else None
        if heard is not None:
            self._held[guild_id] = heard.play_id

    def latest(self, guild_id: int) -> Position | None:
        """What this process knows; None if nothing was played or decided since it began, or if that is not
        what follows from what is on disk (`hold`).
        """
        return None if guild_id in self._unread else self._latest.get(guild_id)

    def hold(self, guild_id: int) -> None:
        """What the disk has of this guild could not be read: nothing is written over it until `release`."""
        self._unread.add(guild_id)

    def release(self, guild_id: int) -> None:
        """It was read."""
        self._unread.discard(guild_id)

    def forget(self, guild_id: int) -> None:
        """The guild is gone."""
        self._unread.discard(guild_id)
        self._latest.pop(guild_id, None)
        self._heard.pop(guild_id, None)
        self._held.pop(guild_id, None)

    async def run(self) -> None:
        """Write until cancelled, and once more then."""
        try:
            while True:
                await anyio.sleep(EVERY_S)
                if self._worth_a_look():
                    await self.collect()
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(1.0):
                await self.collect()

    def _worth_a_look(self) -> bool:
        wakeups, self._skipped = self._streams.wakeups, self._skipped + 1
        if wakeups == self._wakeups and self._written and self._skipped < SELDOM:
            return False
        self._wakeups, self._skipped = wakeups, 0
        return True

    async def collect(self) -> None:
        """Look at every stream, and write what has changed."""
        changed: dict[int, Position] = {}
        streams = tuple(self._streams.all())
        for first in range(0, len(streams), AT_ONCE):
            self._look(streams[first : first + AT_ONCE], changed)
            await anyio.lowlevel.checkpoint()
        due = changed if self._written else self._latest
        positions = {guild_id: at for guild_id, at in due.items() if guild_id not in self._unread}
        if positions:
            await self._write(positions)

    def _look(self, streams: Iterable[Source], changed: dict[int, Position]) -> None:
        for stream in streams:
            reached = stream.reached()
            if reached is None:
                continue
            guild_id, heard = stream.guild_id, (reached.play_id, reached.surely_ms(AHEAD_MS))
            if self._heard.get(guild_id) != heard:  # at every other look nothing new is proven
                self._heard[guild_id] = heard
                self._take(guild_id, *heard, changed)

    def _take(self, guild_id: int, name: str, heard_ms: int, changed: dict[int, Position]) -> None:
        if self._held.get(guild_id) == name:
            return
        self._held.pop(guild_id, None)
        play = parse_play(name)
        if play is None:
            return
        position = Position(play.key.entry_id, max(play.position_ms(0) + heard_ms, 0))
        if self._latest.get(guild_id) != position:
            self._latest[guild_id] = position
            changed[guild_id] = position

    async def _write(self, positions: Mapping[int, Position]) -> None:
        """What cannot be written now is written with the rest as soon as that works again."""
        try:
            await self._store.put_positions(positions)
        except (StoreError, NewerStateError) as error:
            self._written = False
            log.debug("positions_not_written", guilds=len(positions), error=str(error))
        else:
            self._written = True


class Streams(Protocol):
    """The clock."""

    @property
    def wakeups(self) -> int:
        """Unless this changes, no frame leaves."""
        ...

    def all(self) -> Iterable[Source]:
        """Every stream that exists."""
        ...

    def stream(self, guild_id: int) -> Source:
        """The stream of a guild."""
        ...
