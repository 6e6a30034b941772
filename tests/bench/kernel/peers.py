"""What all mailboxes under test have in common: somebody who takes messages and somebody who counts them."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from anyio.lowlevel import checkpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

#: Messages that a producer puts in a row before it gives way.
BURST = 64
#: Room in every bounded mailbox: more than a producer is ever ahead.
ROOM = 64 * BURST
#: What everybody is asked for.
ANSWER = 1


class Tally:
    """How many messages were handled: the one thing that every handler does."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


@dataclass(slots=True)
class Peer:
    """One mailbox with its consumer.

    :ivar tally: counts what ``message`` made the consumer handle
    :ivar tell: puts a message without waiting
    :ivar send: the same of a library whose tell must be awaited
    :ivar ask: sends a request and returns with its answer
    :ivar message: what is told
    :ivar request: what is asked; the answer is :data:`ANSWER`
    :ivar settle: returns when that many were handled, if looking at the tally would not do
    :ivar share: a slow one does only this part of the operations
    """

    name: str
    tally: Tally
    tell: Callable[[Any], object] | None = None
    send: Callable[[Any], Awaitable[object]] | None = None
    ask: Callable[[Any], Awaitable[object]] | None = None
    message: object = 1
    request: object = 1
    settle: Callable[[int], Awaitable[object]] | None = None
    share: float = 1.0


async def in_bursts(peer: Peer, count: int) -> float:
    """Seconds for that many messages, put in bursts, until the last is handled."""
    peer.tally.count = 0
    started = perf_counter()
    for _ in range(count // BURST):
        await _put(peer, BURST)
        await checkpoint()
    await _settled(peer, count // BURST * BURST)
    return perf_counter() - started


async def one_by_one(peer: Peer, count: int) -> float:
    """Seconds for that many messages, each of which finds the consumer idle."""
    peer.tally.count = 0
    started = perf_counter()
    for number in range(1, count + 1):
        await _put(peer, 1)
        await _settled(peer, number)
    return perf_counter() - started


async def asks(peer: Peer, count: int) -> float:
    """Seconds for that many requests with their answers, one after the other."""
    ask, request, answer = peer.ask, peer.request, None
    assert ask is not None
    started = perf_counter()
    for _ in range(count):
        answer = await ask(request)
    seconds = perf_counter() - started
    assert answer == ANSWER, peer.name
    return seconds


async def _put(peer: Peer, count: int) -> None:
    message = peer.message
    if (tell := peer.tell) is not None:
        for _ in range(count):
            tell(message)
    elif (send := peer.send) is not None:
        for _ in range(count):
            await send(message)


async def _settled(peer: Peer, count: int) -> None:
    if peer.settle is not None:
        await peer.settle(count)
    tally = peer.tally
    while tally.count < count:
        await checkpoint()
