"""What was asked for and heard in every guild, line by line: what a violation is explained from.

`guests.jsonl` has the times that `bot.log` beside it has. Each line is on disk as soon as it is noted, so
that it is there after a run that was broken off, too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Diary:
    """Of one run. `path` None: nobody keeps it."""

    path: Path | None = None

    def begin(self) -> None:
        """Forget an earlier run's."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def note(self, guild: str | None, event: str, **details: Any) -> None:
        """Something has happened just now, in that guild or in all of them."""
        if self.path is None:
            return
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"time": time, "guild": guild, "event": event, **details}) + "\n")
