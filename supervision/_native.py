"""All that is asyncio's own: native cancels, foreign code, threads, tasks. The only import of asyncio.

On trio the same functions do what trio offers, through anyio.
"""

from __future__ import annotations

import asyncio
import logging
import math
import selectors
import sys
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import anyio

from ._errors import ForeignCancelled
from ._gate import Gate

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

R = TypeVar("R")
_log = logging.getLogger("supervision")

Body = Callable[[], Coroutine[Any, Any, None]]
#: Told when a task ended by anything but its own return, also if it never ran its first step.
Lost = Callable[[BaseException | None], None]


def on_asyncio() -> bool:
    """Whether the running event loop is asyncio's (uvloop included)."""
    return asyncio._get_running_loop() is not None


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


async def hold_on(gate: Gate) -> None:
    """Wait for the gate whatever cancels; a native cancel that came meanwhile is raised at the end."""
    held: BaseException | None = None
    with anyio.CancelScope(shield=True):
        while not gate.is_open:
            try:
                await gate.wait()
            except anyio.get_cancelled_exc_class() as cancelled:
                held = cancelled
    if held is not None:
        try:
            raise held
        finally:
            del held


class Tasks(Protocol):
    """The owner of all tasks of a system."""

    def spawn(self, body: Body, name: str, lost: Lost) -> None: ...

    async def join(self) -> None: ...


class AsyncioTasks:
    """Plain tasks. An anyio task group would be cancelled as a whole by one native cancel that lands
    before a task's first step, where no wrapper of ours can catch it; it also costs three times more.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._empty: Gate | None = None

    def spawn(self, body: Body, name: str, lost: Lost) -> None:
        task = self._loop.create_task(body(), name=name)
        self._tasks.add(task)
        task.add_done_callback(partial(self._done, lost))

    def _done(self, lost: Lost, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            lost(None)
        elif (error := task.exception()) is not None:
            lost(error)
        if self._empty is not None and not self._tasks:
            self._empty.open()

    async def join(self) -> None:
        held: BaseException | None = None
        while self._tasks:
            self._empty = Gate()
            try:
                await hold_on(self._empty)
            except asyncio.CancelledError as cancelled:
                held = cancelled
        if held is not None:
            try:
                raise held
            finally:
                del held


class GroupTasks:
    """Tasks in an anyio task group: trio's nursery."""

    def __init__(self, group: TaskGroup) -> None:
        self._group = group

    def spawn(self, body: Body, name: str, lost: Lost) -> None:
        self._group.start_soon(self._run, body, lost, name=name)

    @staticmethod
    async def _run(body: Body, lost: Lost) -> None:
        try:
            await body()
        except anyio.get_cancelled_exc_class():
            lost(None)
            raise
        except BaseException as error:
            lost(error)

    async def join(self) -> None:
        await self._group.__aexit__(None, None, None)  # waits for all, whatever cancels


async def open_tasks() -> Tasks:
    """The backend's owner of tasks; it must be joined by the same task."""
    if on_asyncio():
        return AsyncioTasks()
    group = anyio.create_task_group()
    await group.__aenter__()
    return GroupTasks(group)


def thread_portal() -> Callable[[Callable[[], None]], None]:
    """A function that hands a call over to this event loop, from any thread, without waiting."""
    if on_asyncio():
        return asyncio.get_running_loop().call_soon_threadsafe  # type: ignore[return-value]  # its handle is unused
    trio = sys.modules["trio"]
    return trio.lowlevel.current_trio_token().run_sync_soon  # type: ignore[no-any-return]  # trio is optional


async def run_foreign(
    function: Callable[..., Awaitable[R]], *args: Any, grace_s: float = 5.0, again_s: float = math.inf
) -> R:
    """Run third-party asyncio code that expects to be cancelled once, the asyncio way.

    Inside a cancelled anyio scope every await raises again, which cuts the ``except CancelledError``
    cleanup of code written for asyncio. So it runs in a task of its own; when this call is cancelled
    that task is cancelled once and given ``grace_s`` seconds to clean up, shielded.

    :param function: a coroutine function, for example ``client.start``
    :param again_s: cancel again after this long, and so on until it ends: for code without cleanup of its
        own that may lose a cancel, as ``asyncio.wait_for`` does up to Python 3.11 when its awaitable ends
        at the same moment (python/cpython#86296)
    :raises ForeignCancelled: if the code was cancelled by somebody else
    """
    if not on_asyncio():
        raise RuntimeError("foreign asyncio code needs the asyncio backend")
    ended = Gate()
    task = asyncio.get_running_loop().create_task(_as_coroutine(function, args), name=f"foreign {function!r}")
    task.add_done_callback(lambda _: ended.open())
    try:
        await ended.wait()
    except BaseException:
        deadline = anyio.current_time() + grace_s
        while not ended.is_open and anyio.current_time() < deadline:
            task.cancel()
            await _outwait(ended, min(anyio.current_time() + again_s, deadline))
        task.add_done_callback(_retrieve)
        if not ended.is_open:
            _log.warning("foreign code %r did not end within %s s of its cancel", function, grace_s)
        raise
    if task.cancelled():
        raise ForeignCancelled(f"{function!r} was cancelled by foreign code")
    return task.result()


async def _as_coroutine(function: Callable[..., Awaitable[R]], args: tuple[Any, ...]) -> R:
    return await function(*args)


async def _outwait(gate: Gate, deadline: float) -> None:
    while not gate.is_open and anyio.current_time() < deadline:
        try:
            with anyio.CancelScope(shield=True, deadline=deadline):
                await gate.wait()
        except anyio.get_cancelled_exc_class():
            continue  # the cancel that brought us here is raised anyway


def _retrieve(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


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
