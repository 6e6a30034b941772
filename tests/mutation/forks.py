"""Work in forks of this process, a few at a time, each with its limits and its answer."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.context import ForkProcess

_fork = multiprocessing.get_context("fork")


class Work(NamedTuple):
    """What a fork does: its name, what it runs for an answer, and its limit in seconds of wall time."""

    name: str
    run: Callable[[], object]
    wall_s: float


class Late(NamedTuple):
    """The answer of a fork that came to its limits."""


class Dead(NamedTuple):
    """The answer of a fork that ended without one."""


class _Running(NamedTuple):
    name: str
    process: ForkProcess
    answer: Connection
    deadline: float


def answers(works: Iterable[Work], workers: int) -> Iterator[tuple[str, object]]:
    """The answer of each work, as they come; the next work is asked for when there is room for it."""
    source, running = iter(works), list[_Running]()
    exhausted = False
    while running or not exhausted:
        while len(running) < workers and not exhausted:
            work = next(source, None)
            exhausted = work is None
            if work is not None:
                running.append(_start(work))
        for each in _ready(running):
            running.remove(each)
            yield each.name, _answer(each)


def allow(processor_s: float) -> None:
    """In a fork: end it unless this is called again before so many seconds of processor time."""
    signal.setitimer(signal.ITIMER_PROF, processor_s)


def _start(work: Work) -> _Running:
    ours, theirs = _fork.Pipe(duplex=False)

    def child() -> None:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        theirs.send(work.run())
        os._exit(0)  # whatever a mutant has left running holds nobody up

    process = _fork.Process(target=child)
    process.start()
    theirs.close()
    return _Running(work.name, process, ours, time.monotonic() + work.wall_s)


def _ready(running: list[_Running]) -> list[_Running]:
    """Those with an answer, or dead, or past their time; waits up to a second for one."""
    by_answer = {each.answer: each for each in running}
    ready = [
        by_answer[answer] for answer in wait(list(by_answer), timeout=1.0) if isinstance(answer, Connection)
    ]
    return ready or [each for each in running if each.deadline < time.monotonic()]


def _answer(each: _Running) -> object:
    """The answer of a work that is ready, which ends with that."""
    try:
        answer = each.answer.recv() if each.answer.poll() else Late()
    except EOFError:
        answer = None
    if isinstance(answer, Late):
        each.process.kill()
    each.answer.close()
    each.process.join()
    if answer is None:
        return Late() if each.process.exitcode == -signal.SIGPROF else Dead()
    return answer
