"""The children of one supervisor as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._cell import State

if TYPE_CHECKING:
    from ._cell import Cell
    from ._events import Kind
    from ._spec import Restart
    from ._supervisor import SupervisorProcess


@dataclass(frozen=True, slots=True)
class ChildInfo:
    """One child of a supervisor at one instant.

    :ivar state: as in :class:`TreeNode`
    """

    id: str
    path: str
    kind: Kind
    state: str
    restart: Restart
    significant: bool


@dataclass(frozen=True, slots=True)
class ChildCount:
    """How many children a supervisor has.

    :ivar specs: all of them, the stopped ones included
    :ivar active: those that are up
    :ivar supervisors: supervisors among all of them
    :ivar actors: actors among all of them
    """

    specs: int
    active: int
    supervisors: int
    actors: int


def infos_of(owner: SupervisorProcess) -> tuple[ChildInfo, ...]:
    """In start order."""
    return tuple(_info(cell) for cell in owner.children.values())


def _info(cell: Cell) -> ChildInfo:
    spec = cell.spec
    return ChildInfo(spec.id, cell.path, cell.kind, cell.state.value, spec.restart, spec.significant)


def count_of(owner: SupervisorProcess) -> ChildCount:
    """Without making a row for each."""
    cells = owner.children.values()
    supervisors = sum(cell.kind == "supervisor" for cell in cells)
    active = sum(cell.state is State.RUNNING for cell in cells)
    return ChildCount(len(cells), active, supervisors, len(cells) - supervisors)
