"""An actor that records what it is sent, for tests to wait on."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeVar

import anyio
from anyio import Event

from supervision._actor import Actor

if TYPE_CHECKING:
    from collections.abc import Callable

M = TypeVar("M")


class Probe:
    """Stands in a tree where another actor belongs: ``ChildSpec("display", probe)``.

    What it received outlives its restarts.

    :ivar received: all messages, in order
    """

    def __init__(self) -> None:
        self.received: list[object] = []
        self._waiting: deque[object] = deque()
        self._answers: dict[type, Callable[[object], object]] = {}
        self._arrived = Event()

    def __call__(self) -> Actor:
        return _ProbeActor(self)

    def answer(self, kind: type, value: object) -> None:
        """Answer requests of that type: with the value, or by calling it if it is a function of the
        request; an exception is raised in the probe's actor.
        """
        self._answers[kind] = value if callable(value) else lambda _: value

    async def expect(self, kind: type[M], timeout: float = 5.0) -> M:
        """The next message that was not expected yet; it must be of that type.

        :raises AssertionError: if it is another, or none arrives in time (seconds)
        """
        with anyio.move_on_after(timeout):
            while not self._waiting:
                await self._arrived.wait()
        if not self._waiting:
            raise AssertionError(f"no {kind.__name__} within {timeout} s")
        message = self._waiting.popleft()
        if not isinstance(message, kind):
            raise AssertionError(f"expected {kind.__name__}, got {message!r}")  # noqa: TRY004 - a test's verdict
        return message

    async def expect_nothing(self, timeout: float = 0.1) -> None:
        """Nothing arrives for so many seconds.

        :raises AssertionError: if something does
        """
        with anyio.move_on_after(timeout):
            while not self._waiting:
                await self._arrived.wait()
        if self._waiting:
            raise AssertionError(f"expected nothing, got {self._waiting[0]!r}")

    def record(self, message: object) -> object:
        self.received.append(message)
        self._waiting.append(message)
        arrived, self._arrived = self._arrived, Event()
        arrived.set()
        answer = self._answers.get(type(message))
        value = answer(message) if answer is not None else None
        if isinstance(value, Exception):
            raise value
        return value


class _ProbeActor(Actor):
    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    async def receive(self, message: object) -> object:
        return self._probe.record(message)
