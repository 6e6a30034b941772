"""The delivery service of DAVE with davey's members: groups, epochs, versions, recovery."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

from loopback.dave import transitions
from loopback.dave.call import Call
from loopback.dave.participant import is_encrypted
from loopback.dave.sender import ExternalSender
from loopback.dave.structures import read_key_package, split_commit_welcome, welcome_for
from loopback.dave.wire import MalformedError, Reader, vector
from loopback.voice.protocol import Op
from tests.loopback.friends import ALICE, BOB, CAROL, CHANNEL, DAN, OPUS, Friend, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def channel(*users: int) -> AsyncIterator[tuple[Call, list[Friend]]]:
    """A call with friends in it, who have made a group."""
    call = Call(ExternalSender(), CHANNEL)
    friends = [Friend(call, user) for user in users]
    if len(users) > 1:
        await agreed(call, friends)
    try:
        yield call, friends
    finally:
        call.close()


async def agreed(call: Call, friends: list[Friend]) -> None:
    """All of them, and nobody else, are in the group and in force with its keys."""
    users = {friend.user_id for friend in friends}

    def settled() -> bool:
        codes = {friend.privacy_code for friend in friends}
        in_force = all((friend.version, friend.epoch) == (1, call.group.epoch) for friend in friends)
        return set(call.group.members) == users and len(codes) == 1 and None not in codes and in_force

    await until(settled)
    for speaker in friends:
        assert all(friend.hears(speaker) for friend in friends if friend is not speaker)


async def test_the_first_commit_makes_the_group_and_the_others_come_too_late() -> None:
    async with channel(ALICE, BOB) as (call, (alice, bob)):
        assert (call.group.epoch, alice.epoch, bob.epoch) == (1, 1, 1)
        assert len(alice.ops(Op.DAVE_MLS_WELCOME)) + len(bob.ops(Op.DAVE_MLS_WELCOME)) == 1
        assert len(alice.ops(Op.DAVE_MLS_ANNOUNCE_COMMIT_TRANSITION)) == 1 - len(
            alice.ops(Op.DAVE_MLS_WELCOME)
        )
        assert [refused.partition(":")[2] for refused in call.refused] == [" for epoch 0, this is 1"]


async def test_who_comes_while_a_group_is_made_is_in_it_in_the_end() -> None:
    async with channel(ALICE, BOB, CAROL, DAN) as (call, friends):
        welcomes = [body for friend in friends for body in friend.ops(Op.DAVE_MLS_WELCOME)]
        assert len(welcomes) == 3
        assert len(set(welcomes)) == 3, "each gets the secrets for himself only"
        assert call.invalid == []


async def test_members_of_a_group_get_the_same_bytes_and_a_blank_leaf_is_taken_again() -> None:
    async with channel(ALICE, BOB, CAROL) as (call, friends):
        alice, bob, carol = friends
        gone = next(friend for friend in friends if call.group.leaves.index(friend.user_id) == 1)
        staying = [friend for friend in friends if friend is not gone]
        before = call.group.epoch
        gone.leave()
        await agreed(call, staying)
        first, second = (friend.ops(Op.DAVE_MLS_PROPOSALS)[-1] for friend in staying)
        assert first == second
        assert None in call.group.leaves
        assert gone.open(staying[0].user_id, staying[0].say()).opus is None, "who has gone hears nothing"

        back = Friend(call, gone.user_id)
        await agreed(call, [*staying, back])
        assert call.group.leaves.index(back.user_id) == 1
        assert call.group.epoch == before + 2
        executed = [data["transition_id"] for data in staying[0].ops(Op.DAVE_EXECUTE_TRANSITION)]
        assert executed[-2:] == sorted(set(executed))[-2:], "each change of keys has a number of its own"
        assert (alice, bob, carol) == tuple(friends)


async def test_the_last_one_gives_the_group_up() -> None:
    async with channel(ALICE, BOB) as (call, (alice, bob)):
        bob.leave()
        assert alice.told[-3:-1] == [
            (Op.DAVE_PREPARE_EPOCH, {"protocol_version": 1, "epoch": 1}),
            (Op.DAVE_MLS_EXTERNAL_SENDER, alice.told[-2][1]),
        ]
        assert alice.told[-1] == (Op.DAVE_PREPARE_TRANSITION, {"protocol_version": 1, "transition_id": 0})
        await until(lambda: alice.epoch is None)
        assert not call.group.established
        await agreed(call, [alice, Friend(call, BOB)])


async def test_one_without_dave_brings_all_down_until_he_goes() -> None:
    async with channel(ALICE, BOB) as (call, (alice, bob)):
        encrypted = alice.say()
        dan = Friend(call, DAN, supports=False)
        assert call.version_for(supports=True) == 0
        await until(lambda: alice.version == bob.version == 0)
        assert bob.open(ALICE, OPUS) == (OPUS, False)
        assert bob.open(ALICE, encrypted) == (OPUS, True), "what was under way is still understood"
        assert dan.open(ALICE, OPUS).opus == OPUS
        assert dan.open(ALICE, encrypted).opus is None

        dan.leave()
        assert call.version_for(supports=True) == 1
        await agreed(call, [alice, bob])
        assert alice.open(BOB, OPUS).opus == OPUS, "frames in clear may be under way for ten seconds"


@pytest.mark.parametrize("op", [Op.DAVE_MLS_WELCOME, Op.DAVE_MLS_ANNOUNCE_COMMIT_TRANSITION])
async def test_who_cannot_process_a_message_is_removed_and_added_again(op: Op) -> None:
    async with channel(ALICE, BOB) as (call, (alice, bob)):
        if op is Op.DAVE_MLS_WELCOME:
            victim = carol = Friend(call, CAROL)
        else:
            victim, carol = bob, Friend(call, CAROL)
        victim.tampers[op] = bytes(8)
        await agreed(call, [alice, bob, carol])
        assert call.invalid == [victim.user_id]
        assert victim.tampers == {}


async def test_a_group_whose_members_all_fail_is_made_anew() -> None:
    call = Call(ExternalSender(), CHANNEL)
    alice, bob = Friend(call, ALICE), Friend(call, BOB)
    for friend in (alice, bob):
        friend.tampers = {Op.DAVE_MLS_WELCOME: bytes(8), Op.DAVE_MLS_ANNOUNCE_COMMIT_TRANSITION: bytes(8)}
    await agreed(call, [alice, bob])
    assert set(call.invalid) == {ALICE, BOB}
    call.close()


async def test_a_transition_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transitions, "READY_TIMEOUT_S", 0.05)

    class Deaf(Friend):
        def _take(self, op: Op, data: Any) -> None:
            if op is not Op.DAVE_PREPARE_TRANSITION:
                super()._take(op, data)

    call = Call(ExternalSender(), CHANNEL)
    alice, deaf = Friend(call, ALICE), Deaf(call, BOB)
    await agreed(call, [alice, deaf])
    Friend(call, DAN, supports=False)
    await until(lambda: alice.version == 0)
    assert deaf.ops(Op.DAVE_EXECUTE_TRANSITION)
    call.close()


async def test_what_does_not_belong_to_a_member_is_refused() -> None:
    async with channel(ALICE, BOB) as (call, (alice, bob)):
        epoch, leaves = call.group.epoch, list(call.group.leaves)
        call.refused.clear()
        call.take_commit(ALICE, b"")
        call.take_commit(DAN, b"")
        call.take_key_package(ALICE, b"\0\1\0\2garbage")
        foreign = Friend(Call(ExternalSender(), CHANNEL), CAROL)
        package = foreign.call.members[CAROL].key_package
        assert package is not None
        call.take_key_package(ALICE, package.data)
        assert len(call.refused) == 3
        assert (call.group.epoch, call.group.leaves) == (epoch, leaves)
        await agreed(call, [alice, bob])


async def test_a_key_package_is_read_with_or_without_its_wrapper() -> None:
    call = Call(ExternalSender(), CHANNEL)
    Friend(call, BOB)
    package = call.members[BOB].key_package
    assert package is not None
    assert read_key_package(b"\0\1\0\5" + package.data) == package
    assert package.user_id == BOB


@given(st.binary(max_size=400))
def test_reading_refuses_what_is_malformed_and_nothing_else_happens(data: bytes) -> None:
    for read in (read_key_package, split_commit_welcome):
        with pytest.raises(MalformedError):
            read(data)
    with pytest.raises(MalformedError):
        welcome_for(data, read_key_package(_package()))


@given(st.integers(0, 70_000))
def test_a_vector_is_read_as_it_was_written(size: int) -> None:
    reader = Reader(vector(bytes(size)) + b"rest")
    assert reader.vector() == bytes(size)
    assert reader.rest == b"rest"


def test_a_frame_is_known_to_be_encrypted_by_its_end() -> None:
    assert is_encrypted(bytes(12) + b"\xfa\xfa")
    assert not is_encrypted(b"\xfa\xfa")
    assert not is_encrypted(OPUS)


def _package() -> bytes:
    leaf = (
        vector(b"e") + vector(b"s") + b"\0\1" + vector(bytes(8)) + vector(b"") * 5 + b"\2" + vector(b"") * 2
    )
    return b"\0\1\0\2" + vector(b"i") + leaf + vector(b"") * 2
