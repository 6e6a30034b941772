"""How a supervisor stops its children: told, waited for so long, passed by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._child import shutdown_limit_s
from ._turns import Turns

if TYPE_CHECKING:
    from ._cell import Cell
    from ._exit import ExitReason
    from ._process import Process
    from ._supervisor import SupervisorProcess

#: Turns of the event loop that an end takes once every await of a task raises.
ROUNDS: Final = 8


class Stopping:
    """The stops of one incarnation of a supervisor, and who could not be stopped."""

    __slots__ = ("_left_behind", "_owner")

    def __init__(self, owner: SupervisorProcess) -> None:
        self._owner = owner
        self._left_behind: dict[str, Process] = {}

    async def announce(self) -> None:
        """Tell the children in reverse order, and do not wait for them."""
        turns = Turns()
        for cell in reversed(tuple(self._owner.children.values())):
            if cell.process is not None and not cell.process.ended.is_open:
                cell.process.stop()
            if turns.are_over:
                await self._owner.give_way()

    async def put_down(self, cell: Cell) -> ExitReason | None:
        """Stop a child and wait, at most for its shutdown timeout. Its reason, if it was up."""
        process = cell.process
        if process is None:
            return None
        if not process.ended.is_open:
            process.stop()
            deadline = (process.stop_at or 0.0) + shutdown_limit_s(cell)
            if not await self._owner.outwait(process.ended, deadline):
                await self.pass_by(cell, process)
        cell.process = None
        return process.reason

    async def pass_by(self, cell: Cell, process: Process) -> None:
        """Its time is over: cancel whatever it does. Should that not end it at once, nobody waits for it
        any longer, and no successor starts before it has ended.
        """
        process.report_overdue()
        process.hard.cancel()
        for _ in range(ROUNDS):
            if await self._owner.outwait(process.ended, self._owner.system.now()):
                return
        self._left_behind[cell.spec.id] = process

    def lingering(self, child_id: str) -> Process | None:
        """The incarnation of that child that could not be stopped and is still there."""
        process = self._left_behind.get(child_id)
        return None if process is None or process.ended.is_open else process

    def has_ended(self, cell: Cell, process: Process) -> None:
        """If it was left behind, its successor may come."""
        if self._left_behind.get(cell.spec.id) is process:
            del self._left_behind[cell.spec.id]
