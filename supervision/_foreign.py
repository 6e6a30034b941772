"""Third-party asyncio code inside the tree."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from ._errors import ForeignCancelled
from ._gate import Gate
from ._native import on_asyncio, task_maker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ._native import NativeTask

R = TypeVar("R")
_log = logging.getLogger("supervision")


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
    task = task_maker()(_as_coroutine(function, args), name=f"foreign {function!r}")
    task.add_done_callback(lambda _: ended.open())
    try:
        await ended.wait()
    except BaseException:
        deadline = anyio.current_time() + grace_s
        while not ended.is_open and anyio.current_time() < deadline:
            task.cancel()
            await _outwait(ended, min(anyio.current_time() + again_s, deadline))
        task.add_done_callback(_retrieve)
        _tell_if_left(ended, function, grace_s)
        raise
    if task.cancelled():
        raise ForeignCancelled(f"{function!r} was cancelled by foreign code")
    return task.result()


def _tell_if_left(ended: Gate, function: object, grace_s: float) -> None:
    if not ended.is_open:
        _log.warning("foreign code %r did not end within %s s of its cancel", function, grace_s)


async def _as_coroutine(function: Callable[..., Awaitable[R]], args: tuple[Any, ...]) -> R:
    return await function(*args)


async def _outwait(gate: Gate, deadline: float) -> None:
    while not gate.is_open and anyio.current_time() < deadline:
        try:
            with anyio.CancelScope(shield=True, deadline=deadline):
                await gate.wait()
        except anyio.get_cancelled_exc_class():
            continue  # the cancel that brought us here is raised anyway


def _retrieve(task: NativeTask[Any]) -> None:
    if not task.cancelled():
        task.exception()
