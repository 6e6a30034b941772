"""Work that Ctrl-C or SIGTERM ends once, and in order."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

INTERRUPTED: Final = 130
"""Exit status, as shells report Ctrl-C."""


async def until_interrupted(run: Callable[[], Awaitable[int]], say: Callable[[str], None]) -> int:
    """What `run` returns, or INTERRUPTED; a signal is told once, and cancels it however often it comes."""
    code = INTERRUPTED
    async with anyio.create_task_group() as group:

        async def watch(*, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                task_status.started()
                async for _ in signals:
                    if not group.cancel_scope.cancel_called:
                        say("interrupted; everything is being stopped")
                        work.cancel()

        await group.start(watch)
        with anyio.CancelScope() as work:
            code = await run()
        group.cancel_scope.cancel()
    return code
