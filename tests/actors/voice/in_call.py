"""The bot's side of DAVE in a call of the loopback: nothing on a wire, and messages that can be spoilt."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from actors.voice.dave import Dave
from actors.voice.dave_messages import DaveStatus, Op
from loopback.dave.call import Call
from loopback.dave.participant import Opened, Participant
from loopback.dave.sender import ExternalSender

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from loopback.voice.protocol import Op as ServerOp


class Member(Protocol):
    """Who listens, by whichever implementation of DAVE."""

    user_id: int

    @property
    def privacy_code(self) -> str | None: ...

    def open(self, sender_id: int, frame: bytes) -> Opened: ...

    def leave(self) -> None: ...


CHANNEL, BOT, ALICE, CAROL, DAN = 200, 300, 400, 401, 402
OPUS = b"\xfc" + bytes(range(60))


class Port:
    """The bot in a call; what it is told can be spoilt on the way.

    :ivar spoil: what stands in place of the end of the next message of that opcode
    """

    def __init__(self, call: Call) -> None:
        self.now = 0.0
        self.call = call
        self.dave = Dave(BOT, CHANNEL, now=lambda: self.now)
        self.told: list[tuple[ServerOp, Any]] = []
        self.answered: list[Op] = []
        self.spoil: dict[ServerOp, bytes] = {}

    def join(self) -> None:
        version = self.call.version_for(supports=True)
        others = [str(user) for user in self.call.members]
        self.dave.prepare()
        self.receive(Op.SESSION_DESCRIPTION, {"dave_protocol_version": version})
        self.receive(Op.CLIENTS_CONNECT, {"user_ids": others})
        self.call.join(BOT, self, supports=True)
        self.give(self.packages)

    def tell(self, op: ServerOp, data: dict[str, Any] | bytes) -> None:
        self.told.append((op, data))
        end = self.spoil.pop(op, b"")
        if end and isinstance(data, bytes):
            data = data[: -len(end)] + end
        asyncio.get_running_loop().call_soon(self.receive, op, data)

    def receive(self, op: int, data: Any) -> None:
        answers = self.dave.receive(op, data)
        self.answered += [answer for answer, _ in answers]
        if BOT in self.call.members:
            self.give(answers)
        else:
            self.packages = answers or self.packages

    packages: list[Any] = []  # noqa: RUF012 - what is answered before the call is joined

    def give(self, answers: list[Any]) -> None:
        for op, data in answers:
            match op:
                case Op.MLS_KEY_PACKAGE:
                    self.call.take_key_package(BOT, data)
                case Op.MLS_COMMIT_WELCOME:
                    self.call.take_commit(BOT, data)
                case Op.TRANSITION_READY:
                    self.call.take_ready(BOT, data["transition_id"])
                case Op.MLS_INVALID_COMMIT_WELCOME:
                    self.call.take_invalid(BOT, data["transition_id"])

    @property
    def status(self) -> DaveStatus:
        return self.dave.status()

    def add(self, user: int, *, supports: bool = True, latency_s: float = 0.0) -> Participant:
        """Somebody comes into the channel."""
        self.meet(user)
        participant = Participant(user, self.call, supports=supports, latency_s=latency_s)
        participant.join()
        return participant

    def meet(self, user: int) -> None:
        """The bot is told that somebody is there."""
        self.receive(Op.CLIENTS_CONNECT, {"user_ids": [str(user)]})

    def remove(self, participant: Member) -> None:
        """Somebody goes."""
        self.receive(Op.CLIENT_DISCONNECT, {"user_id": str(participant.user_id)})
        participant.leave()


@asynccontextmanager
async def call(*, joined: bool = True) -> AsyncIterator[Port]:
    """The bot alone in a call, or on its way there."""
    service = Call(ExternalSender(), CHANNEL)
    port = Port(service)
    if joined:
        port.join()
    try:
        yield port
    finally:
        service.close()


async def playing(port: Port, fact: Callable[[], bool], *listeners: Member) -> None:
    """Send frame after frame until the fact holds; the listeners hear each of them."""
    async with asyncio.timeout(10):
        while not fact():
            frame = port.dave.protect(OPUS)
            if frame is not None:
                for listener in listeners:
                    assert listener.open(BOT, frame).opus == OPUS
            await asyncio.sleep(0)


def shared(port: Port, epoch: int, *listeners: Member) -> bool:
    """They have the keys of that epoch in common, and nobody has them besides."""
    codes = {port.status.privacy_code, *(listener.privacy_code for listener in listeners)}
    epochs = {port.status.epoch, port.call.group.epoch}
    return len(codes) == 1 and None not in codes and epochs == {epoch}
