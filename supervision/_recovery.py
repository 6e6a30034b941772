"""A child has failed: count it, stop those who share its fate, schedule and do the restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from ._alarms import RestartDue
from ._cell import Cell, State
from ._errors import RestartIntensityExceeded
from ._events import IntensityExceeded, RestartScheduled
from ._exit import Shutdown
from ._intensity import Window
from ._spec import DynamicSupervisorSpec, Restart, Strategy, SupervisorSpec
from ._strategy import group_of
from ._turns import Turns

if TYPE_CHECKING:
    from ._process import Process
    from ._supervisor import SupervisorProcess


class Recovery:
    """The restarts of one incarnation of a supervisor. A delay is an alarm, never a sleep."""

    __slots__ = ("_alone", "_owner", "_strategy", "_window")

    def __init__(self, owner: SupervisorProcess, spec: SupervisorSpec | DynamicSupervisorSpec) -> None:
        self._owner = owner
        self._strategy = spec.strategy if isinstance(spec, SupervisorSpec) else Strategy.ONE_FOR_ONE
        self._alone = self._strategy is Strategy.ONE_FOR_ONE
        self._window = Window(spec.intensity)

    @property
    def may_act_at_once(self) -> bool:
        """Whether a failure now concerns one child alone, and is not one too many."""
        return self._alone and self.failures_left() > 0

    def recover_at_once(self, cell: Cell, process: Process) -> None:
        """As :meth:`recover`, and without a delay the restart too: nothing else waits to be decided."""
        process.start_error = None
        now = self._owner.system.now()
        self._window.count(now)
        due = self._announce([cell], cell, process, now)
        if due > now:
            self._schedule([cell], due)
        else:
            self._owner.spawn_child(cell)

    async def recover(self, cell: Cell, process: Process) -> None:
        """Schedule the restart of a failed child and of all who share its fate.

        :raises RestartIntensityExceeded: if it was one failure too many
        """
        self._charge(cell, process)
        group = await self._put_group_down(cell)
        if not self._owner.soft.cancel_called:
            self._schedule(group, self._announce(group, cell, process, self._owner.system.now()))

    def _announce(self, group: list[Cell], failed: Cell, process: Process, now: float) -> float:
        """They wait for their restart: until when."""
        delay_s = self._delay_s(failed, process)
        due = now + delay_s
        for member in group:
            member.state, member.restart_at = State.BACKOFF, due
        if self._owner.system.events.streams:
            self._owner.system.events.publish(RestartScheduled(failed.path, delay_s, failed.failures))
        return due

    def _schedule(self, group: list[Cell], due: float) -> None:
        self._owner.alarms.set(due, RestartDue(tuple(group)))

    async def restart(self, cells: tuple[Cell, ...]) -> None:
        """The delay is over. One child starts on its own; a group starts in order, each acknowledged."""
        for cell in cells:
            if (old := self._owner.stopping.lingering(cell.spec.id)) is not None:
                await self.recover(cell, old)  # counts as a failed start
                return
        if len(cells) == 1:
            self._owner.spawn_child(cells[0])  # its acknowledgement or its end arrives as a message
            return
        self._owner.in_a_row = Turns()
        for cell in cells:
            failed = await self._owner.start_and_wait(cell)
            if self._owner.soft.cancel_called:
                return  # told to stop while it put one down: nothing is counted, and nothing starts
            if failed is not None:
                await self.recover(cell, failed)
                return

    def failures_left(self) -> int:
        """How many more failures the intensity allows now."""
        return self._window.left(self._owner.system.now())

    def _charge(self, cell: Cell, process: Process) -> None:
        process.start_error = None  # nobody waits for it, and it holds frames
        if not self._window.allows(self._owner.system.now()):
            self._give_up(cell)

    def _give_up(self, cell: Cell) -> NoReturn:
        limit, owner = self._owner.spec.intensity, self._owner
        owner.system.events.publish(IntensityExceeded(owner.cell.path, limit.restarts, limit.period_s))
        raise RestartIntensityExceeded(
            f"more than {limit.restarts} failures within {limit.period_s} s; "
            f"the last one was {cell.path}: {cell.last_error or 'ended'}"
        )

    async def _put_group_down(self, failed: Cell) -> list[Cell]:
        """Stop in reverse order those who share the fate; returns who is to be started again."""
        if self._alone:
            return [failed]
        owner = self._owner
        group = group_of(
            self._strategy, [each for each in owner.children.values() if not each.is_over], failed
        )
        for cell in reversed(group):
            if cell is not failed:
                ended = await owner.stopping.put_down(cell)
                if cell.leaving is not None or cell.spec.restart is Restart.TEMPORARY:
                    owner.retire(cell, ended or Shutdown())
        owner.in_a_row = Turns()  # others ran meanwhile
        owner.alarms.drop_restarts(group)
        return [cell for cell in group if not cell.is_over]

    @staticmethod
    def _delay_s(cell: Cell, process: Process) -> float:
        healthy = process.ready and process.lasted_s >= cell.spec.backoff.reset_after_s
        cell.failures = 1 if healthy else cell.failures + 1
        return cell.spec.backoff.delay_s(cell.failures)
