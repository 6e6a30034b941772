"""How long the machine keeps the bot, or Discord, waiting for a processor: no fault of theirs.

The kernel counts for how long each thread of the bot was ready to run and did not. The longest counts: one
that holds the interpreter's lock and gets no processor keeps all others waiting, and from outside nobody sees
which one holds it. How late the embedded Discord wakes up is measured by itself. Only what is worth a word is
kept.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Final, Protocol

import anyio

from loopback.processes import waited_ns

LOOK_S: Final = 0.02
WORTH_NS: Final = 1_000_000


class Player(Protocol):
    """Whose processor time is looked at; its process may be another one after a restart."""

    @property
    def pid(self) -> int: ...


@dataclass(eq=False)
class Lateness:
    """Of one run: looks that found somebody late."""

    ends_ns: list[int] = field(default_factory=list)
    begins_ns: list[int] = field(default_factory=list)
    late_ns: list[int] = field(default_factory=list)
    most_ns: int = 0

    async def watch(self, player: Player) -> None:
        """For ever."""
        pid, waited, last_ns = 0, dict[int, int](), time.time_ns()
        while True:
            await anyio.sleep(LOOK_S)
            now_ns = time.time_ns()
            if player.pid != pid:
                pid = player.pid
                waited = waited_ns(pid)
            before, waited = waited, waited_ns(pid)
            bot_ns = max((ns - before.get(thread, 0) for thread, ns in waited.items()), default=0)
            own_ns = now_ns - last_ns - int(LOOK_S * 1e9)
            late_ns = max(0, bot_ns) + max(0, own_ns)
            if late_ns > WORTH_NS:
                self.begins_ns.append(last_ns)
                self.ends_ns.append(now_ns)
                self.late_ns.append(late_ns)
            self.most_ns = max(self.most_ns, late_ns)
            last_ns = now_ns

    def within_ms(self, start_ns: int, end_ns: int) -> float:
        """How late they were altogether in looks that touch this interval."""
        first = bisect_left(self.ends_ns, start_ns)
        total = 0
        for index in range(first, len(self.ends_ns)):
            if self.begins_ns[index] > end_ns:
                break
            total += self.late_ns[index]
        return round(total / 1e6, 1)

    def take_most_ms(self) -> float:
        """The most since this was asked last."""
        most, self.most_ns = self.most_ns, 0
        return round(most / 1e6, 1)
