"""Actors that do what a test tells them, and a journal of what they did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from supervision._actor import Actor, Request, handles

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from supervision._exit import ExitReason


class PuppetError(Exception):
    """The failure a test asked for."""


@dataclass(frozen=True, slots=True)
class Echo(Request[Any]):
    """Answer this value."""

    value: object = None


@dataclass(frozen=True, slots=True)
class Crash(Request[None]):
    """Raise :class:`PuppetError`."""

    text: str = "as told"


@dataclass(frozen=True, slots=True)
class Hang(Request[None]):
    """Stay in the handler for so many seconds; ``shielded`` against every cancel by scopes."""

    seconds: float = 1e9
    shielded: bool = False


@dataclass(frozen=True, slots=True)
class Quit(Request[None]):
    """End normally."""


@dataclass(frozen=True, slots=True)
class Do(Request[Any]):
    """Run this in the handler and answer what it returns."""

    function: Callable[[Puppet], Awaitable[object]]


class Puppet(Actor):
    """Handles :class:`Echo`, :class:`Crash`, :class:`Hang`, :class:`Quit` and :class:`Do`."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    async def on_start(self) -> None:
        """Fail or hang as the stage says, then note the start."""
        path = self.ctx.path
        self.stage.tries[path] += 1
        await anyio.sleep(self.stage.start_delays_s.get(path, 0.0))
        if self.stage.failing_starts[path] > 0:
            self.stage.failing_starts[path] -= 1
            raise PuppetError(f"start of {path}")
        self.stage.note("start", path)

    async def on_stop(self, reason: ExitReason) -> None:
        """Take as long as the stage says, fail if it says so, else note the stop."""
        path = self.ctx.path
        self.stage.note("stopping", path)
        await anyio.sleep(self.stage.stop_delays_s.get(path, 0.0))
        if self.stage.failing_stops[path] > 0:
            self.stage.failing_stops[path] -= 1
            raise PuppetError(f"stop of {path}")
        self.stage.note("stop", path)
        self.stage.reasons.append((path, reason))

    @handles(Echo)
    async def echo(self, message: Echo) -> object:
        self.stage.handled.append((self.ctx.path, message.value))
        return message.value

    @handles(Crash)
    async def crash(self, message: Crash) -> None:
        raise PuppetError(message.text)

    @handles(Hang)
    async def hang(self, message: Hang) -> None:
        with anyio.CancelScope(shield=message.shielded):
            await anyio.sleep(message.seconds)

    @handles(Quit)
    async def quit(self, message: Quit) -> None:
        self.ctx.stop()

    @handles(Do)
    async def do(self, message: Do) -> object:
        return await message.function(self)


class Stage:
    """Makes puppets, ``ChildSpec("a", stage)``, and keeps what they did over all incarnations.

    :ivar journal: ``(verb, path)`` with the verbs ``start``, ``stopping`` and ``stop``
    :ivar handled: ``(path, value)`` of every :class:`Echo`
    :ivar reasons: ``(path, reason)`` of every completed ``on_stop``
    :ivar tries: path -> starts tried
    :ivar failing_starts: path -> how many starts from now on fail
    :ivar failing_stops: path -> how many stops from now on fail
    :ivar start_delays_s: path -> seconds in ``on_start``
    :ivar stop_delays_s: path -> seconds in ``on_stop``
    """

    def __init__(self) -> None:
        self.journal: list[tuple[str, str]] = []
        self.handled: list[tuple[str, object]] = []
        self.reasons: list[tuple[str, ExitReason]] = []
        self.tries: Counter[str] = Counter()
        self.failing_starts: Counter[str] = Counter()
        self.failing_stops: Counter[str] = Counter()
        self.start_delays_s: dict[str, float] = {}
        self.stop_delays_s: dict[str, float] = {}

    def __call__(self) -> Puppet:
        return Puppet(self)

    def note(self, verb: str, path: str) -> None:
        """One line of the journal."""
        self.journal.append((verb, path))

    def of(self, verb: str) -> list[str]:
        """The paths of all lines with that verb, in order."""
        return [path for each, path in self.journal if each == verb]
