"""Starting many actors: seconds until the last of them waits for messages."""

from __future__ import annotations

import asyncio
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

import anyio
from anyio.lowlevel import checkpoint

from supervision import open_system
from tests.bench.kernel import rivals, subject
from tests.bench.kernel.floors import EventMailbox
from tests.bench.kernel.loops import WITH_FUTURES
from tests.bench.kernel.peers import Tally
from tests.bench.kernel.rounds import Variant

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from supervision import System

START_SOON = "floor: start_soon, deque, anyio.Event"
CREATE_TASK = "asyncio.create_task, asyncio.Queue"
ONE_BY_ONE = "kernel: start_child, one by one"
SIDE_BY_SIDE = "kernel: start_child, all at once"


def spawn_variants(loop: str, count: int) -> list[Variant]:
    """All ways to start actors on that loop."""
    ways: dict[str, Callable[[int], Awaitable[float]]] = {
        START_SOON: _start_soon,
        ONE_BY_ONE: _one_by_one,
        SIDE_BY_SIDE: _side_by_side,
    }
    if loop in WITH_FUTURES:
        ways[CREATE_TASK] = _create_task
    if loop == "asyncio":
        ways |= {name: way for name, way in _RIVALS.items() if name in rivals.installed()}
    return [Variant(name, way, count) for name, way in ways.items()]


async def _start_soon(count: int) -> float:
    tally = Tally()
    async with anyio.create_task_group() as tasks:
        started = perf_counter()
        for _ in range(count):
            tasks.start_soon(_live, tally)
        await _all_up(tally, count)
        seconds = perf_counter() - started
        tasks.cancel_scope.cancel()
    return seconds


async def _live(tally: Tally) -> None:
    tally.count += 1
    await EventMailbox(tally).serve()


async def _create_task(count: int) -> float:
    tally = Tally()
    started = perf_counter()
    tasks = [asyncio.create_task(_live_by_queue(tally)) for _ in range(count)]
    await _all_up(tally, count)
    seconds = perf_counter() - started
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return seconds


async def _live_by_queue(tally: Tally) -> None:
    tally.count += 1
    queue: asyncio.Queue[object] = asyncio.Queue()
    while True:
        await queue.get()


async def _one_by_one(count: int) -> float:
    seconds = 0.0
    async with open_system(subject.crowd()) as system:
        started = perf_counter()
        for number in range(count):
            await _start(system, number)
        seconds += perf_counter() - started
    return seconds


async def _side_by_side(count: int) -> float:
    seconds = 0.0
    async with open_system(subject.crowd()) as system:
        started = perf_counter()
        async with anyio.create_task_group() as tasks:
            for number in range(count):
                tasks.start_soon(_start, system, number)
        seconds += perf_counter() - started
    return seconds


async def _start(system: System, number: int) -> None:
    await system.start_child("", subject.idle(str(number)))


async def _pykka(count: int) -> float:
    counter = rivals.pykka_counter()
    started = perf_counter()
    refs = [counter.start(Tally()) for _ in range(count)]
    seconds = perf_counter() - started
    for ref in refs:
        ref.stop()
    return seconds


async def _fauxtp(count: int) -> float:
    counter, tally = rivals.fauxtp_starter(), Tally()
    async with anyio.create_task_group() as tasks:
        started = perf_counter()
        for _ in range(count):
            await counter.start(tally, task_group=tasks)
        await _all_up(tally, count)
        seconds = perf_counter() - started
        tasks.cancel_scope.cancel()
    return seconds


async def _papyra(count: int) -> float:
    from papyra import ActorSystem

    counter, tally = rivals.papyra_starter(), Tally()
    async with ActorSystem() as system:
        started = perf_counter()
        for _ in range(count):
            system.spawn(partial(counter, tally))
        await _all_up(tally, count)
        return perf_counter() - started


async def _all_up(tally: Tally, count: int) -> None:
    while tally.count < count:
        await checkpoint()


_RIVALS = {"pykka": _pykka, "fauxtp": _fauxtp, "papyra": _papyra}
