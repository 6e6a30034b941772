"""Defects that are planted into the kernel at run time, to see that the soak finds them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any
from unittest import mock

from supervision import Restart, Strategy
from supervision._exit import Crashed, Killed, Normal
from supervision._intensity import Window
from supervision._mailbox import Mailbox
from supervision._recovery import Recovery
from supervision._strategy import GROUPS, RESTARTS
from supervision._supervisor import SupervisorProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Plant = AbstractContextManager[Any]


def charge_each_sibling() -> Plant:
    """A group restart counts one failure for every member."""
    put_group_down = Recovery._put_group_down

    async def wrong(self: Recovery, failed: Any) -> Any:
        group = await put_group_down(self, failed)
        for _ in group[1:]:
            self._charge(failed, mock.Mock())
        return group

    return mock.patch.object(Recovery, "_put_group_down", wrong)


def restart_the_wrong_side() -> Plant:
    """rest_for_one takes those before the failed child, and not those behind it."""
    return mock.patch.dict(GROUPS, {Strategy.REST_FOR_ONE: lambda place, count: range(place + 1)})


def transient_after_normal() -> Plant:
    """A transient child comes back though it ended normally."""
    return mock.patch.dict(RESTARTS, {Restart.TRANSIENT: frozenset({Crashed, Killed, Normal})})


def lose_a_message_on_restart() -> Plant:
    """The oldest message that waits is gone with the incarnation."""
    spawn = SupervisorProcess.spawn_child

    def wrong(self: SupervisorProcess, cell: Any) -> Any:
        if cell.mailbox is not None:
            cell.mailbox.pop()
        return spawn(self, cell)

    return mock.patch.object(SupervisorProcess, "spawn_child", wrong)


def never_forget_a_failure() -> Plant:
    """The intensity counts failures of all time, and not those within the period."""

    def wrong(self: Window, now: float) -> int:
        return self._limit.restarts - len(self._times)

    return mock.patch.object(Window, "left", wrong)


def stop_forward() -> Plant:
    """Children stop in the order in which they started."""
    put_away = SupervisorProcess.put_away

    async def wrong(self: SupervisorProcess, reason: Any) -> None:
        self.children = dict(reversed(self.children.items()))
        await put_away(self, reason)

    return mock.patch.object(SupervisorProcess, "put_away", wrong)


def run_the_abandoned() -> Plant:
    """A request runs though its asker has gone."""

    def wrong(self: Mailbox, ask: Any) -> bool:
        ask.taken = True
        return True

    return mock.patch.object(Mailbox, "take", wrong)


def never_reset_the_backoff() -> Plant:
    """Delays grow for ever, however long a child was healthy."""

    def wrong(cell: Any, process: Any) -> float:
        cell.failures += 1
        delay_s: float = cell.spec.backoff.delay_s(cell.failures)
        return delay_s

    return mock.patch.object(Recovery, "_delay_s", staticmethod(wrong))


#: By the name that ``PLANT=`` takes.
PLANTS: Mapping[str, Callable[[], Plant]] = {
    "charge-each-sibling": charge_each_sibling,
    "restart-the-wrong-side": restart_the_wrong_side,
    "transient-after-normal": transient_after_normal,
    "lose-a-message-on-restart": lose_a_message_on_restart,
    "never-forget-a-failure": never_forget_a_failure,
    "stop-forward": stop_forward,
    "run-the-abandoned": run_the_abandoned,
    "never-reset-the-backoff": never_reset_the_backoff,
}
