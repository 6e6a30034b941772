"""The voice gateway's websocket, spoken to by a bare client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from aiohttp import ClientSession, WSMsgType, web

from loopback.listening.listener import NoteKind
from loopback.voice.modes import MODES
from loopback.voice.probe import VoiceProbe
from loopback.voice.protocol import CloseCode, DavePolicy, Op, VoiceSettings
from loopback.voice.server import VoiceServer

pytestmark = pytest.mark.anyio

GUILD, CHANNEL, BOT, ALICE = 100, 200, 300, 400
SESSION = "0123456789abcdef"


class House:
    """A voice server behind a web application of its own."""

    def __init__(self, voice: VoiceServer, url: str) -> None:
        self.voice = voice
        self.url = url

    def client(
        self, guild_id: int = GUILD, user_id: int = BOT, *, dave: bool = True, **changes: Any
    ) -> VoiceProbe:
        """A client with a token of its own."""
        token = self.voice.issue(guild_id, CHANNEL, user_id, SESSION, dave=dave)
        identity = {"session_id": SESSION, "token": token} | changes
        return VoiceProbe(self.url, guild_id=guild_id, user_id=user_id, **identity)


@asynccontextmanager
async def open_house(settings: VoiceSettings | None = None) -> AsyncIterator[House]:
    async with VoiceServer(settings=settings) as voice:
        app = web.Application()
        app.router.add_get("/", voice.handle)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield House(voice, f"http://127.0.0.1:{runner.addresses[0][1]}/?v=8")
        finally:
            await runner.cleanup()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as opened:
        yield opened


async def test_the_handshake_leads_to_a_key_of_32_bytes(house: House) -> None:
    async with house.client() as client:
        ready = await client.identify()
        assert ready["modes"] == ["aead_aes256_gcm_rtpsize", "aead_xchacha20_poly1305_rtpsize"]
        assert ready["ip"] == "127.0.0.1"

        described = await client.select(ready["modes"][1], await client.discover())

        assert described["mode"] == ready["modes"][1]
        assert described["dave_protocol_version"] == 0
        assert len(described["secret_key"]) == 32
        assert all(0 <= byte < 256 for byte in described["secret_key"])


async def test_who_supports_dave_gets_it_where_it_is_spoken() -> None:
    wanted = {
        (DavePolicy.ON, True, 0): 0,
        (DavePolicy.ON, True, 1): 1,
        (DavePolicy.ON, False, 1): 0,  # a stage channel
        (DavePolicy.REQUIRED, True, 1): 1,
        (DavePolicy.REQUIRED, False, 0): 0,
        (DavePolicy.OFF, True, 1): 0,
    }
    for (policy, dave, newest), version in wanted.items():
        async with open_house(VoiceSettings(dave=policy)) as house, house.client(dave=dave) as client:
            ready = await client.identify(max_dave_protocol_version=newest)
            described = await client.select(ready["modes"][0], await client.discover())
            assert described["dave_protocol_version"] == version


async def test_a_server_that_requires_dave_turns_others_away_and_takes_no_binary_rubbish() -> None:
    async with open_house(VoiceSettings(dave=DavePolicy.REQUIRED)) as house:
        async with house.client() as client:
            await client.send(Op.IDENTIFY, client.identity)
            assert await client.close_code() == CloseCode.DAVE_REQUIRED
        for message in (b"", bytes([Op.DAVE_MLS_WELCOME]) + b"body"):
            async with house.client() as client:
                await client.identify(max_dave_protocol_version=1)
                await client.websocket.send_bytes(message)
                assert await client.close_code() == CloseCode.UNKNOWN_OPCODE


async def test_hello_comes_first_and_names_the_heartbeat(house: House) -> None:
    async with house.client() as client:
        hello = await client.open()

        assert hello == {"v": 8, "heartbeat_interval": 13750.0}


async def test_a_heartbeat_is_answered_with_its_nonce_even_before_identify(house: House) -> None:
    async with house.client() as client:
        await client.send(Op.HEARTBEAT, {"t": 1501184119561, "seq_ack": -1})

        assert await client.expect(Op.HEARTBEAT_ACK) == {"t": 1501184119561}


async def test_a_heartbeat_says_what_has_come(house: House) -> None:
    async with house.client() as client:
        await client.join()
        session = house.voice.session(GUILD, BOT)
        assert session is not None
        for last in (-1, 0, 1):
            await client.send(Op.HEARTBEAT, {"t": 1, "seq_ack": last})
            assert await client.expect(Op.HEARTBEAT_ACK) == {"t": 1}
            assert session.acknowledged == last
            session.send_numbered(Op.SPEAKING, {})
            await client.expect(Op.SPEAKING)
        session.sequence = 0  # the numbers have gone round: what is far behind is old, not new
        await client.send(Op.HEARTBEAT, {"t": 1, "seq_ack": 65_535})
        await client.expect(Op.HEARTBEAT_ACK)


@pytest.mark.parametrize("beat", [{"t": 1}, {"t": 1, "seq_ack": 0}, {"t": 1, "seq_ack": None}])
async def test_what_was_never_sent_cannot_be_acknowledged(house: House, beat: dict[str, Any]) -> None:
    async with house.client() as client:
        await client.join()
        await client.send(Op.HEARTBEAT, beat)
        assert await client.close_code() == CloseCode.DECODE_ERROR


async def test_before_version_8_the_nonce_of_a_heartbeat_stood_alone() -> None:
    async with open_house(VoiceSettings(versions=frozenset({"4", "8"}))) as house, house.client() as client:
        for nonce in (1501184119561, "1501184119561"):
            await client.websocket.send_str(json.dumps({"op": Op.HEARTBEAT, "d": nonce}))
            answer: object = await client.expect(Op.HEARTBEAT_ACK)
            assert answer == nonce


async def test_without_heartbeats_the_session_times_out() -> None:
    settings = VoiceSettings(heartbeat_interval_ms=25, heartbeat_grace=2)
    async with open_house(settings) as house, house.client() as client:
        await client.join()

        assert await client.close_code() == CloseCode.SESSION_TIMEOUT
        await house.voice.listener(GUILD).wait_note(NoteKind.CLOSED, timeout_s=5)
        assert house.voice.session(GUILD, BOT) is None


async def test_heartbeats_keep_the_session() -> None:
    settings = VoiceSettings(heartbeat_interval_ms=500, heartbeat_grace=2)
    async with open_house(settings) as house, house.client() as client:
        await client.identify()
        for beat in range(8):
            await anyio.sleep(0.15)
            await client.send(Op.HEARTBEAT, {"t": beat, "seq_ack": -1})
            assert await client.expect(Op.HEARTBEAT_ACK) == {"t": beat}


IDENTITY = {"server_id": str(GUILD), "user_id": str(BOT), "session_id": SESSION}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"token": "wrong"}, CloseCode.AUTHENTICATION_FAILED),
        ({"user_id": str(ALICE)}, CloseCode.AUTHENTICATION_FAILED),
        ({"session_id": "another"}, CloseCode.SESSION_INVALID),
        ({"server_id": "999"}, CloseCode.SERVER_NOT_FOUND),
        ({"server_id": "abc"}, CloseCode.DECODE_ERROR),
        ({"server_id": None}, CloseCode.DECODE_ERROR),
    ],
)
async def test_a_wrong_identity_is_refused(house: House, changes: dict[str, Any], code: int) -> None:
    async with house.client() as client:
        await client.send(Op.IDENTIFY, client.identity | changes)

        assert await client.close_code() == code
        assert house.voice.session(GUILD, BOT) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no json", CloseCode.DECODE_ERROR),
        ("[]", CloseCode.DECODE_ERROR),
        ('{"d": {}}', CloseCode.DECODE_ERROR),
        ('{"op": "0", "d": {}}', CloseCode.DECODE_ERROR),
        ('{"op": 3, "d": 7}', CloseCode.DECODE_ERROR),
        ('{"op": 3, "d": "7"}', CloseCode.DECODE_ERROR),
        ('{"op": 0, "d": {}}', CloseCode.DECODE_ERROR),
        ('{"op": 99, "d": {}}', CloseCode.UNKNOWN_OPCODE),
        ('{"op": 1, "d": {}}', CloseCode.NOT_AUTHENTICATED),
        ('{"op": 5, "d": {"speaking": 1}}', CloseCode.NOT_AUTHENTICATED),
    ],
)
async def test_what_is_no_message_closes_with_its_code(house: House, text: str, code: int) -> None:
    async with house.client() as client:
        await client.websocket.send_str(text)

        assert await client.close_code() == code


async def test_a_second_identify_is_refused(house: House) -> None:
    async with house.client() as client:
        await client.identify()
        await client.send(Op.IDENTIFY, client.identity)

        assert await client.close_code() == CloseCode.ALREADY_AUTHENTICATED


@pytest.mark.parametrize(
    ("protocol", "mode", "code"),
    [
        ("smoke signals", next(iter(MODES)), CloseCode.UNKNOWN_PROTOCOL),
        ("udp", "xsalsa20_poly1305", CloseCode.UNKNOWN_ENCRYPTION_MODE),
    ],
)
async def test_unknown_protocols_and_modes_are_refused(
    house: House, protocol: str, mode: str, code: int
) -> None:
    async with house.client() as client:
        await client.identify()
        data = {"address": "127.0.0.1", "port": 1, "mode": mode}
        await client.send(Op.SELECT_PROTOCOL, {"protocol": protocol, "data": data})

        assert await client.close_code() == code


async def test_another_gateway_version_is_refused(house: House) -> None:
    async with ClientSession() as http, http.ws_connect(house.url.replace("v=8", "v=4")) as websocket:
        message = await websocket.receive()

        assert (message.type, message.data) == (WSMsgType.CLOSE, CloseCode.BAD_REQUEST)


async def test_a_new_token_replaces_the_one_before(house: House) -> None:
    first, second = house.client(), house.client()
    async with first, second:
        await first.send(Op.IDENTIFY, first.identity)
        assert await first.close_code() == CloseCode.AUTHENTICATION_FAILED
        await second.identify()


async def test_a_fresh_identify_ends_the_session_before(house: House) -> None:
    async with house.client() as client:
        await client.join()
        before, former = client.ready["ssrc"], client.websocket
        await client.open()
        await client.join()

        assert client.ready["ssrc"] != before
        assert (await former.receive()).data == CloseCode.SESSION_INVALID
        client.frame(b"opus")
        assert (await house.voice.listener(GUILD).wait_frames(1, timeout_s=5))[0].session == 2


async def test_revoke_ends_token_session_and_websocket(house: House) -> None:
    async with house.client() as client:
        await client.join()

        house.voice.revoke(GUILD, BOT)

        assert await client.close_code() == CloseCode.DISCONNECTED
        assert house.voice.session(GUILD, BOT) is None
        await client.open()
        await client.send(Op.IDENTIFY, client.identity)
        assert await client.close_code() in {CloseCode.AUTHENTICATION_FAILED, CloseCode.SERVER_NOT_FOUND}


async def test_a_client_that_leaves_takes_its_session_along(house: House) -> None:
    async with house.client() as client:
        await client.join()
        await client.websocket.close(code=1000)

        assert (await house.voice.listener(GUILD).wait_note(NoteKind.CLOSED, timeout_s=5)).detail == "1000"
        assert house.voice.session(GUILD, BOT) is None


Fault = Callable[[VoiceServer], None]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (lambda voice: voice.close(GUILD, BOT, CloseCode.SERVER_CRASHED), 4015),
        (lambda voice: voice.close(GUILD, BOT, CloseCode.GOING_AWAY), 1001),
        (lambda voice: voice.reset(GUILD, BOT), 1006),
    ],
    ids=["4015", "1001", "reset"],
)
async def test_a_session_survives_its_websocket_and_resumes(house: House, fault: Fault, code: int) -> None:
    async with house.client() as client:
        await client.join()
        fault(house.voice)
        assert await client.close_code() == code
        client.frame(b"while there is no websocket")
        await client.open()
        await client.resume()
        await client.expect(Op.RESUMED)
        client.frame(b"afterwards")

        frames = await house.voice.listener(GUILD).wait_frames(2, timeout_s=5)

    assert [frame.opus for frame in frames] == [b"while there is no websocket", b"afterwards"]
    assert {frame.session for frame in frames} == {1}


@pytest.mark.parametrize("code", [4006, 4009, 4014])
async def test_other_closures_drop_the_session_and_its_udp(house: House, code: int) -> None:
    async with house.client() as client:
        await client.join()
        house.voice.close(GUILD, BOT, code)
        assert await client.close_code() == code
        client.frame(b"into the void")
        with anyio.fail_after(5):
            while not house.voice.strays:  # noqa: ASYNC110 - UDP has no receipt to wait for
                await anyio.sleep(0.005)
        assert house.voice.listener(GUILD).frames == []

        await client.open()
        await client.resume()
        assert await client.close_code() == CloseCode.SESSION_INVALID


async def test_resume_replays_exactly_the_numbered_messages_that_were_missed(house: House) -> None:
    async with house.client() as client:
        await client.join()
        house.voice.user_joined(GUILD, 1)
        assert await client.expect(Op.CLIENTS_CONNECT) == {"user_ids": ["1"]}
        house.voice.reset(GUILD, BOT)
        house.voice.user_joined(GUILD, 2)
        house.voice.user_left(GUILD, 1)
        assert await client.close_code() == 1006

        assert client.seq_ack == 0
        await client.open()
        await client.resume()

        assert await client.expect(Op.CLIENTS_CONNECT) == {"user_ids": ["2"]}
        assert await client.expect(Op.CLIENT_DISCONNECT) == {"user_id": "1"}
        await client.expect(Op.RESUMED)
        assert client.seq_ack == 2


async def test_messages_are_numbered_on_after_a_resume_and_past_the_wrap(house: House) -> None:
    async with house.client() as client:
        await client.join()
        session = house.voice.session(GUILD, BOT)
        assert session is not None
        session.sequence = 65_534
        house.voice.user_joined(GUILD, 1)
        await client.expect(Op.CLIENTS_CONNECT)
        assert client.seq_ack == 65_535
        house.voice.reset(GUILD, BOT)
        house.voice.user_left(GUILD, 1)
        await client.close_code()
        await client.open()
        await client.resume()

        await client.expect(Op.CLIENT_DISCONNECT)
        assert client.seq_ack == 0


async def test_a_resume_beyond_the_replay_buffer_is_refused() -> None:
    async with open_house(VoiceSettings(buffered_messages=2)) as house, house.client() as client:
        await client.join()
        for user_id in range(3):
            house.voice.user_joined(GUILD, user_id)
        house.voice.reset(GUILD, BOT)
        await client.close_code()
        await client.open()
        await client.resume(seq_ack=-1)

        assert await client.close_code() == CloseCode.SESSION_INVALID


async def test_a_resume_after_the_window_is_refused() -> None:
    async with open_house(VoiceSettings(resume_window_s=0)) as house, house.client() as client:
        await client.join()
        house.voice.reset(GUILD, BOT)
        await client.close_code()
        await client.open()
        await client.resume()

        assert await client.close_code() == CloseCode.SESSION_INVALID


@pytest.mark.parametrize("changes", [{"token": "wrong"}, {"session_id": "another"}, {"server_id": "999"}])
async def test_only_its_owner_resumes_a_session(house: House, changes: dict[str, str]) -> None:
    async with house.client() as client:
        await client.join()
        house.voice.reset(GUILD, BOT)
        await client.close_code()
        await client.open()
        await client.resume(**changes)

        assert await client.close_code() == CloseCode.SESSION_INVALID


async def test_a_half_open_websocket_gives_way_to_the_one_that_resumes(house: House) -> None:
    async with house.client() as client:
        await client.join()
        former = client.websocket
        await client.open()
        await client.resume()
        await client.expect(Op.RESUMED)

        assert (await former.receive()).type in {WSMsgType.CLOSED, WSMsgType.CLOSE, WSMsgType.ERROR}
        house.voice.user_joined(GUILD, ALICE)
        await client.expect(Op.CLIENTS_CONNECT)


async def test_speaking_is_recorded_and_told_to_the_others(house: House) -> None:
    async with house.client() as client, house.client(user_id=ALICE) as alice:
        await client.join()
        await alice.join()
        await client.send(Op.SPEAKING, {"speaking": 1, "delay": 0, "ssrc": client.ready["ssrc"]})

        told = {"user_id": str(BOT), "ssrc": client.ready["ssrc"], "speaking": 1}
        assert await alice.expect(Op.SPEAKING) == told
        assert [note.detail for note in house.voice.listener(GUILD).noted(NoteKind.SPEAKING)] == ["1"]


async def test_who_is_in_the_channel_is_told_with_the_key(house: House) -> None:
    house.voice.user_joined(GUILD, ALICE)
    async with house.client() as client:
        await client.join()

        assert await client.expect(Op.CLIENTS_CONNECT) == {"user_ids": [str(ALICE)]}


async def test_guilds_do_not_hear_of_each_other(house: House) -> None:
    async with house.client() as here, house.client(guild_id=GUILD + 1) as there:
        await here.join()
        await there.join()
        house.voice.user_joined(GUILD, ALICE)
        await here.expect(Op.CLIENTS_CONNECT)
        await there.send(Op.HEARTBEAT, {"t": 1, "seq_ack": -1})

        await there.expect(Op.HEARTBEAT_ACK)


async def test_the_server_says_goodbye_when_it_stops() -> None:
    async with open_house() as house, house.client() as client:
        await client.join()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(house.voice.__aexit__, None, None, None)
            assert await client.close_code() == CloseCode.GOING_AWAY
        with pytest.raises(AssertionError, match="data=1001"):
            await client.open()


async def test_an_idle_client_does_not_hold_up_the_stop() -> None:
    async with open_house() as house, house.client() as client:
        await client.join()
        with anyio.fail_after(5):
            await house.voice.__aexit__(None, None, None)
