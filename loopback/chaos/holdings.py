"""What the bot's process holds while it is disturbed, and whether it is too much."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from loopback.chaos.asking import NotAskedError, ask
from loopback.chaos.bot import now_s
from loopback.chaos.report import Sample
from loopback.processes import descendants, descriptors, memory_mib, status

if TYPE_CHECKING:
    from loopback.chaos.bot import BotProcess
    from loopback.chaos.lateness import Lateness

LOOK_S = 1.0
MOST_SAMPLES = 900
"""In a report: a night's are further apart."""


@dataclass(eq=False)
class Holdings:
    """Of one run."""

    bot: BotProcess
    lateness: Lateness
    began_ns: int
    seconds: float
    samples: list[Sample] = field(default_factory=list)

    async def watch(self) -> None:
        """For ever."""
        while True:
            await self.look()
            await anyio.sleep(max(LOOK_S, self.seconds / MOST_SAMPLES))

    async def look(self) -> Sample | None:
        """One sample; None while there is no process."""
        pid = self.bot.pid
        if not pid or not descriptors(pid):
            return None
        below = descendants(pid)
        sample = Sample(
            at_s=round(now_s(self.began_ns), 2),
            life=self.bot.life,
            memory_mib=round(memory_mib(pid), 1),
            workers_mib=round(sum(memory_mib(one) for one in below), 1),
            descriptors=descriptors(pid),
            threads=status(pid).get("Threads", 0),
            actors=await self._actors(),
            processes=1 + len(below),
            late_ms=self.lateness.take_most_ms(),
        )
        self.samples.append(sample)
        return sample

    async def _actors(self) -> int:
        try:
            with anyio.fail_after(2):
                return _count((await ask(self.bot.socket, "tree"))["tree"])
        except (NotAskedError, TimeoutError):
            return self.samples[-1].actors if self.samples else 0


def _count(node: dict[str, Any]) -> int:
    return (node.get("kind") == "actor") + sum(_count(child) for child in node.get("children", ()))
