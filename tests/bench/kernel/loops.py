"""The event loops that the bench runs on, and the seat from which its parts start what they need."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from anyio.abc import TaskGroup

R = TypeVar("R")

#: Name of the loop -> arguments of ``anyio.run``.
_LOOPS: Final[Mapping[str, dict[str, Any]]] = {
    "asyncio": {"backend": "asyncio"},
    "uvloop": {"backend": "asyncio", "backend_options": {"use_uvloop": True}},
    "trio": {"backend": "trio"},
}
#: Those of asyncio's kind: they have futures.
WITH_FUTURES: Final = ("asyncio", "uvloop")


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a variant sits while it is measured.

    :ivar loop: name of the event loop
    :ivar tasks: for background tasks; cancelled when the measuring is over
    :ivar exits: for what must be closed before that
    """

    loop: str
    tasks: TaskGroup
    exits: AsyncExitStack


def installed_loops() -> tuple[str, ...]:
    """The loops that can run here."""
    return tuple(name for name in _LOOPS if find_spec(name) is not None)


def run_on(loop: str, function: Callable[..., Awaitable[R]], *args: object) -> R:
    """Run that function to its end on a fresh loop of that name."""
    return anyio.run(partial(function, *args), **_LOOPS[loop])


async def seated(loop: str, function: Callable[[Seat], Awaitable[R]]) -> R:
    """Call that function with a seat, and clear the seat away afterwards."""
    async with anyio.create_task_group() as tasks:
        async with AsyncExitStack() as exits:
            result = await function(Seat(loop, tasks, exits))
        tasks.cancel_scope.cancel()
    return result
