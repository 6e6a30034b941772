"""Faults of voice websockets, of the UDP path and of the place in voice, met by a bare client."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import anyio
import pytest
from aiohttp import WSMsgType

from loopback import Loopback, LoopbackSettings
from loopback.faults import Direction, FaultKind, Silence
from loopback.listening.listener import NoteKind
from loopback.voice.protocol import CloseCode, Op, VoiceSettings
from tests.loopback.bare_bot import BareBot

if TYPE_CHECKING:
    from loopback.voice.probe import VoiceProbe

pytestmark = pytest.mark.anyio


async def silent(probe: VoiceProbe, timeout_s: float = 0.15) -> bool:
    """Whether nothing comes by the websocket for a while."""
    with anyio.move_on_after(timeout_s) as waited:
        await probe.websocket.receive()
    return waited.cancelled_caught


async def echoed(probe: VoiceProbe, timeout_s: float = 0.1) -> bool:
    """Whether a keep-alive comes back."""
    try:
        await probe.exchange(time.monotonic_ns().to_bytes(8, "big"), timeout_s)
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize(("code", "kept"), [(1001, True), (4015, True), (4006, False), (4021, False)])
async def test_a_close_keeps_the_session_by_its_code(
    discord: Loopback, bot: BareBot, client: VoiceProbe, code: int, kept: bool
) -> None:
    fault = discord.faults.of(bot.guild).voice.close(code)

    assert await client.close_code() == code
    assert (discord.voice.session(bot.guild.id, discord.bot.id) is not None) is kept
    assert await echoed(client) is kept
    assert (fault.kind, fault.detail, fault.hits) == (FaultKind.VOICE_CLOSED, str(code), 1)
    assert fault.began_ns == fault.ended_ns


async def test_a_close_waits_for_the_clients_own(discord: Loopback, bot: BareBot, client: VoiceProbe) -> None:
    """RFC 6455, 7.1.1: TCP is closed after both close frames; the client that is late still says its own."""
    await client.websocket.close()
    await client.open(autoclose=False)
    await client.identify()
    discord.faults.of(bot.guild).voice.close(4006)
    assert (await client.websocket.receive()).data == 4006
    await anyio.sleep(0.05)
    await client.websocket.close()
    assert client.websocket.close_code == 4006


@pytest.mark.parametrize(("code", "kept"), [(1001, False), (4006, True)])
async def test_the_rule_for_codes_can_be_overridden(
    discord: Loopback, bot: BareBot, client: VoiceProbe, code: int, kept: bool
) -> None:
    discord.faults.of(bot.guild).voice.close(code, keep_session=kept)

    assert await client.close_code() == code
    assert await echoed(client) is kept


async def test_the_settings_can_let_the_token_die_with_its_session() -> None:
    settings = LoopbackSettings(voice=VoiceSettings(token_outlives_session=False))
    async with Loopback(settings) as discord:
        bot = BareBot(discord)
        async with bot.probe() as client:
            await client.join()
            discord.faults.everywhere.voice.close(4006)
            await client.close_code()
            await client.open()
            await client.send(Op.IDENTIFY, client.identity)
            assert await client.close_code() == CloseCode.SESSION_INVALID
        bot.join()
        async with bot.probe() as client:
            await client.join()


async def test_a_reset_is_no_close(discord: Loopback, client: VoiceProbe) -> None:
    discord.faults.everywhere.voice.reset()

    assert await client.close_code() == 1006
    await client.open()
    await client.resume()
    await client.expect(Op.RESUMED)


async def test_as_many_identifies_are_refused_as_there_are_codes(discord: Loopback, bot: BareBot) -> None:
    with discord.faults.of(bot.guild).voice.refuse_identifies([4006, 4009]) as fault:
        for code in (4006, 4009):
            async with bot.probe() as probe:
                await probe.send(Op.IDENTIFY, probe.identity)
                assert await probe.close_code() == code
        async with bot.probe() as probe:
            await probe.identify()

    assert fault.hits == 2
    refusals = bot.guild.listener.noted(NoteKind.REFUSED)
    assert [note.detail for note in refusals] == ["identify 4006", "identify 4009"]
    assert fault.ended_ns is not None
    assert fault.began_ns <= refusals[0].at_ns <= refusals[1].at_ns <= fault.ended_ns


async def test_each_guild_of_all_has_its_own_refusals(discord: Loopback, bot: BareBot) -> None:
    other = BareBot(discord, "Other")
    fault = discord.faults.everywhere.voice.refuse_identifies([4006])
    for each in (bot, other):
        async with each.probe() as probe:
            await probe.send(Op.IDENTIFY, probe.identity)
            assert await probe.close_code() == CloseCode.SESSION_INVALID
    assert fault.hits == 2


async def test_a_refused_resume_leaves_the_session(
    discord: Loopback, bot: BareBot, client: VoiceProbe
) -> None:
    faults = discord.faults.of(bot.guild)
    faults.voice.refuse_resumes([4006])
    faults.voice.reset()
    await client.close_code()
    await client.open()
    await client.resume()
    assert await client.close_code() == CloseCode.SESSION_INVALID
    assert await echoed(client)
    await client.open()
    await client.resume()
    await client.expect(Op.RESUMED)


async def test_a_half_open_websocket_answers_nothing_and_a_new_one_does(
    discord: Loopback, bot: BareBot, client: VoiceProbe
) -> None:
    fault = discord.faults.of(bot.guild).voice.half_open()
    await client.send(Op.HEARTBEAT, {"t": 1, "seq_ack": -1})

    discord.voice.user_joined(bot.guild.id, 1)
    assert fault.hits == 1
    assert await silent(client)
    assert await echoed(client)
    await client.open()
    await client.resume()
    assert await client.expect(Op.CLIENTS_CONNECT) == {"user_ids": ["1"]}, "what was not sent is replayed"
    await client.expect(Op.RESUMED)


async def test_heartbeats_can_stay_unacknowledged_while_everything_else_goes_on(
    discord: Loopback, bot: BareBot, client: VoiceProbe
) -> None:
    with discord.faults.of(bot.guild).voice.ignore_heartbeats() as fault:
        await client.send(Op.HEARTBEAT, {"t": 1, "seq_ack": -1})
        discord.voice.user_joined(bot.guild.id, 1)
        assert await client.expect(Op.CLIENTS_CONNECT) == {"user_ids": ["1"]}, (
            "it comes in place of the answer"
        )
        assert await echoed(client)
    await client.send(Op.HEARTBEAT, {"t": 2, "seq_ack": 0})
    assert await client.expect(Op.HEARTBEAT_ACK) == {"t": 2}
    assert (fault.kind, fault.guilds) == (FaultKind.VOICE_UNACKNOWLEDGED, frozenset({bot.guild.id}))


async def test_new_websockets_stay_unanswered_until_the_fault_ends(
    discord: Loopback, bot: BareBot, client: VoiceProbe
) -> None:
    other = BareBot(discord, "Other")
    fault = discord.faults.of(bot.guild).voice.half_open(Silence.NEW)
    with anyio.move_on_after(0.15) as waited:
        await client.open()
    assert waited.cancelled_caught
    async with other.probe() as elsewhere:
        await elsewhere.join()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.open)
        await anyio.sleep(0.05)
        fault.end()
    await client.resume()
    await client.expect(Op.RESUMED)


async def test_nothing_half_open_holds_up_the_end() -> None:
    async with Loopback() as discord:
        bot = BareBot(discord)
        async with bot.probe() as probe:
            await probe.join()
            discord.faults.everywhere.voice.half_open(Silence.EXISTING | Silence.NEW)
            started = time.monotonic()
            await discord.__aexit__(None, None, None)
            assert time.monotonic() - started < discord.settings.shutdown_timeout_s
            assert (await probe.websocket.receive()).type is not WSMsgType.TEXT


async def test_an_outbound_hole_swallows_what_the_bot_sends(
    discord: Loopback, bot: BareBot, client: VoiceProbe
) -> None:
    with discord.faults.of(bot.guild).udp.hole(direction=Direction.OUTBOUND):
        client.frame(b"swallowed")
        assert not await echoed(client)
    client.frame(b"heard")

    frames = await bot.guild.listener.wait_frames(1, timeout_s=5)
    assert [frame.opus for frame in frames] == [b"heard"]
    assert bot.guild.listener.keep_alives == 0


async def test_an_inbound_hole_swallows_the_echoes_alone(
    discord: Loopback, bot: BareBot, client: VoiceProbe
) -> None:
    with discord.faults.of(bot.guild).udp.hole(direction=Direction.INBOUND):
        client.frame(b"heard")
        assert not await echoed(client)
    assert await echoed(client)

    assert [frame.opus for frame in bot.guild.listener.frames] == [b"heard"]
    assert bot.guild.listener.keep_alives == 2


async def test_a_hole_has_an_end_and_is_for_its_guild_alone(discord: Loopback, bot: BareBot) -> None:
    other = BareBot(discord, "Other")
    async with bot.probe() as here, other.probe() as there:
        await here.join()
        await there.join()
        fault = discord.faults.of(bot.guild).udp.hole(0.15)
        assert not await echoed(here)
        assert await echoed(there)
        with anyio.fail_after(5):
            while fault.lasts:  # noqa: ASYNC110 - a fault has no event
                await anyio.sleep(0.01)
        assert await echoed(here)
    assert fault.ended_ns is not None
    assert 0.15e9 <= fault.ended_ns - fault.began_ns < 1e9


async def test_a_hole_on_one_server_leaves_the_next_one_alone(
    discord: Loopback, bot: BareBot, client: VoiceProbe
) -> None:
    server = discord.voice.server_of(bot.guild.id, discord.bot.id)
    discord.faults.everywhere.udp.hole(server=server)
    assert not await echoed(client)
    with pytest.raises(TimeoutError), anyio.fail_after(0.1):
        await client.discover()

    fault = discord.faults.of(bot.guild).place.move_server()

    assert fault.kind is FaultKind.SERVER_MOVED
    async with bot.probe() as again:
        await again.join()
        assert await echoed(again)
        assert discord.voice.server_of(bot.guild.id, discord.bot.id) != server


async def test_a_voice_server_knows_its_own_sessions_only(
    discord: Loopback, bot: BareBot, client: VoiceProbe
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(client.packet(b"to another server"), discord.voice.addresses[1])
        client.frame(b"to its own")
        frames = await bot.guild.listener.wait_frames(1, timeout_s=5)
        with anyio.fail_after(5):
            while not discord.voice.strays:  # noqa: ASYNC110 - UDP has no receipt to wait for
                await anyio.sleep(0.005)
    assert [frame.opus for frame in frames] == [b"to its own"]


async def test_a_token_is_good_for_its_own_server_only(discord: Loopback, bot: BareBot) -> None:
    former = bot.probe()
    discord.faults.of(bot.guild).place.move_server()
    former.identity["token"] = bot.told("VOICE_SERVER_UPDATE")[-1]["token"]
    async with former:
        await former.send(Op.IDENTIFY, former.identity)
        assert await former.close_code() == CloseCode.SESSION_INVALID


async def test_a_server_move_can_close_the_websocket_first(
    discord: Loopback, bot: BareBot, client: VoiceProbe
) -> None:
    discord.faults.of(bot.guild).place.move_server(code=4022)

    assert await client.close_code() == 4022
    async with bot.probe() as again:
        await again.join()


async def test_loss_is_drawn_with_its_seed(discord: Loopback, bot: BareBot, client: VoiceProbe) -> None:
    heard: list[list[bytes | None]] = []
    for _ in range(2):
        bot.guild.listener.clear()
        with discord.faults.of(bot.guild).udp.loss(0.5, seed=7, direction=Direction.OUTBOUND):
            for number in range(60):
                client.frame(bytes([number]))
            await anyio.sleep(0.05)
        client.frame(b"last")
        with anyio.fail_after(5):
            while not heard_last(bot):  # noqa: ASYNC110 - how many arrive is not known
                await anyio.sleep(0.005)
        heard.append([frame.opus for frame in bot.guild.listener.frames])
    assert heard[0] == heard[1]
    assert 15 < len(heard[0]) < 45


def heard_last(bot: BareBot) -> bool:
    return any(frame.opus == b"last" for frame in bot.guild.listener.frames)


async def test_delay_and_jitter_show_in_the_arrivals(
    discord: Loopback, bot: BareBot, client: VoiceProbe
) -> None:
    with discord.faults.of(bot.guild).udp.delay(80.0, 40.0, seed=3, direction=Direction.OUTBOUND):
        sent_ns = time.time_ns()
        for number in range(20):
            client.frame(bytes([number]))
        frames = await bot.guild.listener.wait_frames(20, timeout_s=5)
    late_ms = [(frame.arrival_ns - sent_ns) / 1e6 for frame in frames]
    assert min(late_ms) >= 40.0
    assert max(late_ms) - min(late_ms) > 30.0
    assert [frame.sequence for frame in frames] != sorted(frame.sequence for frame in frames)


async def test_a_delay_takes_its_time_on_the_way_back_too(
    discord: Loopback, bot: BareBot, client: VoiceProbe
) -> None:
    with discord.faults.of(bot.guild).udp.delay(60.0):
        sent = time.monotonic()
        assert await echoed(client, 5.0)
        assert time.monotonic() - sent >= 0.12
