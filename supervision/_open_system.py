"""How a tree is run: an ``async with`` block that owns it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from ._errors import EscalationError
from ._gate import hold_on
from ._system import System
from ._tasks import open_tasks

if TYPE_CHECKING:
    from types import TracebackType

    from ._spec import DynamicSupervisorSpec, SupervisorSpec


class open_system:  # noqa: N801 - used as a function: ``async with open_system(spec) as system``
    """Run a tree for the duration of an ``async with`` block.

    Entering starts the children in order and raises the original error of a failed start. Leaving,
    for whatever cause, stops them in reverse order.

    :raises EscalationError: on leaving, if the root supervisor gave up (the block is cancelled then)
    """

    def __init__(self, spec: SupervisorSpec | DynamicSupervisorSpec, *, name: str = "system") -> None:
        self._spec = spec
        self._name = name
        self._system: System | None = None
        self._body: anyio.CancelScope | None = None

    async def __aenter__(self) -> System:
        system = self._system = System(self._spec, self._name, await open_tasks())
        try:
            system.root.spawn()
            await system.root.settled()
            system.check_start()
        except BaseException:
            await self._close(system)
            raise
        self._body = system.body = anyio.CancelScope()
        self._body.__enter__()
        if system.ended.is_open:  # pragma: no cover - it would have to end in the turn in which it came up
            self._body.cancel()
        return system

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> bool:
        system, body = self._system, self._body
        if system is None or body is None:
            raise RuntimeError("the system was not entered")
        swallowed = bool(body.__exit__(exc_type, exc, trace))
        system.body = None
        await self._close(system)
        if system.fatal is not None:
            raise system.fatal
        if system.escalation is not None:
            if exc is None or swallowed:
                raise EscalationError(system.escalation)
            exc.add_note(system.escalation)
        return swallowed

    @staticmethod
    async def _close(system: System) -> None:
        """Wait for the end of everything, whatever cancels meanwhile."""
        system.stop()
        try:
            await hold_on(system.ended)
        finally:
            await system.tasks.join()
