"""A background task of one incarnation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from . import _actor_process
from ._exit import Killed, crashed
from ._native import absorb_cancel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ._actor_process import ActorProcess


class Job:
    """Ends with its actor, and its failure is the actor's."""

    __slots__ = ("_args", "_function", "_owner", "_scope")

    def __init__(
        self, owner: ActorProcess, function: Callable[..., Awaitable[object]], args: tuple[Any, ...]
    ) -> None:
        self._owner = owner
        self._function = function
        self._args = args
        self._scope = anyio.CancelScope(shield=True)

    def spawn(self) -> None:
        owner = self._owner
        owner.jobs.add(self)
        name = f"{owner.cell.path} {getattr(self._function, '__name__', self._function)}"
        owner.system.tasks.spawn(self._run, name, self._lost)

    def cancel(self) -> None:
        self._scope.cancel()

    async def _run(self) -> None:
        _actor_process.current.set(None)  # what it asks blocks no handler
        try:
            if not self._scope.cancel_called:
                await self._contain()
        finally:
            self._owner.job_ended(self)

    async def _contain(self) -> None:
        owner = self._owner
        try:
            with self._scope:
                await self._function(*self._args)
        except Exception as error:
            owner.fail(crashed(error))
        except anyio.get_cancelled_exc_class() as error:
            if (native := absorb_cancel()) is None:
                raise  # pragma: no cover - trio: the job's scope takes all there is
            if not self._scope.cancel_called:
                owner.fail(Killed("foreign code") if native else crashed(error))
        except BaseException as error:  # KeyboardInterrupt and its kin belong to the root
            owner.system.abort(error)

    def _lost(self, error: BaseException | None) -> None:
        """Cancelled before its first step, or a defect of the kernel."""
        if error is not None:
            self._owner.system.abort(error)
        if self in self._owner.jobs:
            self._owner.job_ended(self)
            self._owner.fail(Killed("foreign code"))
