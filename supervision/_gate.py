"""A one-way event whose waiting machinery is made only when somebody waits."""

from __future__ import annotations

import math

import anyio
from anyio.lowlevel import checkpoint

from ._native import Waiter, new_waiter, wait, wake


class Gate:
    """Closed, then open for ever. Opening is synchronous."""

    __slots__ = ("_waiters", "is_open")

    def __init__(self) -> None:
        self.is_open = False
        self._waiters: list[Waiter] | None = None

    def open(self) -> None:
        self.is_open = True
        waiters, self._waiters = self._waiters, None
        if waiters is not None:
            for waiter in waiters:
                wake(waiter)

    async def wait(self, timeout_s: float = math.inf) -> bool:
        """Return once open, or after the timeout; whether it is open. Always a checkpoint."""
        if self.is_open:
            await checkpoint()
            return True
        waiter = new_waiter()
        if self._waiters is None:
            self._waiters = []
        self._waiters.append(waiter)
        try:
            await (waiter if timeout_s == math.inf else wait(waiter, timeout_s))
        finally:
            if self._waiters is not None:  # it is not open: this wait was cut
                self._waiters.remove(waiter)
        return self.is_open


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
