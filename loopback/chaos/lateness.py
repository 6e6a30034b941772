"""How long the machine keeps the bot, or Discord, waiting for a processor: no fault of theirs.

The kernel counts for how long each thread of the bot was ready to run and did not. The longest counts: one
that holds the interpreter's lock and gets no processor keeps all others waiting, and from outside nobody sees
which one holds it. A wait is counted when it ends, and so may be seen later than what it held up. A thread to
which a processor was given that the host of this machine withholds does not wait, as far as its kernel can
see: that time is counted for each processor. How late the embedded Discord wakes up is measured by itself.
Only what is worth a word is kept.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import anyio

from loopback.processes import descendants, stolen_ns, waited_ns

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOK_S: Final = 0.02
WORTH_NS: Final = 1_000_000
LONGEST_NS: Final = 1_000_000_000
"""A wait is put down to no more than so long before it was counted."""
T = TypeVar("T")


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
        pid, waited, stolen, last_ns = 0, dict[int, int](), stolen_ns(), time.time_ns()
        while True:
            await anyio.sleep(LOOK_S)
            now_ns = time.time_ns()
            if player.pid != pid:
                pid = player.pid
                waited = waited_ns(pid)
            before, waited = waited, waited_ns(pid)
            held, stolen = stolen, stolen_ns()
            bot_ns = max(_most(before, waited), _most(held, stolen))
            own_ns = now_ns - last_ns - int(LOOK_S * 1e9)
            late_ns = bot_ns + max(0, own_ns)
            if late_ns > WORTH_NS:
                self.begins_ns.append(min(last_ns, now_ns - min(bot_ns, LONGEST_NS)))
                self.ends_ns.append(now_ns)
                self.late_ns.append(late_ns)
            self.most_ns = max(self.most_ns, late_ns)
            last_ns = now_ns

    def within_ms(self, start_ns: int, end_ns: int) -> float:
        """How late they were altogether in looks that touch this interval, or waits that do."""
        first = bisect_left(self.ends_ns, start_ns)
        last = bisect_right(self.ends_ns, end_ns + LONGEST_NS)
        looks = zip(self.begins_ns[first : last + 1], self.late_ns[first : last + 1], strict=True)
        return round(sum(late for begin, late in looks if begin <= end_ns) / 1e6, 1)

    def take_most_ms(self) -> float:
        """The most since this was asked last."""
        most, self.most_ns = self.most_ns, 0
        return round(most / 1e6, 1)


@dataclass(eq=False)
class WorkersLateness:
    """For how long the processes below the player's waited for a processor: of them, too, the longest counts.

    They leave the processors to everything else (nice 19), so that on a machine with no time to spare they
    come to nothing for many seconds, while the player's own process is hardly late.
    """

    player: Player
    _waited: dict[int, int] = field(default_factory=dict)
    _total_ns: int = 0

    def total_ns(self) -> int:
        """Up to now, from any moment on: two of these are to be compared."""
        before, self._waited = self._waited, {}
        for pid in descendants(self.player.pid):
            self._waited |= waited_ns(pid)
        self._total_ns += _most(before, self._waited)
        return self._total_ns


def _most(before: Mapping[T, int], after: Mapping[T, int]) -> int:
    """By how much one of them has grown, that which has most."""
    return max((0, *(ns - before.get(name, 0) for name, ns in after.items())))
