"""What a failed incarnation leaves for its successor: a copy, as bytes, so that nothing else of it stays."""

from __future__ import annotations

import inspect
import pickle
from typing import TYPE_CHECKING, Final

from ._events import SnapshotFailed
from ._trace import one_line

if TYPE_CHECKING:
    from ._actor import Actor
    from ._cell import Cell

#: The most that is handed over: state worth more belongs into a store.
SNAPSHOT_BYTES: Final = 1024 * 1024


def leave(cell: Cell, actor: Actor) -> None:
    """Keep the snapshot of an actor that has failed."""
    try:
        cell.handed_over = _packed(actor.snapshot())
    except Exception as error:  # the actor's own code, and it has failed already
        _tell(cell, error)


def _packed(value: object) -> bytes | None:
    if value is None:
        return None
    if inspect.iscoroutine(value):
        value.close()
        raise TypeError("snapshot() must not be a coroutine function")
    data = pickle.dumps(value)
    if len(data) > SNAPSHOT_BYTES:
        raise ValueError(f"{len(data)} bytes are more than {SNAPSHOT_BYTES}")
    return data


def receive(cell: Cell) -> object:
    """What was left, once: should the successor fail over it, the next one starts without."""
    data, cell.handed_over = cell.handed_over, None
    if data is None:
        return None
    try:
        return pickle.loads(data)  # noqa: S301 - made by this process a moment ago
    except Exception as error:
        _tell(cell, error)
        return None


def _tell(cell: Cell, error: Exception) -> None:
    cell.system.events.publish(SnapshotFailed(cell.path, one_line(error)))
