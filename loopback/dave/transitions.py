"""Changes of keys or version that wait until everybody concerned is ready, or for two seconds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

INITIAL_TRANSITION: Final = 0
"""Executed by members as soon as it is announced, without a word back."""
READY_TIMEOUT_S: Final = 2.0
"""A transition is executed at the latest after this time, whoever is not ready ([Member Remove])."""
_LAST: Final = 0xFFFF


@dataclass(slots=True, eq=False)
class Transition:
    """One that waits. ``users`` are told when it is executed, those ``waiting`` are not ready yet."""

    users: frozenset[int]
    waiting: set[int]
    deadline: asyncio.TimerHandle


class Transitions:
    """All of a call; ``execute`` tells one user to go over. :meth:`drop` must be called in the end."""

    def __init__(self, execute: Callable[[int, int], None]) -> None:
        """:param execute: called with a user and the number of the transition"""
        self._tell = execute
        self._begun: dict[int, Transition] = {}
        self._last = INITIAL_TRANSITION

    def begin(self, users: Iterable[int]) -> int:
        """A new one; its number."""
        self._last = self._last % _LAST + 1
        concerned = frozenset(users)
        deadline = asyncio.get_running_loop().call_later(READY_TIMEOUT_S, self._execute, self._last)
        self._begun[self._last] = Transition(concerned, set(concerned), deadline)
        return self._last

    def ready(self, user_id: int, transition: int) -> None:
        """A user has done its part."""
        begun = self._begun.get(transition)
        if begun is not None:
            begun.waiting.discard(user_id)
            if not begun.waiting:
                self._execute(transition)

    def gone(self, user_id: int) -> None:
        """A user has gone: nobody waits for it any longer."""
        for transition in list(self._begun):
            self.ready(user_id, transition)

    def drop(self) -> None:
        """Forget all of them."""
        for begun in self._begun.values():
            begun.deadline.cancel()
        self._begun.clear()

    def _execute(self, transition: int) -> None:
        begun = self._begun.pop(transition)
        begun.deadline.cancel()
        for user_id in begun.users:
            self._tell(user_id, transition)
