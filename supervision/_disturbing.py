"""The hands of the monkey of :mod:`supervision.chaos`: how each fault is done to an actor, and taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from ._deed import Fault
from ._disturbance import Disturbance
from ._errors import SupervisionError
from ._gate import Gate
from ._inspect import actor_cell, live_actor
from ._native import cancel_task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from anyio.abc import TaskGroup

    from ._cell import Cell
    from ._deed import Deed
    from ._mailbox import Mailbox
    from ._observer import Observer
    from ._system import System


class RefusedError(Exception):
    """A deed is refused; the text says why."""


class Hands:
    """Used as a block: what lasts is taken back at its end, and kills that were begun are waited for."""

    def __init__(self, system: System, headroom: int | None) -> None:
        self._system = system
        self._headroom = headroom
        self._calm = Gate()
        self._group: TaskGroup
        self._touched: set[Observer] = set()

    async def __aenter__(self) -> Hands:
        self._calm = Gate()
        self._group = await anyio.create_task_group().__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._let_go()
        return await self._group.__aexit__(exc_type, exc, trace)

    def _let_go(self) -> None:
        self._calm.open()
        for observer in self._touched:
            observer.delay, observer.failing_starts = None, 0
        self._touched.clear()

    def do(self, deed: Deed) -> str | None:
        """Do it, or begin it, now; why not, in one line, if it cannot be done."""
        try:
            self._check_headroom(deed)
            _WAYS[deed.fault](self, deed)
        except (SupervisionError, RefusedError) as error:
            return str(error)
        except Exception as error:  # the key function of a mailbox that conflates met what it does not know
            return f"{type(error).__name__}: {error}"
        return None

    # each fault

    def kill(self, deed: Deed) -> None:
        self._group.start_soon(self._system.outlast, self._system.strike(deed.path, "chaos"))

    def cancel(self, deed: Deed) -> None:
        if not cancel_task(live_actor(self._system, deed.path).task_id):
            raise RefusedError("there are no native cancels on this event loop")

    def hang(self, deed: Deed) -> None:
        self._system.lookup(deed.path).tell(Disturbance(self._calm, deed.seconds))

    def slow(self, deed: Deed) -> None:
        cell = actor_cell(self._system, deed.path)
        observer, calm, now = self._touch(cell), self._calm, self._system.now
        until = now() + deed.seconds

        async def delay() -> None:
            if now() < until:
                await calm.wait(deed.amount)
            else:
                observer.delay = None

        observer.delay = delay
        _mailbox(cell).urge()  # the message loop notices

    def flood(self, deed: Deed) -> None:
        """Each message that fills it up keeps the actor busy for an equal share of the time."""
        box = _mailbox(actor_cell(self._system, deed.path))
        room = box.capacity - box.depth
        if room <= 0:
            raise RefusedError(f"the mailbox of {deed.path} is full already")
        for _ in range(room):
            box.put(Disturbance(self._calm, deed.seconds / room))

    def fail_start(self, deed: Deed) -> None:
        cell = actor_cell(self._system, deed.path)
        self.kill(deed)
        self._touch(cell).failing_starts += int(deed.amount)

    def _touch(self, cell: Cell) -> Observer:
        observer = cell.observed()
        self._touched.add(observer)
        return observer

    # the restart intensity

    def _check_headroom(self, deed: Deed) -> None:
        """Failures that are on their way count as if they had happened."""
        cell = self._system.find(deed.path)
        failures = _failures(deed)
        if cell is None or cell.parent is None or self._headroom is None or not failures:
            return
        owner = cell.parent
        left = owner.failures_left() - sum(map(_coming, owner.children.values()))
        if left - failures < self._headroom:
            raise RefusedError(f"{owner.cell.path!r} can bear only {max(left, 0)} more for now")


def _failures(deed: Deed) -> int:
    """How often its supervisor will count a failure because of it."""
    match deed.fault:
        case Fault.KILL | Fault.CANCEL:
            return 1
        case Fault.FAIL_START:
            return 1 + int(deed.amount)
        case _:
            return 0


def _coming(cell: Cell) -> int:
    """Failures of a child that are certain, and not counted yet."""
    starts = 0 if cell.observer is None else cell.observer.failing_starts
    ending = cell.process is not None and (cell.process.closing or cell.process.fault is not None)
    return starts + ending


def _mailbox(cell: Cell) -> Mailbox:
    if cell.mailbox is None:  # pragma: no cover - only supervisors have none
        raise RefusedError(f"{cell.path} is a supervisor")
    return cell.mailbox


_WAYS: Final[Mapping[Fault, Callable[[Hands, Deed], None]]] = {
    Fault.KILL: Hands.kill,
    Fault.CANCEL: Hands.cancel,
    Fault.HANG: Hands.hang,
    Fault.SLOW: Hands.slow,
    Fault.FLOOD: Hands.flood,
    Fault.FAIL_START: Hands.fail_start,
}
