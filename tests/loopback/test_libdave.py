"""Discord's libdave and davey in one call: the same keys in every epoch, and each hears the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loopback.dave.call import Call
from loopback.dave.sender import ExternalSender
from loopback.voice.protocol import Op
from tests.loopback.friends import ALICE, BOB, CAROL, CHANNEL, DAN, OPUS, Friend, until
from tests.loopback.libdave import Libdave

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio


@pytest.fixture
def call() -> Iterator[Call]:
    made = Call(ExternalSender(), CHANNEL)
    yield made
    made.close()


def libdave(call: Call, user_id: int) -> Libdave:
    made = Libdave(call, user_id)
    made.join()
    return made


async def agreed(call: Call, *members: Friend | Libdave) -> None:
    """They are the group, have its keys in force, and hear one another."""
    users = {member.user_id for member in members}

    def settled() -> bool:
        codes = {member.privacy_code for member in members}
        whole = set(call.group.members) == users and len(codes) == 1 and None not in codes
        settled = all(member.settled for member in members if isinstance(member, Libdave))
        return whole and settled and all(member.version == 1 for member in members)

    await until(settled)
    for speaker in members:
        frame = speaker.say() if isinstance(speaker, Friend) else speaker.say(OPUS)
        assert frame is not None
        for listener in members:
            if listener is not speaker:
                assert listener.open(speaker.user_id, frame) == (OPUS, True)


async def test_they_agree_in_every_epoch_while_members_come_go_and_come_again(call: Call) -> None:
    bob = libdave(call, BOB)
    alice = Friend(call, ALICE)
    await agreed(call, alice, bob)
    carol = libdave(call, CAROL)
    await agreed(call, alice, bob, carol)
    dan = Friend(call, DAN)
    await agreed(call, alice, bob, carol, dan)
    for gone in (alice, bob):
        gone.leave()
    await agreed(call, carol, dan)
    alice, bob = Friend(call, ALICE), libdave(call, BOB)
    await agreed(call, alice, bob, carol, dan)
    epoch = call.group.epoch
    dan.leave()
    await agreed(call, alice, bob, carol)
    assert call.group.epoch == epoch + 1
    assert call.invalid == []


async def test_who_is_left_alone_makes_another_group(call: Call) -> None:
    bob, alice = libdave(call, BOB), Friend(call, ALICE)
    await agreed(call, alice, bob)
    alice.leave()
    await until(lambda: not bob.established)
    await agreed(call, Friend(call, ALICE), bob)


@pytest.mark.parametrize("op", [Op.DAVE_MLS_WELCOME, Op.DAVE_MLS_ANNOUNCE_COMMIT_TRANSITION])
async def test_what_it_cannot_process_is_reported_and_it_is_added_again(call: Call, op: Op) -> None:
    bob, alice = libdave(call, BOB), Friend(call, ALICE)
    await agreed(call, alice, bob)
    if op is Op.DAVE_MLS_WELCOME:
        victim = carol = Libdave(call, CAROL)
        victim.tampers[op] = bytes(8)
        carol.join()
    else:
        victim, carol = bob, Libdave(call, CAROL)
        victim.tampers[op] = bytes(8)
        carol.join()
    await agreed(call, alice, bob, carol)
    if not victim.tampers:  # else the victim's own commit has won
        assert call.invalid == [victim.user_id]


async def test_one_without_dave_brings_both_down_until_he_goes(call: Call) -> None:
    bob, alice = libdave(call, BOB), Friend(call, ALICE)
    await agreed(call, alice, bob)
    dan = Friend(call, DAN, supports=False)
    await until(lambda: alice.version == bob.version == 0)
    assert bob.open(ALICE, OPUS) == (OPUS, False)
    assert bob.say(OPUS) == OPUS
    dan.leave()
    await agreed(call, alice, bob)
