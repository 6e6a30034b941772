"""The kernel itself, used as its README says and by its public names alone."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from supervision import (
    Actor,
    Backoff,
    ChildSpec,
    DynamicSupervisorSpec,
    Intensity,
    MailboxSpec,
    Request,
    SupervisorSpec,
    handles,
    open_system,
)
from tests.bench.kernel.peers import ANSWER, ROOM, Peer, Tally

if TYPE_CHECKING:
    from supervision import Ref
    from tests.bench.kernel.loops import Seat

RECEIVE = "kernel: receive()"
HANDLES = "kernel: @handles"
ASK = "kernel: without timeout"
ASK_TIMEOUT = "kernel: with a timeout of 5 s"


class Note:
    """A message."""


class Ping(Request[int]):
    """A request."""


class Crash:
    """A message that its handler fails over."""


class Receiver(Actor):
    """Handles everything in one method."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    async def receive(self, message: object) -> object:
        self.tally.count += 1
        return message


class Handler(Actor):
    """One method for each type of message."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    @handles(Note)
    async def note(self, message: Note) -> None:
        self.tally.count += 1

    @handles(Ping)
    async def ping(self, message: Ping) -> int:
        return ANSWER

    @handles(Crash)
    async def crash(self, message: Crash) -> None:
        raise ValueError("on demand")


def child(name: str, kind: type[Receiver | Handler], tally: Tally) -> ChildSpec:
    """An actor that is restarted at once, as often as it crashes."""
    backoff = Backoff(wait=_no_wait)
    return ChildSpec(name, partial(kind, tally), mailbox=MailboxSpec(ROOM), backoff=backoff)


async def open_handler(seat: Seat, tally: Tally) -> Ref:
    """One actor in a system of its own, restarted without limit."""
    spec = SupervisorSpec((child("handler", Handler, tally),), intensity=Intensity(1_000_000, 0.001))
    system = await seat.exits.enter_async_context(open_system(spec))
    return system.lookup("handler")


async def open_mailboxes(seat: Seat) -> list[Peer]:
    """Both styles of handling messages."""
    peers = []
    for name, kind in ((RECEIVE, Receiver), (HANDLES, Handler)):
        tally = Tally()
        spec = SupervisorSpec((child("actor", kind, tally),))
        system = await seat.exits.enter_async_context(open_system(spec))
        peers.append(Peer(name, tally, tell=system.lookup("actor").tell, message=Note()))
    return peers


async def open_askable(seat: Seat) -> list[Peer]:
    """Requests without and with a timeout."""
    ref = await open_handler(seat, Tally())
    request = Ping()
    return [
        Peer(ASK, Tally(), ask=partial(ref.ask, timeout=math.inf), request=request),
        Peer(ASK_TIMEOUT, Tally(), ask=ref.ask, request=request),
    ]


def crowd() -> DynamicSupervisorSpec:
    """A supervisor for many actors."""
    return DynamicSupervisorSpec()


def idle(name: str) -> ChildSpec:
    """An actor that waits for messages, with all defaults."""
    return ChildSpec(name, _idler)


def _idler() -> Actor:
    return Receiver(Tally())


def _no_wait(_state: object) -> float:
    return 0.0
