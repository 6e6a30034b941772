"""The restart rules as pure tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ._exit import Crashed, ExitReason, Killed, Normal, Shutdown
from ._spec import AutoShutdown, Restart, Strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")

#: Reasons after which a child of that type comes back.
RESTARTS: Mapping[Restart, frozenset[type[ExitReason]]] = {
    Restart.PERMANENT: frozenset({Normal, Shutdown, Crashed, Killed}),
    Restart.TRANSIENT: frozenset({Crashed, Killed}),
    Restart.TEMPORARY: frozenset(),
}

#: Which siblings (in start order) share the fate of the child at that place.
GROUPS: Mapping[Strategy, Callable[[int, int], range]] = {
    Strategy.ONE_FOR_ONE: lambda place, count: range(place, place + 1),
    Strategy.ONE_FOR_ALL: lambda place, count: range(count),
    Strategy.REST_FOR_ONE: range,
}

#: Whether a supervisor ends when a significant child has ended by itself and so many are left.
AUTO_SHUTDOWN: Mapping[AutoShutdown, Callable[[int], bool]] = {
    AutoShutdown.NEVER: lambda left: False,
    AutoShutdown.ANY_SIGNIFICANT: lambda left: True,
    AutoShutdown.ALL_SIGNIFICANT: lambda left: left == 0,
}


def comes_back(restart: Restart, reason: ExitReason) -> bool:
    """Whether a child of that restart type is started again after that exit."""
    return type(reason) in RESTARTS[restart]


def group_of(strategy: Strategy, children: Sequence[T], failed: T) -> list[T]:
    """The failed child and those who share its fate, in start order."""
    places = GROUPS[strategy](children.index(failed), len(children))
    return [children[place] for place in places]
