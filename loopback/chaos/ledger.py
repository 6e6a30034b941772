"""What was done to the bot, when, and what each of these things may cost."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from loopback.chaos.report import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Cost:
    """What a kind of fault may cost the listeners it meets.

    :ivar bound_ms: silence, beyond what is forced
    :ivar forced: whether nothing can be heard from its begin to its end
    :ivar settle_s: after its end something may still come of it for so long
    :ivar lost: frames that may never come; `repeated`: that may come twice
    :ivar retries: whether it can make an attempt to come back fail, so that the policy's wait follows
    :ivar kills: whether the process is killed
    :ivar unwritten_s: for how long nothing can be written, so that a process that is killed then forgets it
    :ivar words: of the main gateway that have to come before the music can go on
    :ivar word_ms: by how much later each of them comes meanwhile
    :ivar away: whether none comes from its begin to its end
    :ivar forgets: whether what was done but not saved is undone by it
    :ivar pause_ms: of its silence, what the policy waits between two attempts
    :ivar deaf: whether the bot hears nothing from the voice server until it has noticed
    :ivar ends: whether the voice server says with it that the session has ended
    :ivar eats: whether packets are lost on their way: what is lost then was not to be heard
    """

    group: str
    bound_ms: float = 60.0
    forced: bool = False
    settle_s: float = 2.0
    lost: int = 0
    repeated: int = 0
    retries: bool = False
    words: int = 0
    kills: bool = False
    unwritten_s: float = 0.0
    word_ms: float = 0.0
    away: bool = False
    forgets: bool = False
    pause_ms: float = 0.0
    deaf: bool = False
    ends: bool = False
    eats: bool = False


WISHES: Final[Mapping[str, Cost]] = {
    "skipped": Cost("command", 1500, settle_s=3.0),
    "sought": Cost("command", 500, settle_s=3.0),
    "sounded otherwise": Cost("command", 60, settle_s=3.0),
    "paused": Cost("command", 500, forced=True, settle_s=3.0),
}
"""What people do to their own music: no faults, but they are seen in it."""


@dataclass(slots=True, eq=False)
class Entry:
    """One thing that was done, ns; `end_ns` None: it still lasts. `guild` None: to all of them."""

    number: int
    kind: str
    cost: Cost
    guild: str | None
    start_ns: int
    end_ns: int | None = None
    path: str = ""
    refused: str | None = None

    def until_ns(self, now_ns: int) -> int:
        """Until when something may come of it."""
        return (now_ns if self.end_ns is None else self.end_ns) + int(self.cost.settle_s * 1e9)

    @property
    def is_kill(self) -> bool:
        """Whether the process was killed."""
        return self.cost.kills and self.refused is None

    @property
    def forgets(self) -> bool:
        """Whether what was done but not saved was undone by it."""
        return self.is_kill or (self.cost.forgets and self.refused is None)

    def concerns(self, guild: str) -> bool:
        """Whether it was done to that guild."""
        return self.refused is None and self.guild in (None, guild)

    def to_fault(self, began_ns: int, now_ns: int) -> Fault:
        """For the report."""
        end_ns = now_ns if self.end_ns is None else self.end_ns
        cost = self.cost
        return Fault(
            id=self.number,
            kind=self.kind,
            group=cost.group,
            guild=self.guild,
            path=self.path,
            start_s=round((self.start_ns - began_ns) / 1e9, 4),
            end_s=round((end_ns - began_ns) / 1e9, 4),
            forced_ms=round((end_ns - self.start_ns) / 1e6, 1) if cost.forced else 0.0,
            bound_ms=cost.bound_ms,
            settle_s=cost.settle_s,
            lost=cost.lost,
            repeated=cost.repeated,
            refused=self.refused,
        )


@dataclass(eq=False)
class Ledger:
    """All of them, in the order of their beginnings."""

    entries: list[Entry] = field(default_factory=list)

    def begin(self, kind: str, cost: Cost, guild: str | None) -> Entry:
        """Something is done now."""
        entry = Entry(len(self.entries) + 1, kind, cost, guild, time.time_ns())
        self.entries.append(entry)
        return entry

    @contextmanager
    def wish(self, kind: str, guild: str) -> Iterator[None]:
        """While somebody asks for something, and until it was answered."""
        entry = self.begin(kind, WISHES[kind], guild)
        try:
            yield
        finally:
            entry.end_ns = time.time_ns()
