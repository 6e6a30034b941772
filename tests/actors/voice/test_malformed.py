"""Whatever the voice server sends: a defined end, and music afterwards; never a failure inside."""

from __future__ import annotations

import json
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from hypothesis import given, settings, strategies as st

from actors.voice import Fault, LinkState, Lost, VoiceError
from actors.voice.answers import Description, ReadyAnswer, description, ready_answer
from actors.voice.gateway import GatewayClosed, Message, Op, VoiceGateway
from actors.voice.rtp import AES_GCM

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

BOT, GUILD = 300, 100
READY = {"ssrc": 7, "ip": "127.0.0.1", "port": 50_000, "modes": [AES_GCM]}
SECRET = {"mode": AES_GCM, "secret_key": list(range(32))}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


class Websocket:
    """Gives what it was given, then ends."""

    close_code = 1006

    def __init__(self, *messages: str | bytes) -> None:
        self._messages = deque(messages)

    async def send_str(self, _text: str) -> None:
        pass

    async def receive(self) -> aiohttp.WSMessage:
        if not self._messages:
            return aiohttp.WSMessage(aiohttp.WSMsgType.CLOSED, None, None)
        message = self._messages.popleft()
        kind = aiohttp.WSMsgType.TEXT if isinstance(message, str) else aiohttp.WSMsgType.BINARY
        return aiohttp.WSMessage(kind, message, None)


def gateway_of(*messages: str | bytes) -> VoiceGateway:
    socket: Any = Websocket(*messages)
    return VoiceGateway(socket)


@settings(max_examples=40)
@given(st.text(max_size=40) | st.binary(max_size=20) | JSON.map(json.dumps))
async def test_any_message_is_understood_or_ends_the_websocket(raw: str | bytes) -> None:
    try:
        message = await gateway_of(raw).receive()
    except GatewayClosed:
        return
    assert isinstance(message, Message)
    assert message.op >= -1


@settings(max_examples=40)
@given(
    st.sampled_from(list(Op)),
    JSON,
    st.integers(-5, 1 << 70) | st.text(max_size=3) | st.none() | st.booleans(),
)
async def test_any_data_of_a_known_opcode_too(op: Op, data: object, seq: object) -> None:
    gateway = gateway_of(json.dumps({"op": op, "d": data, "seq": seq}))
    with suppress(GatewayClosed):
        await gateway.receive()
    assert 0.05 <= gateway.beat_interval_s <= 15.0
    assert isinstance(gateway.seq_ack, int)


@pytest.mark.parametrize("interval", [0, -1, 1e-9, 1e300, "100", None, [], {}, float("nan"), 10**400])
async def test_a_broken_interval_of_heartbeats_keeps_nobody_busy(interval: object) -> None:
    gateway = gateway_of(json.dumps({"op": Op.HELLO, "d": {"heartbeat_interval": interval}}))
    with suppress(GatewayClosed):
        await gateway.receive()
    assert 0.05 <= gateway.beat_interval_s <= 15.0


async def test_a_heartbeat_is_unanswered_until_it_is_acknowledged() -> None:
    gateway = gateway_of(json.dumps({"op": Op.HEARTBEAT_ACK, "d": {"t": 1}}))
    waits = [gateway.unanswered_s]
    await gateway.beat()
    waits.append(gateway.unanswered_s)
    await gateway.receive()
    waits.append(gateway.unanswered_s)
    assert [wait is None for wait in waits] == [True, False, True]


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(sorted(READY)), JSON))
def test_an_answer_to_identify_is_what_it_should_be_or_refused(changes: dict[str, object]) -> None:
    check(ready_answer, READY | changes, ReadyAnswer)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(sorted(SECRET)), JSON))
def test_a_session_description_is_what_it_should_be_or_refused(changes: dict[str, object]) -> None:
    check(description, SECRET | changes, Description)


def check(read: Callable[[dict[str, Any]], object], data: dict[str, Any], kind: type) -> None:
    try:
        answer = read(data)
    except VoiceError as error:
        answer = error
    refused = isinstance(answer, VoiceError) and (answer.fault is Fault.MALFORMED or answer.code == 4016)
    assert refused or isinstance(answer, kind)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"ip": "voice.example"}, "ip"),
        ({"port": 70_000}, "port"),
        ({"ssrc": -1}, "ssrc"),
        ({"ssrc": True}, "ssrc"),
        ({"modes": AES_GCM}, "modes"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, object], named: str) -> None:
    with pytest.raises(VoiceError, match=named):
        ready_answer(READY | changes)


@pytest.mark.parametrize("key", [[256] * 32, [0] * 31, "0" * 32, ["a"] * 32, 32, None])
def test_a_key_is_never_quoted(key: object) -> None:
    with pytest.raises(VoiceError, match="secret_key") as raised:
        description(SECRET | {"secret_key": key})
    assert raised.value.reason.endswith(": None")


@pytest.mark.parametrize("text", ["[]", '{"op": 8, "d": null}'])
async def test_garbage_costs_a_session_and_no_frame(house: Any, text: str) -> None:
    link = await house.connect()
    house.play()
    await house.listener.wait_frames(10, 5.0)
    house.voice.session(GUILD, BOT).connection.send_message(text)
    await house.until(lambda: link.status().identifies == 2)
    await house.listener.wait_frames(house.listener.heard + 10, 5.0)
    heard = house.heard()
    assert set(heard) == set(range(max(heard) + 1))
    assert link.state is LinkState.READY
    [lost] = [event for event in house.events if isinstance(event, Lost)]
    assert lost.fault is Fault.MALFORMED
