"""From a crash to the next message handled: a message that crashes its actor, and a request behind it.

The request is answered by the successor. No backoff, no log. fauxtp's successor has another address and
Pykka restarts nobody, so neither takes part; papyra forgets who asks behind a crash, so its successor is
waited for first.
"""

from __future__ import annotations

import math
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from anyio.lowlevel import checkpoint

from tests.bench.kernel import rivals, subject
from tests.bench.kernel.peers import Tally
from tests.bench.kernel.rounds import Variant

if TYPE_CHECKING:
    from supervision import Ref
    from tests.bench.kernel.loops import Seat

ASK = "kernel: an ask"
CRASH = "kernel: restarted by its supervisor"
PAPYRA = "papyra"


async def open_restarts(seat: Seat, count: int) -> list[Variant]:
    """The variants on that seat."""
    ref = await subject.open_handler(seat, Tally())
    variants = [Variant(ASK, partial(_asks, ref), count), Variant(CRASH, partial(_crashes, ref), count)]
    if seat.loop == "asyncio" and PAPYRA in rivals.installed():
        variants.append(await _open_papyra(seat, count))
    return variants


async def _asks(ref: Ref, count: int) -> float:
    request = subject.Ping()
    started = perf_counter()
    for _ in range(count):
        await ref.ask(request, timeout=math.inf)
    return perf_counter() - started


async def _crashes(ref: Ref, count: int) -> float:
    request, crash = subject.Ping(), subject.Crash()
    started = perf_counter()
    for _ in range(count):
        ref.tell(crash)
        await ref.ask(request, timeout=math.inf)
    return perf_counter() - started


async def _open_papyra(seat: Seat, count: int) -> Variant:
    from papyra import ActorSystem
    from papyra.supervision import Strategy, SupervisionPolicy

    starts = Tally()

    system = await seat.exits.enter_async_context(ActorSystem())
    policy = SupervisionPolicy(Strategy.RESTART, max_restarts=1_000_000, within_seconds=0.001)
    ref = system.spawn(rivals.papyra_fragile(starts), policy=policy)
    while not starts.count:
        await checkpoint()

    async def crashes(count: int) -> float:
        started = perf_counter()
        for _ in range(count):
            before = starts.count
            await ref.tell(None)
            while starts.count == before:
                await checkpoint()
            await ref.ask(1)
        return perf_counter() - started

    return Variant(PAPYRA, crashes, count)
