"""Chaos: a monkey that breaks a running tree on purpose, by a seed and a schedule.

It works on any tree, on asyncio and on trio, also on actors that started long before or start later: nothing
of them has to be prepared. What it decides depends on the seed, the number of the step and the paths that are
there, and on nothing else; what it did is a list of :class:`Deed`, plain data, by which a run is done again.

::

    monkey = Monkey(system)
    deeds = await monkey.run(Plan(seed=7, every_s=0.5, duration_s=60, paths=("guilds/*/player",)))
    await Monkey(system).replay(deeds)

An actor that hangs or is slow does so in the kernel, ahead of its own code: its mailbox fills, who asks
waits, the tree and :class:`SlowHandler` tell of it, and a stop or a kill cuts it, as with a handler that
never returns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from random import Random
from typing import TYPE_CHECKING

import anyio

from ._deed import Deed as Deed, Fault as Fault
from ._disturbance import ChaosError as ChaosError
from ._disturbing import Hands

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from ._system import System
    from ._tree import TreeNode

__all__ = ["ChaosError", "Deed", "Fault", "Monkey", "Plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a monkey is to do.

    :ivar seed: of all its decisions
    :ivar every_s: seconds between two deeds on average; a pause is half to one and a half of it
    :ivar duration_s: seconds after which it ends
    :ivar faults: how often which, relative to each other
    :ivar paths: patterns of those who may be hit, as of :mod:`fnmatch`; ``*`` is any text, also ``/``
    :ivar spared: patterns of those who may not
    :ivar supervisors: whether supervisors are killed too (never the root)
    :ivar longest_s: the longest that one hangs, is slow, or is flooded, in seconds
    :ivar delay_s: the most that is added to each message of a slow one, in seconds
    :ivar failing_starts: the most starts in a row that fail
    :raises ValueError: for what cannot be done
    """

    seed: int
    every_s: float = 1.0
    duration_s: float = math.inf
    faults: Mapping[Fault, float] = field(default_factory=lambda: dict.fromkeys(Fault, 1.0))
    paths: tuple[str, ...] = ("*",)
    spared: tuple[str, ...] = ()
    supervisors: bool = False
    longest_s: float = 2.0
    delay_s: float = 0.05
    failing_starts: int = 2

    def __post_init__(self) -> None:
        if not self.every_s > 0:
            raise ValueError(f"every_s must be more than 0, not {self.every_s}")
        if self.failing_starts < 1:
            raise ValueError(f"failing_starts must be at least 1, not {self.failing_starts}")
        if not any(self.faults.values()) or min(self.faults.values()) < 0:
            raise ValueError("faults need weights of 0 or more, and one above it")

    def pause_s(self, step: int) -> float:
        """Seconds before that step."""
        return self.every_s * self._dice(step, "pause").uniform(0.5, 1.5)

    def decide(self, step: int, at_s: float, tree: TreeNode) -> Deed | None:
        """What is done to whom in that step; None if nobody is there to whom it may be done.

        The same for the same seed, step and paths, whatever state those are in.
        """
        dice = self._dice(step, "deed")
        (fault,) = dice.choices(list(Fault), [self.faults.get(each, 0.0) for each in Fault])
        share, chance = dice.random(), dice.random()
        targets = sorted(node.path for node in tree.walk() if self._may_hit(fault, node))
        if not targets:
            return None
        path = targets[int(chance * len(targets))]
        return Deed(step, at_s, fault, path, *self._measure(fault, share))

    def _dice(self, step: int, what: str) -> Random:
        return Random(f"{self.seed}/{step}/{what}")  # noqa: S311 - to be done again, not to be secret

    def _may_hit(self, fault: Fault, node: TreeNode) -> bool:
        if node.kind == "supervisor" and not (self.supervisors and fault is Fault.KILL and node.path):
            return False
        return _fits(node.path, self.paths) and not _fits(node.path, self.spared)

    def _measure(self, fault: Fault, share: float) -> tuple[float, float]:
        """Seconds and amount of a fault; `share` from 0 to 1 of the most."""
        match fault:
            case Fault.HANG | Fault.FLOOD:
                return share * self.longest_s, 0.0
            case Fault.SLOW:
                return self.longest_s, share * self.delay_s
            case Fault.FAIL_START:
                return 0.0, 1 + int(share * self.failing_starts)
            case _:
                return 0.0, 0.0


def _fits(path: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)


class Monkey:
    """Does deeds to one system, and takes back what lasts when it is done.

    :ivar deeds: all so far, those that were refused included
    """

    def __init__(
        self, system: System, *, headroom: int | None = 0, on_deed: Callable[[Deed], None] | None = None
    ) -> None:
        """
        :param headroom: failures that a supervisor must still be able to bear, by its restart intensity,
            after a deed, else it is refused: a monkey by itself makes nobody give up. None: no care is taken
        :param on_deed: told of each as it is done
        """
        self.deeds: list[Deed] = []
        self._system = system
        self._hands = Hands(system, headroom)
        self._on_deed = on_deed

    async def run(self, plan: Plan) -> tuple[Deed, ...]:
        """Carry the plan out; returns what was done when its time and the last deed are over.

        It may be cancelled at any time: what lasts is taken back at once.
        """

        async def work(begin: float) -> None:
            step, at_s = 1, plan.pause_s(1)
            while at_s <= plan.duration_s:
                await anyio.sleep_until(begin + at_s)
                deed = plan.decide(step, at_s, await self._system.survey())
                if deed is not None:
                    self._do(deed)
                step += 1
                at_s += plan.pause_s(step)
            await anyio.sleep_until(begin + plan.duration_s)

        return await self._at_work(work)

    async def replay(self, deeds: Iterable[Deed]) -> tuple[Deed, ...]:
        """Do those again that had been done, each at its time; returns what became of them."""

        async def work(begin: float) -> None:
            for deed in deeds:
                if deed.refused is None:
                    await anyio.sleep_until(begin + deed.at_s)
                    self._do(deed)

        return await self._at_work(work)

    async def _at_work(self, work: Callable[[float], Awaitable[None]]) -> tuple[Deed, ...]:
        begin, known = anyio.current_time(), len(self.deeds)
        async with self._hands:
            await work(begin)
            over_s = max((deed.at_s + deed.seconds for deed in self.deeds[known:]), default=0.0)
            await anyio.sleep_until(begin + over_s)
        return tuple(self.deeds[known:])

    def _do(self, deed: Deed) -> None:
        done = replace(deed, refused=self._hands.do(deed))
        self.deeds.append(done)
        if self._on_deed is not None:
            self._on_deed(done)
