"""Raw queues, as people use them without a kernel: asyncio's queue and anyio's memory stream."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anyio

from tests.bench.kernel.loops import WITH_FUTURES
from tests.bench.kernel.peers import ROOM, Peer, Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.bench.kernel.loops import Seat

QUEUE = "asyncio.Queue, put_nowait"
STREAM = "anyio stream, send_nowait and receive"
STREAM_DRAINED = "anyio stream, drained by receive_nowait"
QUEUE_ASK = "asyncio.Queue and a future"
STREAM_ASK = "anyio stream and a stream for the answer"


async def open_queues(seat: Seat) -> list[Peer]:
    """Those for messages that this loop has."""
    peers = [_stream(seat, STREAM, _receive), _stream(seat, STREAM_DRAINED, _drain)]
    if seat.loop in WITH_FUTURES:
        peers.append(_queue(seat))
    return peers


async def open_answering_queues(seat: Seat) -> list[Peer]:
    """Those for requests that this loop has."""
    peers = [_answering_stream(seat)]
    if seat.loop in WITH_FUTURES:
        peers.append(_answering_queue(seat))
    return peers


def _queue(seat: Seat) -> Peer:
    tally = Tally()
    queue: asyncio.Queue[object] = asyncio.Queue(ROOM)

    async def serve() -> None:
        while True:
            await handle(tally, await queue.get())

    seat.tasks.start_soon(serve)
    return Peer(QUEUE, tally, tell=queue.put_nowait)


def _stream(seat: Seat, name: str, serve: Callable[[Any, Tally], Coroutine[Any, Any, None]]) -> Peer:
    tally = Tally()
    send, receive = anyio.create_memory_object_stream[object](ROOM)
    seat.exits.callback(send.close)
    seat.tasks.start_soon(serve, receive, tally)
    return Peer(name, tally, tell=send.send_nowait)


async def _receive(stream: Any, tally: Tally) -> None:
    async with stream:
        async for message in stream:
            await handle(tally, message)


async def _drain(stream: Any, tally: Tally) -> None:
    async with stream:
        async for message in stream:
            await handle(tally, message)
            try:
                while True:
                    await handle(tally, stream.receive_nowait())
            except (anyio.WouldBlock, anyio.EndOfStream):
                continue


async def handle(tally: Tally, message: object) -> None:
    """What a handler does."""
    tally.count += 1


def _answering_queue(seat: Seat) -> Peer:
    queue: asyncio.Queue[tuple[object, asyncio.Future[object]]] = asyncio.Queue(ROOM)
    loop = asyncio.get_running_loop()

    async def serve() -> None:
        while True:
            request, answer = await queue.get()
            answer.set_result(request)

    async def ask(request: object) -> object:
        answer: asyncio.Future[object] = loop.create_future()
        queue.put_nowait((request, answer))
        return await answer

    seat.tasks.start_soon(serve)
    return Peer(QUEUE_ASK, Tally(), ask=ask)


def _answering_stream(seat: Seat) -> Peer:
    send, receive = anyio.create_memory_object_stream[Any](ROOM)
    seat.exits.callback(send.close)

    async def serve() -> None:
        async with receive:
            async for request, answer in receive:
                answer.send_nowait(request)

    async def ask(request: object) -> object:
        here, back = anyio.create_memory_object_stream[object](1)
        with here, back:
            send.send_nowait((request, here))
            return await back.receive()

    seat.tasks.start_soon(serve)
    return Peer(STREAM_ASK, Tally(), ask=ask)
