"""The link against the voice server: join, play, faults of the websocket, words of the main gateway."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import anyio
import pytest

from actors.voice import (
    Closed,
    Ended,
    Failed,
    Fault,
    Links,
    LinkState,
    Lost,
    Moved,
    Ready,
    RetryPolicy,
    VoiceError,
)
from actors.voice.rtp import AES_GCM, FRAME_SAMPLES, XCHACHA20
from loopback.listening.listener import NoteKind
from loopback.voice.network import Direction, Weather
from loopback.voice.protocol import Op, VoiceSettings
from tests.actors.voice.doubt import unsure

pytestmark = pytest.mark.anyio

House = Any  # conftest.py's, which cannot be imported
BOT, GUILD, CHANNEL, OTHER = 300, 100, 200, 201
#: So quick that a refused attempt costs a test nothing.
QUICK = RetryPolicy(first_s=0.05)


def contiguous(numbers: list[int]) -> bool:
    """Nothing lost, repeated or out of order."""
    return all(later == earlier + 1 for earlier, later in pairwise(numbers))


async def playing(house: House, frames: int = 10) -> Any:
    link = await house.connect()
    house.play()
    await house.listener.wait_frames(frames, 5.0)
    return link


async def goes_on(house: House, frames: int = 10, *, repeated: int = 0) -> None:
    """That many more frames are heard, and all from the first on are in order.

    `repeated`: so many that may have met a dead session may have been sent again.
    """
    await house.listener.wait_frames(house.listener.heard + frames, 5.0)
    heard = house.heard()
    assert heard[0] == 0
    assert all(later <= earlier + 1 for earlier, later in pairwise(heard))  # nothing lost
    assert len(heard) - len(set(heard)) <= repeated


# --- join, play, leave ---


@pytest.mark.parametrize("mode", [AES_GCM, XCHACHA20])
async def test_what_is_played_is_heard_in_either_mode(open_house: Any, mode: str) -> None:
    async with open_house(settings=VoiceSettings(modes=(mode,))) as house:
        link = await playing(house, 40)
        frames = house.listener.frames
        assert link.mode == mode
        assert house.events == [Ready()]
        assert all(frame.opus is not None for frame in frames)
        assert all((b.timestamp - a.timestamp) % 2**32 == FRAME_SAMPLES for a, b in pairwise(frames))
        assert all((b.sequence - a.sequence) % 2**16 == 1 for a, b in pairwise(frames))
        assert [frame.nonce for frame in frames] == list(range(len(frames)))
        assert contiguous(house.heard())


async def test_the_preferred_mode_is_chosen_whatever_the_server_offers_first(open_house: Any) -> None:
    async with open_house(settings=VoiceSettings(modes=(XCHACHA20, AES_GCM))) as house:
        assert (await house.connect()).mode == AES_GCM


async def test_no_common_mode_is_said(open_house: Any) -> None:
    async with open_house(settings=VoiceSettings(modes=("xsalsa20_poly1305",)), policy=QUICK) as house:
        with pytest.raises(VoiceError, match="no common encryption mode"):
            await house.connect()
        assert house.guild.voice_client is None


async def test_five_frames_of_silence_follow_the_end(house: House) -> None:
    await house.connect()
    house.play(house.numbers(10))
    await house.until_told(Ended("a", 10))
    frames = await house.listener.wait_frames(15, 5.0)
    assert [frame.silence for frame in frames] == [False] * 10 + [True] * 5
    speaking = await house.listener.wait_note(NoteKind.SPEAKING, 5.0, n=2)
    assert speaking.detail


async def test_speaking_is_said_with_the_first_frame(house: House) -> None:
    house.play()
    await house.connect()
    frames = await house.listener.wait_frames(3, 5.0)  # the first ones may overtake: another socket
    assert house.listener.noted(NoteKind.SPEAKING)[0].at_ns <= frames[2].arrival_ns


async def test_a_leave_on_purpose_is_awaited(house: House) -> None:
    link = await playing(house)
    await house.links.disconnect(GUILD)
    assert house.guild.present is None
    assert house.guild.voice_client is None
    assert link.state is LinkState.CLOSED
    assert house.events[-1] == Closed(1000, "left on purpose", Fault.LEFT)
    assert house.links.link(GUILD) is None


async def test_without_a_link_the_position_stands_still(house: House) -> None:
    house.play()
    await anyio.sleep(0.1)
    assert house.clock.stream(GUILD).status().position == 0
    await house.connect()
    await goes_on(house)


async def test_connecting_twice_at_once_makes_one_link(house: House) -> None:
    links = []

    async def connect() -> None:
        links.append(await house.connect())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(connect)
        tasks.start_soon(connect)
    assert links[0] is links[1]
    assert house.guild.op4 == [CHANNEL]


async def test_a_leave_during_connect_ends_both(house: House) -> None:
    house.guild.answers = False
    async with anyio.create_task_group() as tasks:

        async def connect() -> None:
            with pytest.raises(VoiceError, match="left on purpose"):
                await house.connect()

        tasks.start_soon(connect)
        await house.until(lambda: house.guild.op4 == [CHANNEL])
        house.guild.answers = True
        await house.links.disconnect(GUILD)
    assert house.guild.voice_client is None


async def test_a_missing_permission_is_said_at_once(house: House) -> None:
    house.guild.channel(CHANNEL).allowed["speak"] = False
    with pytest.raises(VoiceError, match="no permission to speak"):
        await house.connect()
    assert house.guild.op4 == []


async def test_a_full_channel_is_said_at_once(house: House) -> None:
    channel = house.guild.channel(CHANNEL)
    channel.members, channel.user_limit = ["somebody", "else"], 2
    with pytest.raises(VoiceError, match="is full"):
        await house.connect()
    channel.allowed["move_members"] = True
    await house.connect()


async def test_a_main_gateway_that_does_not_answer_ends_the_attempt(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.voice.link.LEAVE_TIMEOUT_S", 0.05)
    house.guild.answers = False
    with pytest.raises(VoiceError):
        await house.connect(timeout_s=0.2)
    assert house.guild.voice_client is None
    house.guild.answers = True
    await house.connect()


async def test_links_that_do_not_run_say_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.voice.links._START_TIMEOUT_S", 0.05)
    idle = Links(house.clock, lambda: None)  # type: ignore[arg-type, return-value]  # never called
    with pytest.raises(VoiceError, match="not running"):
        await idle.connect(house.guild.channel(CHANNEL), on_event=house.events.append)


# --- faults of the websocket ---


@pytest.mark.parametrize("code", [4006, 4009])
async def test_a_dead_session_is_replaced_at_once_without_leaving(house: House, code: int) -> None:
    link = await playing(house)
    house.voice.close(GUILD, BOT, code)
    await house.until(lambda: house.events[1:] and house.events[-1] == Ready())
    await goes_on(house, repeated=unsure(house.clock, GUILD))
    assert isinstance(house.events[1], Lost)
    assert not house.events[1].resumable
    assert link.status().identifies == 2
    assert house.guild.op4 == [CHANNEL]
    assert link.close_code == code
    assert house.voice.strays <= unsure(house.clock, GUILD)


@pytest.mark.parametrize("code", [4015, 1001])
async def test_a_living_session_is_resumed_while_frames_go_on(house: House, code: int) -> None:
    link = await playing(house)
    house.voice.close(GUILD, BOT, code)
    await house.listener.wait_note(NoteKind.RESUMED, 5.0)
    await goes_on(house)
    frames = house.listener.frames
    assert all((b.timestamp - a.timestamp) % 2**32 == FRAME_SAMPLES for a, b in pairwise(frames))
    assert {frame.session for frame in frames} == {1}
    assert (link.status().identifies, link.status().resumes) == (1, 1)
    assert house.guild.op4 == [CHANNEL]


async def test_a_tcp_reset_is_resumed(house: House) -> None:
    link = await playing(house)
    house.voice.reset(GUILD, BOT)
    await house.listener.wait_note(NoteKind.RESUMED, 5.0)
    await goes_on(house)
    assert link.close_code == 1006
    assert {frame.session for frame in house.listener.frames} == {1}


async def test_a_resume_that_is_refused_becomes_an_identify(house: House) -> None:
    link = await playing(house)
    house.voice.close(GUILD, BOT, 4015, keep_session=False)
    await house.until(lambda: link.status().identifies == 2)
    await house.listener.wait_frames(house.listener.heard + 10, 5.0)
    assert house.guild.op4 == [CHANNEL]


async def test_a_token_that_is_no_longer_good_is_renewed(house: House) -> None:
    link = await playing(house)
    house.voice.issue(GUILD, CHANNEL, BOT, "another")  # the one that the link has is void
    house.voice.close(GUILD, BOT, 4006)
    await house.until(lambda: link.status().identifies == 2)
    await goes_on(house, repeated=unsure(house.clock, GUILD))
    assert house.guild.op4 == [CHANNEL, CHANNEL]


async def test_without_new_credentials_the_link_leaves_and_joins_again(house: House) -> None:
    link = await playing(house)
    house.guild.refreshes = False
    house.voice.issue(GUILD, CHANNEL, BOT, "another")
    house.voice.close(GUILD, BOT, 4006)
    await house.until(lambda: link.status().identifies == 2)
    await goes_on(house, repeated=unsure(house.clock, GUILD))
    assert house.guild.op4 == [CHANNEL, CHANNEL, None, CHANNEL]


async def test_refused_attempts_are_bounded(open_house: Any) -> None:
    policy = RetryPolicy(attempts=3, first_s=0.01)
    async with open_house(policy=policy) as house:
        link = await playing(house, 20)
        house.client.session_id = "unknown to the voice server"  # every identify will be refused
        house.voice.issue = lambda *_: "a token that is not good"
        house.voice.close(GUILD, BOT, 4004)
        await house.until(lambda: link.state is LinkState.CLOSED)
        assert link.status().failures == 3
        assert "gave up after 3 attempts" in house.events[-1].reason
        assert house.guild.voice_client is None
        assert house.clock.stream(GUILD).status().position >= 20 - unsure(house.clock, GUILD)


async def test_a_fatal_code_closes_with_a_reason(house: House) -> None:
    link = await playing(house)
    house.voice.close(GUILD, BOT, 4021)
    await house.until(lambda: link.state is LinkState.CLOSED)
    assert house.events[-1] == Closed(4021, "disconnected for rate limiting")
    assert house.guild.op4 == [CHANNEL]
    for _ in range(2):
        await house.links.vacate(GUILD)  # whoever is not to come back does not stay in the channel either
    assert house.guild.op4 == [CHANNEL, None]
    await house.connect()
    await house.links.vacate(GUILD)
    assert house.guild.op4 == [CHANNEL, None, CHANNEL], "a link has its own ways to end"


async def test_a_half_open_websocket_is_noticed_and_resumed(open_house: Any) -> None:
    async with open_house(
        settings=VoiceSettings(heartbeat_interval_ms=100.0, heartbeat_grace=100.0)
    ) as house:
        link = await playing(house)
        house.voice.conditions.unacknowledged.append(None)
        await house.listener.wait_note(NoteKind.RESUMED, 5.0)
        house.voice.conditions.unacknowledged.clear()
        await goes_on(house)
        assert link.close_code == 1006
        assert {frame.session for frame in house.listener.frames} == {1}


async def test_whether_the_websocket_answers_is_known_soon_after_somebody_has_come(
    open_house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next heartbeat would be due in 5 s."""
    monkeypatch.setattr("actors.voice.session.ACK_S", 0.1)
    monkeypatch.setattr("actors.voice.session._SURE_S", 0.0)
    monkeypatch.setattr("actors.voice.links._SWEEP_S", 0.02)
    async with open_house() as house:
        link = await playing(house)
        await house.until(lambda: link.unanswered_s is None)
        house.voice.conditions.unacknowledged.append(None)
        link.ask_after()
        await house.listener.wait_note(NoteKind.RESUMED, 2.0)
        house.voice.conditions.unacknowledged.clear()
        await goes_on(house)
        assert {frame.session for frame in house.listener.frames} == {1}


async def test_a_heartbeat_names_the_last_message_that_came(open_house: Any) -> None:
    settings = VoiceSettings(heartbeat_interval_ms=50.0, heartbeat_grace=100.0)
    async with open_house(settings=settings) as house:
        await house.connect()
        session = house.voice.session(GUILD, BOT)
        for data in ({"user_id": "1", "ssrc": 1, "speaking": 0}, b"binary"):
            session.send_numbered(Op.SPEAKING, data)
            last = session.sequence
            await house.until(lambda last=last: session.acknowledged == last)
        house.voice.reset(GUILD, BOT)
        await house.listener.wait_note(NoteKind.RESUMED, 5.0)
        session.acknowledged = -1
        await house.until(lambda: session.acknowledged == session.sequence)


# --- words of the main gateway ---


async def test_a_websocket_that_opens_within_a_round_trip_waits_for_the_former_session(house: House) -> None:
    """It was asked whether it lives: frames that arrived are not sent again for want of its answer."""
    house.voice.conditions.network.rules.append(Weather(Direction.BOTH, delay_ms=12.0))
    link = await playing(house, 60)
    house.guild.serve()
    await house.until(lambda: link.status().identifies == 2)
    await goes_on(house, repeated=unsure(house.clock, GUILD))


async def test_a_server_that_is_gone_is_waited_for(house: House) -> None:
    link = await playing(house)
    house.guild.lose_server()
    await house.until(lambda: link.state is LinkState.RECONNECTING)
    await anyio.sleep(1.0)  # longer than for a bare 4014
    assert house.guild.op4 == [CHANNEL]
    house.guild.serve()
    await house.until(lambda: link.status().identifies == 2, 0.6)
    await goes_on(house, repeated=unsure(house.clock, GUILD))
    assert house.guild.op4 == [CHANNEL]


async def test_a_server_that_is_gone_for_good_is_asked_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.voice.link.GONE_TIMEOUT_S", 0.1)
    link = await playing(house)
    house.guild.lose_server()
    await house.until(lambda: link.status().identifies == 2)
    await goes_on(house, repeated=unsure(house.clock, GUILD))
    assert house.guild.op4 == [CHANNEL, CHANNEL]


async def test_a_bare_4014_is_settled_by_asking_for_a_new_server(house: House) -> None:
    link = await playing(house)
    channel = house.guild.channel(CHANNEL)
    channel.voice_states = {400: None}  # that somebody has come is no word about it
    house.voice.close(GUILD, BOT, 4014)
    await house.until(lambda: link.state is LinkState.RECONNECTING)
    channel.voice_states = {}
    await house.until(lambda: link.status().identifies == 2, 4.0)
    await goes_on(house, repeated=unsure(house.clock, GUILD))
    assert house.guild.op4 == [CHANNEL, CHANNEL]


async def test_a_kick_is_waited_for_also_with_the_credentials_of_a_new_main_session(house: House) -> None:
    link = await playing(house)
    await link.standing.affirm()  # they are kept for later
    asked = list(house.guild.op4)
    house.voice.revoke(GUILD, BOT)
    await house.until(lambda: any(isinstance(event, Failed) for event in house.events))
    await anyio.sleep(0.4)
    house.guild.place(None)  # the main gateway's word comes last
    await house.until(lambda: link.state is LinkState.CLOSED)
    assert house.events[-1] == Closed(4014, "disconnected from the channel", Fault.KICKED)
    assert house.guild.op4 == asked, "not even for a moment"


@pytest.mark.parametrize("code", [4014, 4022])
async def test_a_closure_with_a_new_server_takes_the_fast_path(house: House, code: int) -> None:
    link = await playing(house)
    house.voice.close(GUILD, BOT, code)
    await house.until(lambda: link.state is LinkState.RECONNECTING)
    house.guild.serve()
    await house.until(lambda: link.status().identifies == 2, 0.6)
    await goes_on(house, repeated=unsure(house.clock, GUILD))
    assert house.guild.op4 == [CHANNEL]


async def test_a_new_server_alone_takes_the_fast_path(house: House) -> None:
    link = await playing(house)
    house.guild.serve()
    await house.until(lambda: link.status().identifies == 2)
    await goes_on(house, repeated=unsure(house.clock, GUILD))
    assert house.guild.op4 == [CHANNEL]


async def test_a_kick_ends_the_link(house: House) -> None:
    link = await playing(house)
    house.guild.place(None)
    house.voice.revoke(GUILD, BOT)
    await house.until(lambda: link.state is LinkState.CLOSED)
    await anyio.sleep(0.1)
    assert house.events[-1] == Closed(4014, "disconnected from the channel", Fault.KICKED)
    assert house.guild.op4 == [CHANNEL]
    assert house.guild.voice_client is None


async def test_a_kick_that_only_the_client_heard_of_ends_the_link(house: House) -> None:
    """Chaos, seed 5: the client had just been replaced, and the link was not registered yet."""
    link = await playing(house)
    house.links.hear(GUILD, None)
    assert house.links.link(GUILD) is link, "who is registered hears for itself"
    house.guild.voice_client = None
    house.guild.place(None)
    house.links.hear(GUILD, None)
    house.voice.revoke(GUILD, BOT)
    await house.until(lambda: link.state is LinkState.CLOSED)
    assert house.links.end_of(GUILD) == Closed(4014, "disconnected from the channel", Fault.KICKED)
    assert house.guild.op4 == [CHANNEL]
    await house.connect()
    assert house.links.end_of(GUILD) is None
    await house.links.disconnect(GUILD)
    assert house.links.end_of(GUILD) is None


async def test_a_move_that_nobody_told_is_seen_in_the_next_main_session(
    open_house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chaos, seed 21: while the main gateway was identified anew an administrator moved the bot."""
    monkeypatch.setattr("actors.voice.links._SWEEP_S", 0.02)
    session = ["first"]
    async with open_house(main_sessions=lambda: session[0]) as house:
        link = await playing(house)
        house.guild.voice_client = None
        house.guild.place(OTHER)
        session[0] = "second"
        await house.until(lambda: link.status().identifies == 2)
        await goes_on(house, repeated=unsure(house.clock, GUILD))
        assert (link.channel_id, house.guild.present) == (OTHER, OTHER)
        assert Moved(OTHER) in house.events
        assert house.guild.op4 == [CHANNEL, OTHER]


async def test_being_moved_is_told_and_followed(house: House) -> None:
    link = await playing(house)
    house.guild.place(OTHER)
    house.guild.serve()
    await house.until(lambda: link.status().identifies == 2)
    await goes_on(house, repeated=unsure(house.clock, GUILD))
    assert link.channel_id == OTHER
    assert Moved(OTHER) in house.events


async def test_connecting_to_another_channel_moves_the_link(house: House) -> None:
    link = await playing(house)
    assert await house.connect(OTHER) is link
    await house.until(lambda: link.status().identifies == 2)
    await goes_on(house, repeated=unsure(house.clock, GUILD))
    assert house.guild.op4 == [CHANNEL, OTHER]


async def test_a_link_that_discord_py_has_forgotten_is_made_known_again(house: House) -> None:
    link = await playing(house)
    house.guild.voice_client = None  # as after op 9 of the main gateway
    await house.until(lambda: house.guild.voice_client is not None, 4.0)
    house.guild.serve()
    await house.until(lambda: link.status().identifies == 2)
    await goes_on(house, repeated=unsure(house.clock, GUILD))


async def test_a_stale_client_is_disposed_of_first(house: House) -> None:
    class Stale:
        async def disconnect(self, *, force: bool) -> None:
            assert force
            await house.guild.change_voice_state(channel=None)

        def cleanup(self) -> None:
            house.guild.voice_client = None

        async def on_voice_state_update(self, data: object) -> None:
            """Hears of its own leave, and does nothing about it."""

    house.guild.place(CHANNEL)
    house.guild.voice_client = Stale()
    await house.connect()
    assert house.guild.op4 == [None, CHANNEL]


async def test_a_stale_client_that_hangs_does_not_hold_up_the_connection(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hanging:
        async def disconnect(self, *, force: bool) -> None:
            await anyio.sleep_forever()

        def cleanup(self) -> None:
            house.guild.voice_client = None

    monkeypatch.setattr("actors.voice.joining._DISPOSE_TIMEOUT_S", 0.05)
    house.guild.voice_client = Hanging()
    await house.connect()
    assert house.guild.op4 == [CHANNEL]


async def test_registrations_are_looked_at_after_a_new_main_session(
    open_house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.voice.links._SWEEP_S", 0.02)
    monkeypatch.setattr("actors.voice.links._TURNS", 1 << 30)
    session = ["first"]
    async with open_house(main_sessions=lambda: session[0]) as house:
        await playing(house)
        await anyio.sleep(0.1)  # some sweeps
        house.guild.voice_client = None
        await anyio.sleep(0.1)
        assert house.guild.voice_client is None
        session[0] = "second"
        await house.until(lambda: house.guild.voice_client is not None)
        await goes_on(house)


# --- owners that come and go ---


async def test_a_successor_claims_the_link_and_nothing_is_heard_of_it(open_house: Any) -> None:
    async with open_house(grace_s=0.2) as house:
        link = await playing(house)
        house.links.release(GUILD)
        told: list[object] = []
        assert house.links.claim(GUILD, on_event=told.append) is link
        await anyio.sleep(1.3)  # a sweep later
        assert link.state is LinkState.READY
        house.voice.close(GUILD, BOT, 4015)
        await house.until(lambda: told[-1:] == [Ready()])
        await goes_on(house)


async def test_a_link_without_an_owner_ends_after_the_grace_time(open_house: Any) -> None:
    async with open_house(grace_s=0.1) as house:
        link = await playing(house)
        house.links.release(GUILD)
        await house.until(lambda: link.state is LinkState.CLOSED, 4.0)
        assert house.guild.present is None


async def test_the_grace_time_of_an_earlier_link_does_not_end_the_next_one(open_house: Any) -> None:
    async with open_house(grace_s=0.3) as house:
        link = await playing(house)
        house.links.release(GUILD)
        link.close(None, "of itself")
        await house.until(lambda: link.state is LinkState.CLOSED)
        following = await house.connect()
        await anyio.sleep(1.3)  # a sweep later
        assert following.state is LinkState.READY


async def test_an_owner_whose_mailbox_is_gone_counts_as_gone(open_house: Any) -> None:
    async with open_house(grace_s=0.1) as house:
        link = await playing(house)

        def gone(_event: object) -> None:
            raise RuntimeError("stopped")

        house.links.claim(GUILD, on_event=gone)
        house.voice.close(GUILD, BOT, 4015)
        await house.until(lambda: link.state is LinkState.CLOSED, 4.0)


async def test_stopping_the_links_ends_them_all(open_house: Any) -> None:
    async with open_house() as house:
        link = await playing(house)
    assert link.state is LinkState.CLOSED
    assert house.events[-1] == Closed(None, "the voice links were stopped", Fault.STOPPED)
    assert house.guild.voice_client is None


async def test_killing_what_drives_the_links_is_not_heard(house: House) -> None:
    link = await playing(house)
    await house.drive()
    await goes_on(house)
    frames = house.listener.frames
    assert all((b.timestamp - a.timestamp) % 2**32 == FRAME_SAMPLES for a, b in pairwise(frames))
    house.voice.close(GUILD, BOT, 4006)  # and the links are driven again
    await house.until(lambda: link.status().identifies == 2)
    await goes_on(house, repeated=unsure(house.clock, GUILD))
    assert house.guild.op4 == [CHANNEL]


async def test_killing_the_driver_during_a_handshake_makes_it_begin_anew(house: House) -> None:
    house.guild.answers = False
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(house.connect)
        await house.until(lambda: house.guild.op4 == [CHANNEL])
        house.guild.answers = True
        await house.drive()
    assert house.links.link(GUILD).state is LinkState.READY
    assert house.guild.op4 == [CHANNEL, CHANNEL]


async def test_a_replaced_client_takes_the_link_over(house: House) -> None:
    link = await playing(house)
    old = house.client
    await old.close()
    house.clients.append(type(old)(house.voice, old.endpoint))
    house.client.session_id = "of the new main session"
    guild = house.client.guild()
    await house.until(lambda: guild.voice_client is not None, 4.0)
    await house.until(lambda: guild.op4 == [CHANNEL])
    await goes_on(house)  # the voice session lives on, and ...
    house.voice.close(GUILD, BOT, 4014)
    await house.until(lambda: link.status().identifies == 2, 0.6)  # ... has its successor's credentials
    await goes_on(house, repeated=unsure(house.clock, GUILD))
    assert old.guild().op4 == [CHANNEL]
    assert guild.op4 == [CHANNEL]
    await house.links.disconnect(GUILD)
    assert guild.op4 == [CHANNEL, None]
