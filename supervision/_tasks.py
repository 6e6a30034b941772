"""The owner of all tasks of a system."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from ._gate import Gate, hold_on
from ._native import NativeCancelled, on_asyncio, open_nursery, task_maker

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from ._native import NativeTask

Body = Callable[[], Coroutine[Any, Any, None]]
#: Told when a task ended by anything but its own return, also if it never ran its first step.
Lost = Callable[[BaseException | None], None]


class Tasks(Protocol):
    """The owner of all tasks of a system."""

    def spawn(self, body: Body, name: str, lost: Lost) -> None: ...

    async def join(self) -> None: ...


class AsyncioTasks:
    """Plain tasks. An anyio task group would be cancelled as a whole by one native cancel that lands
    before a task's first step, where no wrapper of ours can catch it; it also costs three times more.
    """

    def __init__(self) -> None:
        self._create_task = task_maker()
        self._tasks: set[NativeTask[None]] = set()
        self._empty: Gate | None = None

    def spawn(self, body: Body, name: str, lost: Lost) -> None:
        task = self._create_task(body(), name=name)
        self._tasks.add(task)
        task.add_done_callback(partial(self._done, lost))

    def _done(self, lost: Lost, task: NativeTask[None]) -> None:
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
            except NativeCancelled as cancelled:
                held = cancelled
        if held is not None:
            try:
                raise held
            finally:
                del held


class NurseryTasks:
    """Tasks in a nursery of trio's own: those of an anyio task group cost twice as much."""

    def __init__(self, manager: AbstractAsyncContextManager[Any], nursery: Any) -> None:
        self._manager = manager
        self._nursery = nursery

    def spawn(self, body: Body, name: str, lost: Lost) -> None:
        self._nursery.start_soon(self._run, body, lost, name=name)

    @staticmethod
    async def _run(body: Body, lost: Lost) -> None:
        try:
            await body()
        except anyio.get_cancelled_exc_class():  # pragma: no cover - every body is shielded to its end
            lost(None)
            raise
        except BaseException as error:
            lost(error)

    async def join(self) -> None:
        await self._manager.__aexit__(None, None, None)  # waits for all, whatever cancels


async def open_tasks() -> Tasks:
    """The backend's owner of tasks; it must be joined by the same task."""
    if on_asyncio():
        return AsyncioTasks()
    manager = open_nursery()
    return NurseryTasks(manager, await manager.__aenter__())
