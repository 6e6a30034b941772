"""All that is asyncio's own: waiting, native cancels, threads, virtual time. The only import of asyncio.

On trio the same functions do what trio offers; anyio's own are used wherever their price does not count.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import anyio
from anyio.lowlevel import checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from contextlib import AbstractAsyncContextManager

R = TypeVar("R")

NativeTask = asyncio.Task
NativeCancelled = asyncio.CancelledError


def on_asyncio() -> bool:
    """Whether the running event loop is asyncio's (uvloop included)."""
    return asyncio._get_running_loop() is not None


class MakeTask(Protocol):
    """Makes a task of asyncio's, in no task group."""

    def __call__(self, coroutine: Coroutine[Any, Any, R], /, *, name: str) -> asyncio.Task[R]: ...


def task_maker() -> MakeTask:
    """That of the running event loop."""
    return asyncio.get_running_loop().create_task


def cancel_task(identity: int) -> bool:
    """``Task.cancel()`` as foreign code does it; False where there is no such thing, or no such task."""
    tasks = asyncio.all_tasks() if on_asyncio() else ()
    return any(task.cancel() for task in tasks if id(task) == identity)


def task_id() -> int:
    """Identity of the running task; 0 outside of tasks."""
    if on_asyncio():
        return id(asyncio.current_task())
    return id(_trio().current_task())


def task_ids() -> Callable[[], int]:
    """:func:`task_id` of tasks of the running event loop, without looking for that each time."""
    loop, current = asyncio._get_running_loop(), asyncio.current_task
    return task_id if loop is None else lambda: id(current(loop))


def clock() -> Callable[[], float]:
    """The cheapest function that tells the event loop's time, in seconds."""
    loop = asyncio._get_running_loop()
    if loop is None:
        clock: Callable[[], float] = _trio().current_clock().current_time
        return clock
    return time.monotonic if getattr(type(loop), "time", None) is asyncio.BaseEventLoop.time else loop.time


def stopwatch() -> Callable[[], float]:
    """The cheapest function that tells how the event loop's seconds pass; its zero is its own."""
    now = clock()
    if on_asyncio():
        return now
    return time.monotonic if type(_trio().current_clock()).__name__ == "SystemClock" else now


def scopes() -> Callable[..., anyio.CancelScope]:
    """What makes the cancel scopes of the running backend: ``anyio.CancelScope`` looks for it each time, and
    runs its constructor twice.
    """
    return type(anyio.CancelScope())


# waiting


class Waiter(Protocol):
    """One task waits for it once, one call wakes it: an asyncio future, or its like for trio.

    An ``anyio.Event`` costs five times as much, and an ask needs two of them.
    """

    def done(self) -> bool: ...

    def set_result(self, result: None, /) -> None: ...

    def __await__(self) -> Generator[Any, Any, None]: ...


class TrioWaiter:
    """See :class:`Waiter`."""

    __slots__ = ("_done", "_task")

    def __init__(self) -> None:
        self._done = False
        self._task: Any = None

    def done(self) -> bool:
        """Whether it was woken, or cancelled."""
        return self._done

    def set_result(self, result: None, /) -> None:
        """Wake whoever waits."""
        self._done = True
        if self._task is not None:
            _trio().reschedule(self._task)

    def __await__(self) -> Generator[Any, Any, None]:
        if self._done:
            return checkpoint().__await__()
        self._task = _trio().current_task()
        return _trio().wait_task_rescheduled(self._abort).__await__()  # type: ignore[no-any-return]  # trio is optional

    def _abort(self, _: object) -> Any:
        self._done = True
        return _trio().Abort.SUCCEEDED


def new_waiter() -> Waiter:
    """The running event loop's cheapest way to wait."""
    loop = asyncio._get_running_loop()
    return TrioWaiter() if loop is None else loop.create_future()


def wake(waiter: Waiter) -> None:
    """Wake whoever waits, unless that was done or the wait was cancelled."""
    if not waiter.done():
        waiter.set_result(None)


async def wait(waiter: Waiter, timeout_s: float) -> None:
    """Wait until it is woken, at most so long; the caller sees for itself which it was. Who waits without a
    limit awaits the waiter itself: one coroutine less on the way of every message.
    """
    loop = asyncio._get_running_loop()
    if loop is None:
        with anyio.move_on_after(timeout_s):
            await waiter
        return
    timer = loop.call_later(timeout_s, wake, waiter)  # a third of the price of a cancel scope
    try:
        await waiter
    finally:
        timer.cancel()


class Timer(Protocol):
    """Can be called off."""

    def cancel(self) -> None: ...


def call_at(at: float, function: Callable[[], None]) -> Timer:
    """Have asyncio call something at that time of its clock."""
    return asyncio.get_running_loop().call_at(at, function)


def open_nursery() -> AbstractAsyncContextManager[Any]:
    """A nursery of trio's."""
    manager: AbstractAsyncContextManager[Any] = sys.modules["trio"].open_nursery()
    return manager


def _trio() -> Any:
    return sys.modules["trio"].lowlevel  # it is running, hence imported; the kernel does not depend on it


# cancels and threads


def absorb_cancel() -> bool | None:
    """Classify a cancellation that no scope of ours asked for, and take it off the task.

    :return: True for a native ``Task.cancel()`` by foreign code; False for a ``CancelledError`` that
        came without one (an awaited foreign task was cancelled); None where there is no such thing
        (trio), and the caller must let it pass
    """
    task = asyncio.current_task() if on_asyncio() else None
    if task is None:
        return None
    native = task.cancelling() > 0
    while task.cancelling():
        task.uncancel()
    return native


def thread_portal() -> Callable[[Callable[[], None]], None]:
    """A function that hands a call over to this event loop, from any thread, without waiting."""
    if on_asyncio():
        return asyncio.get_running_loop().call_soon_threadsafe  # type: ignore[return-value]  # its handle is unused
    return _trio().current_trio_token().run_sync_soon  # type: ignore[no-any-return]  # trio is optional


# virtual time


class _JumpingSelector(selectors.DefaultSelector):
    """Where the loop would sleep, the clock jumps."""

    now = 0.0
    #: real seconds to wait for a thread when nothing at all is scheduled
    PATIENCE_S = 5.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None or math.isinf(timeout):
            return self._wait_for_threads()
        self.now += timeout
        return ready

    def _wait_for_threads(self) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(self.PATIENCE_S)
        if not ready:
            raise RuntimeError("virtual time stands still: everybody waits and no timer runs")
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop in virtual time: it jumps to the next timer when nothing can run.

    Waiting for a thread does not hold the clock.
    """

    def __init__(self) -> None:
        self._virtual = _JumpingSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now
