"""What becomes of the answer to an extraction that nobody waits for any more."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from actors.media import ErrorKind, MediaError
from actors.media.extraction_order import Order

pytestmark = pytest.mark.anyio


class Talk:
    """A conversation whose answer comes when told."""

    def __init__(self, error: MediaError | None = None) -> None:
        self.gate = anyio.Event()
        self.error = error

    async def result(self) -> dict[str, Any]:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return {"stream": 1}


async def settle() -> None:
    for _ in range(10):
        await checkpoint()


async def leave(order: Order, talk: Talk, *, answer: bool) -> None:
    """Wait for an order, and be gone before it is answered; it is answered, or not."""
    async with anyio.create_task_group() as tasks:

        async def wait() -> None:
            await order.answer(talk)  # type: ignore[arg-type]  # as far as it is needed
            raise AssertionError  # it was cancelled

        tasks.start_soon(wait)
        await settle()
        tasks.cancel_scope.cancel()
        if answer:
            with anyio.CancelScope(shield=True):
                await settle()
            talk.gate.set()


async def test_it_is_kept_if_it_comes_soon() -> None:
    kept: list[object] = []
    order = Order({}, kept.append, unwanted_s=60.0)
    assert not order.begun
    await leave(order, Talk(), answer=True)
    assert (order.begun, kept) == (True, [{"stream": 1}])


async def test_it_is_not_waited_for_beyond_its_time() -> None:
    kept: list[object] = []
    with anyio.fail_after(5):
        await leave(Order({}, kept.append, unwanted_s=0.0), Talk(), answer=False)
    assert kept == []


async def test_a_failure_is_nobodys() -> None:
    talk = Talk(MediaError(ErrorKind.WORKER_DIED, "gone"))
    kept: list[object] = []
    await leave(Order({}, kept.append, unwanted_s=60.0), talk, answer=True)
    assert kept == []


async def test_whoever_waits_gets_it_and_it_is_kept() -> None:
    kept: list[object] = []
    talk = Talk()
    talk.gate.set()
    assert await Order({}, kept.append).answer(talk) == {"stream": 1}  # type: ignore[arg-type]  # as above
    assert kept == [{"stream": 1}]
