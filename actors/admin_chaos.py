"""Chaos over the admin socket: a monkey among the running bot's actors, for the chaos harness.

It works by a plan of its own, or does the deeds that the request lists. Each deed is told as it is done. It
ends with its time or with its reader, and takes back what lasts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from actors import admin_requests
from actors.admin_requests import RefusedError, number, path_of, texts
from supervision.chaos import Deed, Fault, Monkey, Plan

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from anyio.streams.memory import MemoryObjectReceiveStream

    from actors.admin_requests import Answer, Request, Send
    from supervision import System

MAX_CHAOS_S = 86_400.0
KEPT = 1000
"""Deeds that wait for a slow reader; later ones are only counted."""
MAX_DEEDS = 200
"""In one request."""
MAX_DEED_S = 60.0


async def chaos(system: System, own: str, request: Request, send: Send) -> Answer:
    """Let a monkey loose, which spares `own`, the actor that serves the request.

    :raises RefusedError: the request makes no sense
    """
    begin = _work_of(request, own)
    told, deeds = anyio.create_memory_object_stream[Deed](KEPT)
    untold: list[Deed] = []

    def tell(deed: Deed) -> None:
        try:
            told.send_nowait(deed)
        except anyio.WouldBlock:
            untold.append(deed)

    async def work() -> None:
        with told:
            await begin(monkey)

    monkey = Monkey(system, on_deed=tell)
    gone: Exception | None = None
    async with anyio.create_task_group() as group, deeds:
        group.start_soon(work)
        try:
            await _tell_all(deeds, send)
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            group.cancel_scope.cancel()
            gone = error  # not out of the group: that would make a group of it
    if gone is not None:
        raise gone
    done = sum(deed.refused is None for deed in monkey.deeds)
    return {"done": done, "refused": len(monkey.deeds) - done, "untold": len(untold)}


async def _tell_all(deeds: MemoryObjectReceiveStream[Deed], send: Send) -> None:
    while True:
        more: dict[str, object] = {"ok": True, "more": True}
        with anyio.move_on_after(admin_requests.SIGN_OF_LIFE_S):
            try:
                more["deed"] = (await deeds.receive()).to_dict()
            except anyio.EndOfStream:
                return
        await send(more)


def _work_of(request: Request, own: str) -> Callable[[Monkey], Awaitable[object]]:
    """What a monkey shall do.

    :raises RefusedError: it makes no sense
    """
    if "deeds" in request:
        deeds = deeds_of(request, own)
        return lambda monkey: monkey.replay(deeds)
    plan = plan_of(request, own)
    return lambda monkey: monkey.run(plan)


def deeds_of(request: Request, own: str) -> tuple[Deed, ...]:
    """The deeds that the request lists, as `Deed.to_dict` has them; none may hit `own`.

    :raises RefusedError: one of them makes no sense
    """
    listed = request["deeds"]
    if not isinstance(listed, list) or len(listed) > MAX_DEEDS:
        raise RefusedError(f"deeds must be a list of at most {MAX_DEEDS}")
    return tuple(_deed_of(plain, own) for plain in listed)


def _deed_of(plain: object, own: str) -> Deed:
    if not isinstance(plain, dict):
        raise RefusedError("a deed is an object")
    measures = {
        "step": int(number(plain, "step", 0, 0, 2**53)),
        "at_s": number(plain, "at_s", 0.0, 0, MAX_CHAOS_S),
        "seconds": number(plain, "seconds", 0.0, 0, MAX_DEED_S),
        "amount": number(plain, "amount", 0.0, 0, 10),
        "path": path_of(plain),
        "refused": None,
    }
    if measures["path"] in ("", own):
        raise RefusedError("neither the root nor who serves this request can be hit")
    try:
        return Deed.from_dict(plain | measures)
    except (TypeError, ValueError) as error:
        raise RefusedError(str(error)) from error


def plan_of(request: Request, own: str) -> Plan:
    """The plan that the request describes.

    :raises RefusedError: it makes no sense
    """
    try:
        return Plan(
            seed=int(number(request, "seed", 0, -(2**53), 2**53)),
            every_s=number(request, "every_s", 1.0, 0.01, 3600),
            duration_s=number(request, "seconds", 60.0, 0, MAX_CHAOS_S),
            faults=_weights(request),
            paths=texts(request, "paths", ("guilds/*",)),
            spared=(own, *texts(request, "spared", ())),
            supervisors=request.get("supervisors") is True,
            longest_s=number(request, "longest_s", 2.0, 0, 60),
            delay_s=number(request, "delay_s", 0.05, 0, 10),
            failing_starts=int(number(request, "failing_starts", 2, 1, 10)),
        )
    except ValueError as error:
        raise RefusedError(str(error)) from error


def _weights(request: Request) -> Mapping[Fault, float]:
    """`faults` is a list of names; without one, all."""
    names = texts(request, "faults", tuple(fault.value for fault in Fault))
    return dict.fromkeys(map(Fault, names), 1.0)
