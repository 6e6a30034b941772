"""A storm of senders around one actor that crashes and is killed, and what holds of it at every instant."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

import anyio
from tenacity import wait_fixed

from supervision import (
    Actor,
    ActorStopped,
    Backoff,
    ChildSpec,
    DeadLetter,
    Intensity,
    MailboxFull,
    MailboxSpec,
    Overflow,
    SupervisorSpec,
    open_system,
)
from supervision.testing import PuppetError

if TYPE_CHECKING:
    from supervision import Ref, System


class Storm:
    """Several senders, each with numbers of its own, and one receiver.

    :ivar accepted: what a call that returned has put into the mailbox
    :ivar handled: what the actor was given, over all incarnations
    """

    def __init__(self, seed: int, overflow: Overflow) -> None:
        self.chance = Random(seed)  # noqa: S311 - to be repeated
        self.box = MailboxSpec(3, overflow, (lambda message: None) if overflow is Overflow.CONFLATE else None)
        self.accepted: list[tuple[int, int]] = []
        self.handled: list[tuple[int, int]] = []
        self.letters: list[object] = []
        self.busy = self.checks = 0

    def actor(self) -> Actor:
        return Receiver(self)

    async def run(self) -> None:
        spec = SupervisorSpec(
            (ChildSpec("a", self.actor, mailbox=self.box, backoff=Backoff(wait_fixed(0.01))),),
            intensity=Intensity(1_000_000),
        )
        async with open_system(spec) as system, system.subscribe(100_000) as events:
            async with anyio.create_task_group() as group:
                for sender in range(4):
                    group.start_soon(self.send_many, system, sender)
            self.check(system)
            system.stop()
            self.letters = [event.message async for event in events if isinstance(event, DeadLetter)]

    async def send_many(self, system: System, sender: int) -> None:
        ref = system.lookup("a")
        for number in range(25):
            await self.hand_over(ref, (sender, number))
            self.check(system)
            await anyio.sleep(self.chance.choice((0, 0.001, 0.004)))
            if self.chance.random() < 0.05:
                await self.kill(system)

    @staticmethod
    async def kill(system: System) -> None:
        try:
            await system.kill("a")
        except ActorStopped:
            pass  # nobody is up

    async def hand_over(self, ref: Ref, message: tuple[int, int]) -> None:
        """By tell or by send, which may be given up in three ways."""
        way = self.chance.choice(("tell", "send", "scope", "timeout"))
        try:
            if way == "tell":
                ref.tell(message)
            elif way == "timeout" and asyncio._get_running_loop() is not None:
                async with asyncio.timeout(self.chance.choice((0, 0.001, 0.003))):
                    await ref.send(message)
            else:
                with anyio.move_on_after(
                    self.chance.choice((0, 0.001, 0.003)) if way == "scope" else 100
                ) as scope:
                    await ref.send(message)
                if scope.cancelled_caught:
                    return
        except (MailboxFull, TimeoutError):
            return
        self.accepted.append(message)

    def check(self, system: System) -> None:
        """What holds at every instant."""
        cell = system.find("a")
        assert cell is not None
        box = cell.mailbox
        assert box is not None
        self.checks += 1
        assert len(self.accepted) == len(self.handled) + box.depth + box.dropped
        assert box.depth <= box.peak <= 3


class Receiver(Actor):
    """Takes some time for each message, and crashes at times."""

    def __init__(self, storm: Storm) -> None:
        self.storm = storm

    async def receive(self, message: object) -> None:
        storm = self.storm
        assert isinstance(message, tuple)
        storm.handled.append(message)
        assert storm.busy == 0
        storm.busy += 1
        try:
            await anyio.sleep(storm.chance.choice((0, 0.001, 0.002)))
            if storm.chance.random() < 0.1:
                raise PuppetError
        finally:
            storm.busy -= 1
