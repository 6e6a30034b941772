"""Whoever asks for the same at the same time waits for the same answer."""

from __future__ import annotations

import anyio
import pytest
from anyio.lowlevel import checkpoint

from actors.media import ErrorKind, MediaError
from actors.media.flights import Flights

pytestmark = pytest.mark.anyio


class Work:
    """Ends when told; counts how often it was begun."""

    def __init__(self, error: MediaError | None = None) -> None:
        self.begun = 0
        self.gate = anyio.Event()
        self.error = error

    async def __call__(self) -> int:
        self.begun += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return self.begun


async def settle() -> None:
    for _ in range(10):
        await checkpoint()


async def test_one_answer_for_all_and_another_for_the_next() -> None:
    flights, work, got = Flights[int](), Work(), list[int]()

    async def ask(key: str) -> None:
        got.append(await flights.of(key, work))

    async with anyio.create_task_group() as tasks:
        for key in ("a", "a", "a", "b"):
            tasks.start_soon(ask, key)
        await settle()
        assert (work.begun, flights.joined) == (2, 2)
        work.gate.set()
    assert len(got) == 4
    assert await flights.of("a", work) == 3, "what is over is no flight"


async def test_an_error_is_everybodys_own() -> None:
    flights, caught = Flights[int](), list[MediaError]()
    work = Work(MediaError(ErrorKind.NOT_FOUND, "no such thing"))

    async def ask() -> None:
        with pytest.raises(MediaError) as error:
            await flights.of("a", work)
        caught.append(error.value)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(ask)
        await settle()
        work.gate.set()
    assert {(error.kind, error.message) for error in caught} == {(ErrorKind.NOT_FOUND, "no such thing")}
    assert len({id(error) for error in caught}) == 3
    assert work.begun == 1


async def test_whoever_leaves_first_takes_the_work_of_nobody_else_along() -> None:
    flights, work, got = Flights[int](), Work(), list[int]()
    first = anyio.CancelScope()

    async def ask(scope: anyio.CancelScope) -> None:
        with scope:
            got.append(await flights.of("a", work))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, first)
        await settle()
        tasks.start_soon(ask, anyio.CancelScope())
        tasks.start_soon(ask, anyio.CancelScope())
        await settle()
        first.cancel()
        await settle()
        assert work.begun == 2
        work.gate.set()
    assert got == [2, 2]
