"""Rows of the tree, made from its cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio.lowlevel import checkpoint

from ._actor_process import ActorProcess
from ._cell import State
from ._supervisor import SupervisorProcess
from ._tree import TreeNode
from ._turns import Turns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._cell import Cell
    from ._process import Process


def tree_of(cell: Cell, name: str) -> TreeNode:
    """All of it at one instant."""
    return _row(cell, name, tuple(tree_of(child, child.spec.id) for child in _children(cell)))


class Survey:
    """All of it, bit by bit: each row is of one instant, different rows may be of different ones."""

    __slots__ = ("_turns",)

    def __init__(self) -> None:
        self._turns = Turns()

    async def of(self, cell: Cell, name: str) -> TreeNode:
        children = [await self.of(child, child.spec.id) for child in _children(cell)]
        if self._turns.are_over:
            await checkpoint()
        return _row(cell, name, tuple(children))


def _children(cell: Cell) -> Iterable[Cell]:
    process = cell.process
    return tuple(process.children.values()) if isinstance(process, SupervisorProcess) else ()


def _row(cell: Cell, name: str, children: tuple[TreeNode, ...]) -> TreeNode:
    process, box = cell.process, cell.mailbox
    message, message_s = _in_hand(process)
    return TreeNode(
        id=name,
        path=cell.path,
        kind=cell.kind,
        state=cell.state.value,
        incarnation=cell.incarnation,
        restarts=max(0, cell.incarnation - 1),
        mailbox_depth=box.depth if box else 0,
        mailbox_peak=box.peak if box else 0,
        mailbox_dropped=box.dropped + box.refused if box else 0,
        handled=box.handed if box else 0,
        restart_in_s=_restart_in_s(cell),
        uptime_s=_uptime_s(process),
        last_error=cell.last_error,
        last_error_at=cell.last_error_at,
        current_message=message,
        current_message_s=message_s,
        children=children,
    )


def _in_hand(process: Process | None) -> tuple[str | None, float]:
    """The type name of the message that is handled, and for how many seconds it has been."""
    if not isinstance(process, ActorProcess) or process.message_in_hand is None:
        return None, 0.0
    return type(process.message_in_hand).__name__, process.system.stopwatch() - process.since


def _restart_in_s(cell: Cell) -> float | None:
    """None unless it waits for its restart; 0 if that is due, and its supervisor is about to come to it."""
    return max(0.0, cell.restart_at - cell.system.now()) if cell.state is State.BACKOFF else None


def _uptime_s(process: Process | None) -> float:
    if process is None or process.up_at is None or process.ended.is_open:
        return 0.0
    return process.system.now() - process.up_at
