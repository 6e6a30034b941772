"""One player under a plan of faults, from its first note to the end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final

import anyio

from loopback.chaos.bot import now_s
from loopback.chaos.lateness import Lateness

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from loopback.chaos.ledger import Entry
    from loopback.chaos.plan import Step
    from loopback.chaos.scene import Scene, Seat

TAKE_S: Final = 0.25
"""Between two looks at what was heard."""
QUIET_S: Final = 2.0
"""The music has gone on for so long at the end."""
SETTLE_S: Final = 25.0
STRIKE_S: Final = 60.0
"""Whatever is done is over by then."""


@dataclass(eq=False)
class Performance:
    """Who plays, and what is done meanwhile.

    :ivar intruded: the bot was in a channel that it had been kicked from: when (ns), and where
    """

    scene: Scene
    lateness: Lateness = field(default_factory=Lateness)
    began_ns: int = 0
    ended_ns: int = 0
    intruded: list[tuple[int, str]] = field(default_factory=list)
    failed: list[tuple[int, str, str]] = field(default_factory=list)
    """Strikes that failed themselves: a defect of this harness."""

    async def suffer(
        self,
        plan: Sequence[Step],
        seconds: float,
        beside: Sequence[Callable[[], Coroutine[None, None, None]]] = (),
        at_end: Sequence[Callable[[], Awaitable[object]]] = (),
    ) -> None:
        """Carry the plan out; `beside` runs meanwhile, and is ended after `at_end`, when all is quiet."""
        self._take()
        self.began_ns = time.time_ns()
        for seat in self.scene.seats:
            seat.hearing.began(self.began_ns)
        async with anyio.create_task_group() as watchers:
            watchers.start_soon(self.lateness.watch, self.scene.player)
            watchers.start_soon(self._listen)
            watchers.start_soon(self._guard)
            for each in beside:
                watchers.start_soon(each)
            async with anyio.create_task_group() as tasks:
                for seat in self.scene.seats:
                    if seat.guest is not None:
                        tasks.start_soon(seat.guest.visit)
                for step in plan:
                    tasks.start_soon(self._strike, step)
                await anyio.sleep(seconds)
                for seat in self.scene.seats:
                    if seat.guest is not None:
                        seat.guest.over.set()
            await self._settle()
            for last in at_end:
                await last()
            watchers.cancel_scope.cancel()
        self._take()

    async def _settle(self) -> None:
        """Put everything right, and wait until the music has gone on for a while."""
        self.scene.discord.faults.end_all()
        with anyio.move_on_after(SETTLE_S):
            for seat in self.scene.seats:
                listener = seat.guild.listener
                await listener.wait_frames(listener.heard + round(QUIET_S * 50), SETTLE_S)
        self._take()
        self.ended_ns = time.time_ns()
        for seat in self.scene.seats:
            if seat.guest is not None:
                await seat.guest.look_last()

    async def _strike(self, step: Step) -> None:
        await anyio.sleep(step.at_s - now_s(self.began_ns))
        seat = self.scene.seats[step.guild]
        kind = step.kind
        entry = self.scene.ledger.begin(kind.name, kind.cost, None if kind.all else seat.guild.name)
        try:
            with anyio.fail_after(STRIKE_S):
                await kind.strike(self.scene, seat, Random(step.seed), entry)  # noqa: S311 - to be done again
        except Exception as error:
            self._told(entry, f"{type(error).__name__}: {error}")
        if entry.end_ns is None:
            entry.end_ns = time.time_ns()

    def _told(self, entry: Entry, words: str) -> None:
        entry.refused = words
        self.failed.append((entry.start_ns, entry.kind, words))

    async def _listen(self) -> None:
        while True:
            await anyio.sleep(TAKE_S)
            self._take()

    def _take(self) -> None:
        for seat in self.scene.seats:
            seat.hearing.take()

    async def _guard(self) -> None:
        """Look whether the bot stays out where it was kicked."""
        while True:
            await anyio.sleep(0.05)
            for seat in self.scene.seats:
                if _intrudes(seat):
                    self.intruded.append((time.time_ns(), seat.guild.name))
                    seat.banned_ns = None


def _intrudes(seat: Seat) -> bool:
    return seat.banned_ns is not None and seat.guild.voice_of(seat.discord.bot) is not None
