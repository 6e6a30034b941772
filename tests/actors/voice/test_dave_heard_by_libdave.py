"""What the bot encrypts by davey is heard by Discord's own libdave, which people's clients use."""

from __future__ import annotations

from functools import partial

import pytest

from actors.voice.dave_messages import DaveStatus
from loopback.voice.protocol import Op as ServerOp
from tests.actors.voice.in_call import ALICE, CAROL, DAN, OPUS, Port, call, playing, shared
from tests.loopback.libdave import Libdave

pytestmark = pytest.mark.anyio


def comes(port: Port, user_id: int) -> Libdave:
    member = Libdave(port.call, user_id)
    port.meet(user_id)
    member.join()
    return member


async def test_it_hears_every_frame_while_others_come_and_go() -> None:
    async with call() as port:
        alice = comes(port, ALICE)
        await playing(port, lambda: shared(port, 1, alice))
        for epoch, user_id in ((2, CAROL), (4, DAN)):
            other = comes(port, user_id)
            await playing(port, partial(shared, port, epoch, alice, other), alice)
            port.remove(other)
            await playing(port, partial(shared, port, epoch + 1, alice), alice)
        port.remove(alice)
        await playing(port, lambda: port.status.epoch is None)
        alice = comes(port, ALICE)
        await playing(port, lambda: shared(port, 1, alice))
        assert alice.failures == []


async def test_it_hears_every_frame_while_the_bot_is_added_again() -> None:
    async with call() as port:
        alice = comes(port, ALICE)
        await playing(port, lambda: shared(port, 1, alice))
        port.spoil[ServerOp.DAVE_MLS_ANNOUNCE_COMMIT_TRANSITION] = bytes(8)
        port.spoil[ServerOp.DAVE_MLS_WELCOME] = bytes(8)
        carol = comes(port, CAROL)
        await playing(port, lambda: shared(port, port.call.group.epoch, alice, carol), alice)
        assert port.status.recoveries == len(port.call.invalid)


async def test_it_hears_every_frame_through_a_downgrade_and_back() -> None:
    async with call() as port:
        alice = comes(port, ALICE)
        await playing(port, lambda: shared(port, 1, alice))
        dan = port.add(DAN, supports=False)
        await playing(port, lambda: port.status == DaveStatus(), alice)
        assert port.dave.protect(OPUS) == OPUS
        port.remove(dan)
        await playing(port, lambda: port.status.version == 1 and shared(port, 1, alice), alice)
