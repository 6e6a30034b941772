"""What ends the bot for good, said by whoever finds out, once."""

from __future__ import annotations

import anyio


class Verdict:
    """Waits for the first reason to end; `problem` is None if the end is on purpose."""

    def __init__(self) -> None:
        self.problem: str | None = None
        self._said = anyio.Event()

    def end(self, problem: str | None = None) -> None:
        """End the bot; with a problem (one line for the operator) it has failed. The first call counts."""
        if not self._said.is_set():
            self.problem = problem
            self._said.set()

    async def wait(self) -> None:
        """Until somebody has said it."""
        await self._said.wait()
