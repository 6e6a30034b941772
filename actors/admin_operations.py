"""What may be asked over the admin socket, and what becomes of it.

Every operation that changes or overhears something is audited: one log event with who (the user id that the
operating system vouches for), what, whom, and what came of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import structlog
from anyio import to_thread

from actors import admin_requests
from actors.admin_chaos import MAX_CHAOS_S, chaos
from actors.admin_requests import MAX_PATH, Answer, RefusedError, Request, Send, number, path_of, refusal
from supervision import (
    AskTimeout,
    ChildStarted,
    ChildStopped,
    IntensityExceeded,
    RestartScheduled,
    SupervisionError,
)

if TYPE_CHECKING:
    from supervision import Event, EventStream, MessageTraced, System

SUSPEND_S = 3.0
"""How long a suspension waits for the message in hand."""

AFTERMATH_S = 2.0
"""How long a kill waits to see what its supervisor decides."""

TRACE_S, MAX_TRACE_S = 10.0, 600.0
MAX_STEPS = 10_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as the operating system says; None where it does not."""

    uid: int | None
    pid: int | None


@dataclass(frozen=True, slots=True)
class Operations:
    """The operations on one system.

    :ivar own: the path of the actor that serves the socket
    """

    system: System
    own: str

    async def do(self, request: Request, caller: Caller, send: Send) -> Answer:
        """The last answer: `ok` says whether it was done, else `error` why. `send` is for those before."""
        name = request.get("op")
        operation = OPERATIONS.get(name) if isinstance(name, str) else None
        if operation is None:
            return refusal(f"unknown op; known are {', '.join(OPERATIONS)}")
        outcome = "broken off"
        try:
            answer = await operation(self, request, send)
        except (RefusedError, SupervisionError) as error:
            outcome = str(error)
            return refusal(outcome)
        else:
            outcome = "done"
            return {"ok": True, **answer}
        finally:
            if name in AUDITED:
                path = str(request.get("path", ""))[:MAX_PATH]
                who = {"uid": caller.uid, "pid": caller.pid}
                log.info("admin_operation", op=name, path=path, outcome=outcome, **who)

    async def tree(self, _request: Request, _send: Send) -> Answer:
        """The whole supervision tree."""
        tree = await self.system.survey()
        return {"tree": await to_thread.run_sync(tree.to_dict)}

    async def kill(self, request: Request, _send: Send) -> Answer:
        """As if it had crashed; tells what its supervisor decided, if that is known soon."""
        path = path_of(request)
        if not path:
            raise RefusedError("the root cannot be killed; to stop the bot, send it SIGTERM")
        if path == self.own:
            raise RefusedError(f"{path} serves this very request, and cannot kill itself")
        async with self.system.subscribe() as events:
            await self.system.kill(path)
            with anyio.move_on_after(AFTERMATH_S):
                async for event in events:
                    if event.path == path and (words := _aftermath(event)) is not None:
                        return {"outcome": words}
        return {"outcome": "it has not come up again yet"}

    async def suspend(self, request: Request, _send: Send) -> Answer:
        """It takes no message in hand any more."""
        path = path_of(request)
        try:
            await self.system.suspend(path, SUSPEND_S)
        except AskTimeout:
            return {"outcome": "it still has a message in hand, and holds still after that"}
        return {"outcome": "it holds still until it is resumed or restarted"}

    async def resume(self, request: Request, _send: Send) -> Answer:
        """It goes on."""
        self.system.resume(path_of(request))
        return {"outcome": "it goes on"}

    async def trace(self, request: Request, send: Send) -> Answer:
        """What becomes of each of its messages, as it happens, for so many seconds."""
        seconds, steps = number(request, "seconds", TRACE_S, 0, MAX_TRACE_S), 0
        async with self.system.trace(path_of(request)) as stream:
            deadline = anyio.current_time() + seconds
            while (left_s := deadline - anyio.current_time()) > 0 and steps < MAX_STEPS:
                # A sign of life meets the end of a connection whose other side has gone.
                more: dict[str, object] = {"ok": True, "more": True}
                with anyio.move_on_after(min(left_s, admin_requests.SIGN_OF_LIFE_S)):
                    try:
                        more["step"] = _step(await anext(stream))
                    except StopAsyncIteration:
                        break  # it has ended for good
                    steps += 1
                await send(more)
            return {"steps": steps, "lost": stream.dropped}

    async def events(self, request: Request, send: Send) -> Answer:
        """Every restart in the tree, as it happens, for so many seconds."""
        seconds = number(request, "seconds", TRACE_S, 0, MAX_CHAOS_S)
        async with self.system.subscribe() as events:
            await send({"ok": True, "more": True})  # from now on nothing is missed
            deadline = anyio.current_time() + seconds
            while (left_s := deadline - anyio.current_time()) > 0:
                more: dict[str, object] = {"ok": True, "more": True}
                with anyio.move_on_after(min(left_s, admin_requests.SIGN_OF_LIFE_S)):
                    more["event"] = await _next_restart(events)
                await send(more)
            return {"lost": events.dropped}

    async def chaos(self, request: Request, send: Send) -> Answer:
        """See `admin_chaos`."""
        return await chaos(self.system, self.own, request, send)


Operation = Callable[[Operations, Request, Send], Awaitable[Answer]]

OPERATIONS: Mapping[str, Operation] = {
    "tree": Operations.tree,
    "kill": Operations.kill,
    "suspend": Operations.suspend,
    "resume": Operations.resume,
    "trace": Operations.trace,
    "events": Operations.events,
    "chaos": Operations.chaos,
}
AUDITED = OPERATIONS.keys() - {"tree", "events"}


def _aftermath(event: Event) -> str | None:
    match event:
        case ChildStarted(incarnation=incarnation):
            return f"it is up again, incarnation {incarnation}"
        case RestartScheduled(delay_s=delay_s) if delay_s > AFTERMATH_S:
            return f"it is started again in {delay_s:.1f} s"
        case ChildStopped():
            return "its supervisor does not start it again"
        case _:
            return None


async def _next_restart(events: EventStream[Event]) -> dict[str, object]:
    """The next start after the first, or the next supervisor that gives up."""
    async for event in events:
        match event:
            case ChildStarted(incarnation=incarnation) if incarnation > 1:
                return {"kind": "restarted", "path": event.path, "incarnation": incarnation}
            case IntensityExceeded():
                return {"kind": "gave up", "path": event.path}
    raise RefusedError("the bot ends")


def _step(event: MessageTraced) -> dict[str, object]:
    return {
        "at": event.at,
        "step": event.step.value,
        "message": event.message,
        "text": event.text,
        "ms": event.seconds * 1000,
    }
