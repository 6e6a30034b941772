"""Bytes of resident memory per idle actor.

Each way is measured in a fresh process, for memory that was given back hides what is taken; half as many
actors before them use up what the imports left free. The figure is the growth of the resident set, so it
includes what the allocator and the collector keep beside the objects.
"""

from __future__ import annotations

import asyncio
import gc
import math
import resource
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
from anyio.lowlevel import checkpoint

from supervision import open_system
from tests.bench.kernel import rivals, subject
from tests.bench.kernel.floors import EventMailbox
from tests.bench.kernel.loops import WITH_FUTURES, Seat, run_on, seated
from tests.bench.kernel.peers import Tally
from tests.bench.kernel.spawning import CREATE_TASK, START_SOON

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Filler = Callable[[Seat, int], Awaitable[object]]

FRESH: Final = "kernel: fresh"
USED: Final = "kernel: after a message"


def ways_to_fill(loop: str) -> tuple[str, ...]:
    """What can be measured on that loop."""
    native = (CREATE_TASK,) if loop in WITH_FUTURES else ()
    others = tuple(rivals.installed()) if loop == "asyncio" else ()
    return (START_SOON, *native, FRESH, USED, *others)


def measure_bytes(loop: str, way: str, count: int) -> float:
    """Bytes per actor, of that many idle ones. Run it in a process of its own."""

    async def fill(seat: Seat) -> float:
        first = await _FILLERS[way](seat, max(1, count // 2))  # takes what imports left free
        gc.collect()
        before = _resident_bytes()
        kept = await _FILLERS[way](seat, count)
        gc.collect()
        grown = _resident_bytes() - before
        del first, kept
        return grown / count

    return run_on(loop, partial(seated, loop, fill))


def _resident_bytes() -> int:
    pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    return int(pages) * resource.getpagesize()


async def _start_soon(seat: Seat, count: int) -> object:
    tally = Tally()
    mailboxes = [EventMailbox(tally) for _ in range(count)]
    for mailbox in mailboxes:
        seat.tasks.start_soon(mailbox.serve)
    for _ in range(3):
        await checkpoint()
    return mailboxes


async def _create_task(seat: Seat, count: int) -> object:
    queues: list[asyncio.Queue[object]] = [asyncio.Queue() for _ in range(count)]
    tasks = [asyncio.create_task(_live(queue)) for queue in queues]
    seat.exits.callback(lambda: [task.cancel() for task in tasks])
    await checkpoint()
    return queues


async def _live(queue: asyncio.Queue[object]) -> None:
    while True:
        await queue.get()


async def _fresh(seat: Seat, count: int) -> object:
    system = await seat.exits.enter_async_context(open_system(subject.crowd()))
    return [await system.start_child("", subject.idle(str(number))) for number in range(count)]


async def _used(seat: Seat, count: int) -> object:
    system = await seat.exits.enter_async_context(open_system(subject.crowd()))
    refs = [await system.start_child("", subject.idle(str(number))) for number in range(count)]
    for ref in refs:
        await ref.ask(subject.Ping(), timeout=math.inf)
    return refs


async def _pykka(seat: Seat, count: int) -> object:
    counter = rivals.pykka_counter()
    refs = [counter.start(Tally()) for _ in range(count)]
    seat.exits.callback(lambda: [ref.stop(block=False) for ref in refs])
    return refs


async def _fauxtp(seat: Seat, count: int) -> object:
    starter, tally = rivals.fauxtp_starter(), Tally()
    pids = [await starter.start(tally, task_group=seat.tasks) for _ in range(count)]
    await anyio.wait_all_tasks_blocked()
    return pids


async def _papyra(seat: Seat, count: int) -> object:
    from papyra import ActorSystem

    system = await seat.exits.enter_async_context(ActorSystem())
    refs = [system.spawn(partial(rivals.papyra_starter(), Tally())) for _ in range(count)]
    await anyio.wait_all_tasks_blocked()
    return refs


_FILLERS: Mapping[str, Filler] = {
    START_SOON: _start_soon,
    CREATE_TASK: _create_task,
    FRESH: _fresh,
    USED: _used,
    "pykka": _pykka,
    "fauxtp": _fauxtp,
    "papyra": _papyra,
}
