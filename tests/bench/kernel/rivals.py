"""Actor libraries from the package index, each used as its documentation says.

Only those that are installed take part (`make bench-kernel` installs them). Pykka's actors are threads;
the asker blocks. fauxtp and papyra are made of coroutines on anyio.
"""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from tests.bench.kernel.peers import ROOM, Peer, Tally

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.bench.kernel.loops import Seat

    Opener = Callable[[Seat], Awaitable[Peer]]

#: A rival does this part of a sample's operations: one of them takes 3 to 50 times as long.
_SHARE = 0.25


def installed() -> dict[str, Opener]:
    """Openers of the rivals that can be imported, by name."""
    return {name: opener for name, opener in OPENERS.items() if find_spec(name) is not None}


async def open_rivals(seat: Seat) -> list[Peer]:
    """All that are installed, if the loop is asyncio's own; they are not repeated on the others."""
    if seat.loop != "asyncio":
        return []
    return [await opener(seat) for opener in installed().values()]


async def _open_pykka(seat: Seat) -> Peer:
    tally = Tally()
    ref = pykka_counter().start(tally)
    seat.exits.callback(ref.stop)

    async def ask(request: object) -> object:
        return ref.ask(request)

    # polling would fight with the actor's thread for the interpreter: a request stands in line behind all
    async def settle(_count: int) -> object:
        return ref.ask(None)

    return Peer("pykka", tally, tell=ref.tell, ask=ask, settle=settle, share=_SHARE)


def pykka_counter() -> Any:
    """The class of an actor in a thread."""
    import pykka

    class Counter(pykka.ThreadingActor):
        use_daemon_thread = True

        def __init__(self, tally: Tally) -> None:
            super().__init__()
            self.tally = tally

        def on_receive(self, message: object) -> object:
            if message is not None:
                self.tally.count += 1
            return message

    return Counter


async def _open_fauxtp(seat: Seat) -> Peer:
    from fauxtp import call, cast

    tally = Tally()
    pid = await fauxtp_counter().start(tally, task_group=seat.tasks)
    return Peer("fauxtp", tally, send=partial(cast, pid), ask=partial(call, pid), share=_SHARE)


def fauxtp_counter() -> Any:
    """The class of a server that counts."""
    from fauxtp import GenServer

    class Counter(GenServer):
        def __init__(self, tally: Tally) -> None:
            super().__init__()
            self.tally = tally

        async def handle_cast(self, request: object, state: object) -> object:
            self.tally.count += 1
            return state

        async def handle_call(
            self, request: object, from_ref: object, state: object
        ) -> tuple[object, object]:
            return request, state

    return Counter


def fauxtp_starter() -> Any:
    """The same, counting its start instead."""

    class Starter(fauxtp_counter()):  # type: ignore[misc]  # a class made at run time
        async def init(self) -> object:
            self.tally.count += 1
            return None

    return Starter


async def _open_papyra(seat: Seat) -> Peer:
    from papyra import ActorSystem

    tally = Tally()
    system = await seat.exits.enter_async_context(ActorSystem())
    ref = system.spawn(partial(papyra_counter(), tally), mailbox_capacity=ROOM)
    return Peer("papyra", tally, send=ref.tell, ask=ref.ask, share=_SHARE)


def papyra_counter() -> Any:
    """The class of an actor that counts."""
    from papyra import Actor

    class Counter(Actor):
        def __init__(self, tally: Tally) -> None:
            self.tally = tally

        async def receive(self, message: object) -> object:
            self.tally.count += 1
            return message

    return Counter


def papyra_fragile(starts: Tally) -> Any:
    """The class of an actor that counts its starts and fails over ``None``."""
    from papyra import Actor

    class Fragile(Actor):
        async def on_start(self) -> None:
            starts.count += 1

        async def receive(self, message: object) -> object:
            if message is None:
                raise ValueError("on demand")
            return message

    return Fragile


def papyra_starter() -> Any:
    """The same, counting its start instead."""

    class Starter(papyra_counter()):  # type: ignore[misc]  # a class made at run time
        async def on_start(self) -> None:
            self.tally.count += 1

    return Starter


OPENERS: dict[str, Opener] = {"pykka": _open_pykka, "fauxtp": _open_fauxtp, "papyra": _open_papyra}
