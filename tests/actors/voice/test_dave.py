"""DAVE on the bot's side, against the delivery service and listeners of the loopback. Nothing on a wire."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from actors.voice.dave import HOLD_S, Dave
from actors.voice.dave_messages import DaveStatus, Op
from loopback.dave.participant import is_encrypted
from loopback.voice.protocol import Op as ServerOp
from tests.actors.voice.in_call import (
    ALICE,
    BOT,
    CAROL,
    CHANNEL,
    DAN,
    OPUS,
    call,
    playing,
    shared,
)

pytestmark = pytest.mark.anyio


async def test_frames_are_called_for_as_soon_as_there_are_keys() -> None:
    async with call(joined=False) as port:
        port.add(ALICE)
        frames: list[bytes | None] = []
        port.dave.on_keys = lambda: frames.append(port.dave.protect(OPUS))
        port.join()
        assert port.dave.protect(OPUS) is None
        assert not port.dave.settled
        while not frames:  # noqa: ASYNC110 - the call speaks by callbacks of the loop
            await asyncio.sleep(0)
        assert frames[0] is not None
        assert is_encrypted(frames[0])
        assert port.dave.settled


async def test_a_key_package_is_used_once() -> None:
    async with call() as port:
        first = port.packages
        assert port.dave.receive(Op.PREPARE_EPOCH, {"protocol_version": 1, "epoch": 1}) != first


async def test_alone_frames_leave_as_they_are() -> None:
    async with call() as port:
        assert port.dave.protect(OPUS) == OPUS
        assert port.status == DaveStatus(version=1)


async def test_frames_wait_for_the_group_and_then_only_members_can_read_them() -> None:
    async with call() as port:
        port.receive(Op.CLIENTS_CONNECT, {"user_ids": [str(BOT), str(ALICE)]})
        assert port.dave.protect(OPUS) is None
        alice = port.add(ALICE)
        await playing(port, lambda: shared(port, 1, alice))
        assert alice.open(BOT, port.dave.protect(OPUS) or b"") == (OPUS, True)


async def test_frames_wait_before_the_voice_server_has_said_who_is_there() -> None:
    dave = Dave(BOT, CHANNEL, frozenset({ALICE}))
    dave.receive(Op.SESSION_DESCRIPTION, {"dave_protocol_version": 1})
    assert dave.protect(OPUS) is None


async def test_frames_do_not_wait_for_ever() -> None:
    async with call() as port:
        port.receive(Op.CLIENTS_CONNECT, {"user_ids": [str(ALICE)]})
        port.now += HOLD_S
        assert port.dave.protect(OPUS) == OPUS


async def test_those_who_stay_lose_nothing_while_others_come_and_go() -> None:
    async with call() as port:
        alice = port.add(ALICE, latency_s=0.02)  # learns of everything later than the bot
        await playing(port, lambda: shared(port, 1, alice))
        carol = port.add(CAROL, latency_s=0.01)
        await playing(port, lambda: shared(port, 2, alice, carol), alice)
        assert is_encrypted(port.dave.protect(OPUS) or b"")
        port.remove(carol)
        await playing(port, lambda: shared(port, 3, alice), alice)
        assert (alice.failed, alice.in_clear) == (0, 0)
        assert carol.open(BOT, port.dave.protect(OPUS) or b"").opus is None
        assert ServerOp.DAVE_EXECUTE_TRANSITION in [op for op, _ in port.told]


async def test_who_is_left_alone_gives_the_group_up_and_makes_another() -> None:
    async with call() as port:
        alice = port.add(ALICE)
        await playing(port, lambda: shared(port, 1, alice))
        port.remove(alice)
        await playing(port, lambda: port.status.epoch is None)
        assert port.dave.protect(OPUS) == OPUS
        alice = port.add(ALICE)
        await playing(port, lambda: shared(port, 1, alice))


async def test_an_invalid_commit_is_reported_and_the_bot_added_again_without_a_hole() -> None:
    async with call() as port:
        alice = port.add(ALICE)
        await playing(port, lambda: shared(port, 1, alice))
        port.spoil[ServerOp.DAVE_MLS_ANNOUNCE_COMMIT_TRANSITION] = bytes(8)
        carol = port.add(CAROL)
        await playing(port, lambda: shared(port, port.call.group.epoch, alice, carol), alice)
        assert (port.status.recoveries, port.call.invalid, port.spoil) == (1, [BOT], {})


async def test_an_invalid_welcome_is_reported_until_there_is_one_that_is_good() -> None:
    async with call(joined=False) as port:
        alice, carol = port.add(ALICE), port.add(CAROL)
        await playing(port, lambda: port.call.group.established)
        port.spoil[ServerOp.DAVE_MLS_WELCOME] = bytes(8)
        port.join()
        assert port.dave.protect(OPUS) is None
        await playing(port, lambda: port.status.recoveries == 1)
        port.spoil[ServerOp.DAVE_MLS_WELCOME] = bytes(8)
        await playing(port, lambda: shared(port, port.call.group.epoch, alice, carol), alice)
        assert (port.status.recoveries, port.call.invalid, port.spoil) == (2, [BOT, BOT], {})
        assert port.answered.count(Op.MLS_KEY_PACKAGE) == 3


async def test_a_group_that_is_made_anew_takes_over_without_a_hole() -> None:
    async with call() as port:
        alice, carol = port.add(ALICE), port.add(CAROL)
        await playing(port, lambda: shared(port, port.call.group.epoch, alice, carol))
        former = port.status.privacy_code
        port.receive(Op.PREPARE_EPOCH, {"protocol_version": 1, "epoch": 1})
        assert port.status.privacy_code == former
        await playing(
            port,
            lambda: shared(port, port.call.group.epoch, alice, carol) and port.status.privacy_code != former,
            alice,
        )


async def test_one_without_dave_brings_the_channel_down_and_leaves_it_whole_again() -> None:
    async with call() as port:
        alice = port.add(ALICE)
        await playing(port, lambda: shared(port, 1, alice))
        dan = port.add(DAN, supports=False)
        await playing(port, lambda: port.status == DaveStatus(), alice)
        assert port.dave.protect(OPUS) == OPUS
        assert dan.open(BOT, OPUS).opus == OPUS
        port.remove(dan)
        await playing(port, lambda: port.status.version == 1 and shared(port, 1, alice), alice)


async def test_a_version_that_is_not_known_is_not_spoken() -> None:
    dave = Dave(BOT, CHANNEL)
    assert dave.receive(Op.SESSION_DESCRIPTION, {"dave_protocol_version": 2}) == []
    assert dave.status() == DaveStatus()
    assert dave.protect(OPUS) == OPUS


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 1 << 70) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["transition_id", "protocol_version", "epoch", "user_ids", "user_id"]), inner
        )
    ),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([*Op]), st.binary(max_size=80) | _JSON), max_size=12))
def test_nothing_that_a_server_sends_stops_the_frames(messages: list[tuple[Op, Any]]) -> None:
    moments = iter(range(1000))
    dave = Dave(BOT, CHANNEL, now=lambda: 60.0 * next(moments))
    dave.receive(Op.SESSION_DESCRIPTION, {"dave_protocol_version": 1})
    for op, data in messages:
        dave.receive(op, data)
        assert dave.protect(OPUS) == OPUS
