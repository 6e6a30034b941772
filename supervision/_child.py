"""What a supervisor knows of one child: how long it may take, and why it did not come up."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ._errors import StartFailed

if TYPE_CHECKING:
    from ._cell import Cell
    from ._process import Process


def shutdown_limit_s(cell: Cell) -> float:
    """Seconds a child may take to stop; a supervisor takes what its bounded children take."""
    return cell.spec.shutdown_timeout_s if cell.mailbox is not None else math.inf


def patience_s(cell: Cell) -> float:
    """Seconds after which a start is given up though the child, uncancellable, has not ended."""
    return cell.spec.start_timeout_s + shutdown_limit_s(cell)


def start_failure(cell: Cell, process: Process) -> Exception:
    """The original error of a failed start, handed over once."""
    error, process.start_error = process.start_error, None
    if error is None:
        why = process.reason or "it took too long and cannot be cancelled"
        return StartFailed(f"{cell.path} did not start: {why}")
    if cell.kind == "actor":
        error.add_note(f"while {cell.path} started")
    return error
