"""DAVE on the whole link: by the voice gateway's websocket and over UDP, heard by listeners with keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors.voice import LinkState, VoiceError, dave
from loopback.listening.report import longest_gap_ms
from loopback.voice.protocol import CloseCode, DavePolicy, Op, VoiceSettings
from tests.actors.voice.conftest import BOT, GUILD, numbers_of

if TYPE_CHECKING:
    from loopback.listening.listener import Listener
    from tests.actors.voice.conftest import House

pytestmark = pytest.mark.anyio

ALICE, CAROL, DAN = 400, 401, 402


def lost(listener: Listener) -> int:
    """Frames that the listener never heard, of those between the first and the furthest that it did."""
    heard = numbers_of(listener.frames)  # it may have stopped listening while some were sent again
    return max(heard) - heard[0] + 1 - len(set(heard))


async def agreed(house: House, link: Any, *users: int) -> None:
    """Bot and users have the same keys, and nobody has them besides."""
    calls = house.voice.calls

    def same() -> bool:
        group = calls.of(GUILD).call.group  # type: ignore[union-attr]
        codes = {calls.participant(GUILD, user).privacy_code for user in users}
        codes.add(link.status().dave.privacy_code)
        return set(group.members) == {BOT, *users} and len(codes) == 1 and None not in codes

    await house.until(same)


async def test_who_stays_hears_all_while_others_come_and_go(open_house: Any) -> None:
    settings = VoiceSettings(dave=DavePolicy.REQUIRED, dave_latency_ms=30)
    async with open_house(settings=settings) as house:
        house.voice.user_joined(GUILD, ALICE)
        alice = house.voice.ears(GUILD, ALICE)
        link = await house.connect()
        house.play()
        await agreed(house, link, ALICE)
        participant = house.voice.calls.participant(GUILD, ALICE)
        await alice.wait_frames(5, 5.0)
        before = participant.failed  # of the first frames: bot and listener do not get their keys at once
        carol = house.voice.ears(GUILD, CAROL)
        house.voice.user_joined(GUILD, CAROL)
        await agreed(house, link, ALICE, CAROL)
        await carol.wait_frames(10, 5.0)
        house.voice.user_left(GUILD, CAROL)
        await agreed(house, link, ALICE)
        await alice.wait_frames(alice.heard + 10, 5.0)

        assert (lost(alice), participant.failed, participant.in_clear) == (0, before, 0)
        assert before <= 5  # what leaves while the listener's keys are under way for 30 ms, of a busy machine
        assert longest_gap_ms(alice.frames) < 1000  # of a busy machine; the bench states figures
        assert all(frame.encrypted for frame in alice.frames)
        assert (link.status().dave.epoch, link.status().dave.recoveries) == (3, 0)
        assert link.status().identifies == 1


async def test_a_fresh_session_waits_for_its_keys_and_loses_nothing(open_house: Any) -> None:
    """Keys that are in force only when all say that they are ready: whoever comes first is no exception."""
    async with open_house(settings=VoiceSettings(dave_first_at_once=False)) as house:
        for user in (ALICE, CAROL):
            house.voice.user_joined(GUILD, user)
        alice = house.voice.ears(GUILD, ALICE)
        link = await house.connect()
        house.play()
        await alice.wait_frames(10, 5.0)
        house.voice.close(GUILD, BOT, CloseCode.SESSION_INVALID)
        await house.until(lambda: link.status().identifies == 2)
        await agreed(house, link, ALICE, CAROL)
        await alice.wait_frames(alice.heard + 10, 5.0)
        assert lost(alice) == 0
        assert all(frame.encrypted for frame in house.listener.frames)


async def test_a_websocket_that_is_half_open_before_it_has_brought_the_keys_is_given_up_soon(
    open_house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chaos, seed 21: for ten seconds frames left that nobody could understand."""
    monkeypatch.setattr("actors.voice.session.KEYS_BEAT_S", 0.2)
    async with open_house(settings=VoiceSettings(dave_latency_ms=100)) as house:
        house.guild.channel(200).voice_states[ALICE] = None
        house.voice.user_joined(GUILD, ALICE)
        link = await house.connect()
        house.voice.silence({GUILD})
        house.voice.calls.participant(GUILD, ALICE).latency_s = 0.0
        house.play()
        await house.listener.wait_frames(10, 5.0)
        assert (link.status().identifies, link.status().resumes) == (2, 0)
        assert house.heard()[0] == 0
        assert lost(house.listener) == 0
        assert all(frame.encrypted for frame in house.listener.frames)


async def test_what_a_websocket_has_missed_of_the_group_is_replayed_by_the_resume(open_house: Any) -> None:
    async with open_house() as house:
        house.voice.user_joined(GUILD, ALICE)
        link = await house.connect()
        house.play()
        await agreed(house, link, ALICE)
        await house.listener.wait_frames(5, 5.0)
        house.voice.reset(GUILD, BOT)
        house.voice.user_joined(GUILD, CAROL)
        await agreed(house, link, ALICE, CAROL)
        await house.listener.wait_frames(house.listener.heard + 10, 5.0)
        assert (link.status().identifies, link.status().resumes) == (1, 1)
        assert (lost(house.listener), link.status().dave.recoveries) == (0, 0)


async def test_the_link_lives_through_whatever_the_server_sends_and_through_versions(open_house: Any) -> None:
    async with open_house() as house:
        house.voice.user_joined(GUILD, ALICE)
        link = await house.connect()
        house.play()
        await agreed(house, link, ALICE)
        session = house.voice.session(GUILD, BOT)
        for op in (op for op in Op if op >= Op.DAVE_PREPARE_TRANSITION):
            for rubbish in (b"", b"\0", bytes(200), None, "x", {"transition_id": "x", "epoch": None}):
                session.send_numbered(op, rubbish)
        await house.listener.wait_frames(house.listener.heard + 10, 5.0)
        await agreed(house, link, ALICE)  # added again, as the rubbish was no good commit

        house.voice.user_joined(GUILD, DAN, dave=False)
        await house.until(lambda: link.status().dave.version == 0)
        await house.until(lambda: not house.listener.frames[-1].encrypted)
        house.voice.user_left(GUILD, DAN)
        await agreed(house, link, ALICE)
        await house.until(lambda: house.listener.frames[-1].encrypted)
        assert (link.state, link.status().identifies, link.status().resumes) == (LinkState.READY, 1, 0)
        assert link.status().dave.recoveries > 0
        assert lost(house.listener) == 0


async def test_without_dave_a_server_that_requires_it_is_given_up_at_once(
    open_house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dave, "MAX_PROTOCOL_VERSION", 0)
    async with open_house(settings=VoiceSettings(dave=DavePolicy.REQUIRED)) as house:
        with pytest.raises(VoiceError) as raised:
            await house.connect()
        assert raised.value.code == CloseCode.DAVE_REQUIRED


async def test_another_server_and_another_channel_have_groups_of_their_own(open_house: Any) -> None:
    async with open_house() as house:
        house.voice.user_joined(GUILD, ALICE)
        link = await house.connect()
        house.play()
        await agreed(house, link, ALICE)
        await house.listener.wait_frames(5, 5.0)
        codes = [link.status().dave.privacy_code]

        house.guild.serve()  # another voice server, as each new token is for the next
        await house.until(lambda: link.status().identifies == 2)
        await agreed(house, link, ALICE)
        await house.listener.wait_frames(house.listener.heard + 5, 5.0)
        codes.append(link.status().dave.privacy_code)

        house.guild.place(201)
        house.guild.serve()
        house.voice.user_left(GUILD, ALICE)
        house.voice.user_joined(GUILD, CAROL)
        await house.until(lambda: link.status().identifies == 3)
        await agreed(house, link, CAROL)
        await house.listener.wait_frames(house.listener.heard + 5, 5.0)
        codes.append(link.status().dave.privacy_code)

        assert len(set(codes)) == 3
        assert lost(house.listener) == 0
        assert all(frame.encrypted for frame in house.listener.frames)


async def test_a_server_that_is_told_before_its_channel_is_gone_to_again(open_house: Any) -> None:
    """No order is promised; the group is that of the channel, with whose id it is made."""
    async with open_house() as house:
        house.voice.user_joined(GUILD, ALICE)
        link = await house.connect()
        house.play()
        await agreed(house, link, ALICE)
        await house.listener.wait_frames(5, 5.0)
        house.guild.serve(201)
        await house.until(lambda: link.status().identifies == 2)
        house.guild.place(201)
        await house.until(lambda: link.status().identifies == 3)
        await agreed(house, link, ALICE)
        await house.listener.wait_frames(house.listener.heard + 5, 5.0)
        assert link.channel_id == 201
        assert lost(house.listener) == 0
        assert house.listener.frames[-1].encrypted
