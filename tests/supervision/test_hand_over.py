"""What a failed incarnation leaves for its successor."""

from __future__ import annotations

import gc
import weakref
from copy import copy
from typing import TYPE_CHECKING

import anyio
import pytest

from supervision import (
    Actor,
    ActorCrashed,
    ChildSpec,
    Event,
    EventStream,
    Request,
    SnapshotFailed,
    Strategy,
    SupervisorSpec,
    System,
    handles,
    open_system,
)
from supervision._hand_over import SNAPSHOT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio


class Add(Request[list[int]]):
    """Remember a number, then do as told."""

    def __init__(self, number: int, then: str = "") -> None:
        self.number = number
        self.then = then


class Rememberer(Actor):
    """Remembers numbers over its failures."""

    #: what on_start was given, over all incarnations
    given: list[object]
    alive: list[weakref.ref[Actor]]

    def __init__(
        self, given: list[object], leave: Callable[[list[int]], object], clumsy: bool = False
    ) -> None:
        self.numbers: list[int] = []
        self._given = given
        self._leave = leave
        self._clumsy = clumsy

    def snapshot(self) -> object:
        return self._leave(self.numbers)

    async def on_start(self) -> None:
        self._given.append(copy(self.ctx.snapshot))
        if isinstance(self.ctx.snapshot, list):
            self.numbers = self.ctx.snapshot
            if self._clumsy:
                raise ValueError("cannot live with that")

    async def on_stop(self, reason: object) -> None:
        self.numbers.clear()

    @handles(Add)
    async def add(self, message: Add) -> list[int]:
        self.numbers.append(message.number)
        if message.then == "crash":
            raise ValueError("as told")
        if message.then == "stop":
            self.ctx.stop()
        if message.then == "fail when stopped":
            try:
                await anyio.sleep_forever()
            except BaseException as cancel:
                raise ValueError("over its own stop") from cancel
        if message.then == "hang":
            await anyio.sleep_forever()
        return self.numbers


def itself(numbers: list[int]) -> object:
    return numbers


def spec(given: list[object], leave: Callable[[list[int]], object] = itself, **more: bool) -> ChildSpec:
    clumsy = more.pop("clumsy", False)
    return ChildSpec("a", lambda: Rememberer(given, leave, clumsy), hand_over=more.pop("hand_over", True))


async def crash(system: System, number: int) -> None:
    with pytest.raises(ActorCrashed):
        await system.lookup("a").ask(Add(number, "crash"))
    await anyio.sleep(10)


async def test_a_successor_is_given_what_was_left() -> None:
    """As it was at the failure, before on_stop cleared it."""
    given: list[object] = []
    async with open_system(SupervisorSpec((spec(given),))) as system:
        await crash(system, 1)
        assert await system.lookup("a").ask(Add(2)) == [1, 2]
        await crash(system, 3)
    assert given == [None, [1], [1, 2, 3]]


async def test_it_is_off_by_default() -> None:
    """Most failures are cured by forgetting."""
    given: list[object] = []
    async with open_system(SupervisorSpec((spec(given, hand_over=False),))) as system:
        await crash(system, 1)
    assert given == [None, None]
    assert not ChildSpec("a", Actor).hand_over
    assert Actor().snapshot() is None


@pytest.mark.parametrize("how", ["stop", "group", "failing in a group", "terminate"])
async def test_a_deliberate_end_hands_nothing_over(how: str) -> None:
    """Neither of its own, nor because a sibling failed, nor when its supervisor is asked to."""
    given: list[object] = []
    sibling = ChildSpec("b", lambda: Rememberer([], itself))
    tree = SupervisorSpec((spec(given), sibling), strategy=Strategy.ONE_FOR_ALL)
    async with open_system(tree) as system:
        ref = system.lookup("a")
        await ref.ask(Add(1))
        if how == "stop":
            await ref.ask(Add(2, "stop"))
        elif "group" in how:
            if "failing" in how:
                ref.tell(Add(2, "fail when stopped"))
                await anyio.sleep(1)
            system.lookup("b").tell(Add(2, "crash"))
        else:
            await system.terminate_child("", "a")
            await system.restart_child("", "a")
        await anyio.sleep(10)
    assert given == [None, None]


async def test_one_killed_in_a_handler_hands_over_what_it_has() -> None:
    """A hanging handler is cancelled first; half of what it did may be in the snapshot."""
    given: list[object] = []
    async with open_system(SupervisorSpec((spec(given),))) as system:
        system.lookup("a").tell(Add(1, "hang"))
        await anyio.sleep(1)
        await system.kill("a")
        await anyio.sleep(10)
    assert given == [None, [1]]


async def failing(events: EventStream[Event]) -> SnapshotFailed:
    async for event in events:
        if isinstance(event, SnapshotFailed):
            return event
    raise AssertionError("none")


async def _coroutine() -> None:
    """What an asynchronous snapshot would return."""


def _raise(numbers: list[int]) -> object:
    raise OSError("no snapshot")


class Frozen:
    """Can be pickled, and not made again."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (_raise, ([],))


@pytest.mark.parametrize(
    ("leave", "why"),
    [
        (_raise, "OSError: no snapshot"),
        (lambda _: open, None),
        (lambda _: lambda: None, "lambda"),
        (lambda _: "x" * SNAPSHOT_BYTES, "are more than 1048576"),
        (lambda _: _coroutine(), "must not be a coroutine function"),
        (lambda _: Frozen(), "OSError: no snapshot"),
    ],
)
async def test_a_snapshot_that_fails_is_told_and_harms_nobody(
    leave: Callable[[list[int]], object], why: str | None
) -> None:
    """It raises, holds what cannot be copied, is too large, is a coroutine, or cannot be made again."""
    given: list[object] = []
    async with open_system(SupervisorSpec((spec(given, leave),))) as system, system.subscribe() as events:
        await crash(system, 1)
        if why is not None:
            event = await failing(events)
            assert event.path == "a"
            assert why in event.why
        assert await system.lookup("a").ask(Add(2)) == [2]
    assert given == [None, open if why is None else None]


async def test_nothing_may_be_left() -> None:
    """An actor that has no snapshot hands None over, and nobody is told."""
    given: list[object] = []
    async with (
        open_system(SupervisorSpec((spec(given, lambda _: None),))) as system,
        system.subscribe() as events,
    ):
        await crash(system, 1)
        system.stop()
        assert not [event async for event in events if isinstance(event, SnapshotFailed)]
    assert given == [None, None]


async def test_a_snapshot_is_offered_once() -> None:
    """A successor that fails over it is followed by one that starts without."""
    given: list[object] = []
    async with open_system(SupervisorSpec((spec(given, clumsy=True),))) as system:
        await crash(system, 1)
        assert await system.lookup("a").ask(Add(2)) == [2]
    assert given == [None, [1], None]


async def test_a_snapshot_keeps_nothing_of_the_dead_alive() -> None:
    """It is a copy: the dead incarnation is collectable, the successor's list its own."""
    dead: list[weakref.ref[Actor]] = []

    class Selfish(Actor):
        async def on_start(self) -> None:
            dead.append(weakref.ref(self))

        def snapshot(self) -> object:
            return {"numbers": [1, 2]}

        async def receive(self, message: object) -> object:
            raise ValueError("as told")

    async with open_system(SupervisorSpec((ChildSpec("a", Selfish, hand_over=True),))) as system:
        system.lookup("a").tell("crash")
        await anyio.sleep(10)
        gc.collect()
        assert dead[0]() is None
        assert dead[1]() is not None
