"""What may be asked of a supervisor from outside, done as by its own task (OTP's names and rules).

Each answers its slot once it is done, or raises, which its caller gets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._alarms import PatienceOver
from ._cell import Cell, State
from ._child import shutdown_limit_s
from ._errors import (
    ChildExists,
    ChildNotFound,
    ChildRestarting,
    ChildRunning,
    StartFailed,
    TooManyChildren,
)
from ._exit import Shutdown
from ._spec import ChildSpec, DynamicSupervisorSpec, check_significance

if TYPE_CHECKING:
    from ._slot import Slot
    from ._supervisor import SupervisorProcess


def start_child(owner: SupervisorProcess, spec: ChildSpec, slot: Slot) -> None:
    """Start one more child; answered when it is up."""
    check_significance(spec, owner.spec.auto_shutdown)
    if spec.id in owner.children:
        raise ChildExists(f"{owner.path_of(spec.id)} exists")
    limit = owner.spec.max_children if isinstance(owner.spec, DynamicSupervisorSpec) else None
    if limit is not None and len(owner.children) >= limit:
        raise TooManyChildren(f"{owner.cell.path!r} has its {limit} children")
    _forbid_overlap(owner, spec.id)
    _start(owner, owner.add(spec), slot)


def terminate_child(owner: SupervisorProcess, child_id: str, slot: Slot) -> None:
    """Stop one child for good; answered when it has ended or its time is over."""
    cell = _find(owner, child_id)
    if cell.is_over:
        slot.succeed(None)
        return
    if cell.leaving is None:
        cell.leaving = []
    cell.leaving.append(slot)
    if cell.process is None:
        owner.alarms.drop_restarts([cell])
        owner.retire(cell, Shutdown())
    elif not cell.process.ended.is_open:
        if cell.mailbox is not None:
            at = owner.system.now() + shutdown_limit_s(cell)
            owner.alarms.set(at, PatienceOver(cell, cell.process))
        cell.process.stop()


def restart_child(owner: SupervisorProcess, child_id: str, slot: Slot) -> None:
    """Start a stopped child again in its old place; answered when it is up."""
    old = _find_stopped(owner, child_id)
    _forbid_overlap(owner, child_id)
    cell = owner.add(old.spec)
    cell.incarnation, cell.kept = old.incarnation, True
    cell.last_error, cell.last_error_at = old.last_error, old.last_error_at
    _start(owner, cell, slot)


def delete_child(owner: SupervisorProcess, child_id: str, slot: Slot) -> None:
    """Forget a stopped child."""
    owner.delete(_find_stopped(owner, child_id))
    slot.succeed(None)


def _start(owner: SupervisorProcess, cell: Cell, slot: Slot) -> None:
    cell.starter = slot
    owner.spawn_child(cell)


def _find(owner: SupervisorProcess, child_id: str) -> Cell:
    cell = owner.children.get(child_id)
    if cell is None:
        raise ChildNotFound(f"{owner.cell.path!r} has no child {child_id!r}")
    return cell


def _find_stopped(owner: SupervisorProcess, child_id: str) -> Cell:
    cell = _find(owner, child_id)
    if cell.state is State.BACKOFF:
        raise ChildRestarting(f"{cell.path} waits for its restart")
    if not cell.is_over:
        raise ChildRunning(f"{cell.path} is {cell.state.value}")
    return cell


def _forbid_overlap(owner: SupervisorProcess, child_id: str) -> None:
    if owner.stopping.lingering(child_id) is not None:
        path = owner.path_of(child_id)
        raise StartFailed(f"{path}: an incarnation that could not be stopped is still there")
