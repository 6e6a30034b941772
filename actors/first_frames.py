"""From a command to the first frame that it leads to: one log line, which ends the command's trail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
import structlog

from .correlation import current, follow

if TYPE_CHECKING:
    from .correlation import Correlation

REMEMBERED: Final = 1_000
"""Entries of a queue whose command is known; of those beyond, the line has no command."""

log = structlog.get_logger(__name__)


class FirstFrames:
    """Of one guild; in memory only: after a restart of the player the frames of before have no command."""

    def __init__(self, guild_id: int) -> None:
        self._guild_id = guild_id
        self._wanted_at: float | None = None
        self._commands: dict[str, Correlation] = {}

    def wanted(self) -> None:
        """Something is to be heard now that is not yet."""
        self._wanted_at = anyio.current_time()

    def commanded(self, *entries: str) -> None:
        """What is heard next of these entries of the queue follows from the present command, if from any."""
        command = current()
        if command is None:
            return
        self._commands |= dict.fromkeys(entries, command)
        for entry in list(self._commands)[:-REMEMBERED]:
            del self._commands[entry]

    def sent(self, entry: str) -> None:
        """The first frame of a play of that entry has left."""
        wanted_at, self._wanted_at = self._wanted_at, None
        command = self._commands.pop(entry, None)
        if wanted_at is None and command is None:
            return  # the next of its own accord, or the same track once more
        after_ms = None if wanted_at is None else round(1000 * (anyio.current_time() - wanted_at), 1)
        since_command_ms = None if command is None else command.age_ms
        with follow(command):
            log.info(
                "first_frame",
                guild_id=self._guild_id,
                entry=entry,
                after_ms=after_ms,
                since_command_ms=since_command_ms,
            )
