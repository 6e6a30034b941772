"""What Discord and administrators do to the bot's place in voice; RTCP and keep-alives on and off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from loopback import Loopback, LoopbackSettings
from loopback.faults import Direction, FaultKind
from loopback.voice.protocol import CloseCode, Op, VoiceSettings
from loopback.voice.rtp import is_rtcp
from tests.loopback.bare_bot import BareBot

if TYPE_CHECKING:
    from loopback.voice.probe import VoiceProbe

pytestmark = pytest.mark.anyio


async def test_a_move_of_servers_may_begin_with_none(
    discord: Loopback, bot: BareBot, client: VoiceProbe
) -> None:
    discord.faults.of(bot.guild).place.move_server(code=4014, null_for_s=0.05)

    assert await client.close_code() == CloseCode.DISCONNECTED
    assert [told["endpoint"] is None for told in bot.told("VOICE_SERVER_UPDATE")] == [False, True]
    await client.open()
    await client.send(Op.IDENTIFY, client.identity)
    assert await client.close_code() in {CloseCode.SERVER_NOT_FOUND, CloseCode.AUTHENTICATION_FAILED}
    with anyio.fail_after(5):
        while len(bot.told("VOICE_SERVER_UPDATE")) < 3:  # noqa: ASYNC110 - a timer of the fault
            await anyio.sleep(0.005)
    async with bot.probe() as again:
        await again.join()


async def test_an_end_before_the_second_half_leaves_nothing_behind(discord: Loopback, bot: BareBot) -> None:
    discord.faults.of(bot.guild).place.move_server(null_for_s=0.03)
    discord.faults.end_all()
    await anyio.sleep(0.06)
    assert len(bot.told("VOICE_SERVER_UPDATE")) == 2


async def test_an_administrator_moves_the_bot(discord: Loopback, bot: BareBot, client: VoiceProbe) -> None:
    second = bot.guild.add_voice_channel("Second")
    fault = discord.faults.everywhere.place.move(code=4014)

    assert fault.kind is FaultKind.MOVED
    assert await client.close_code() == CloseCode.DISCONNECTED
    assert bot.told("VOICE_STATE_UPDATE")[-1]["channel_id"] == str(second.id)
    discord.faults.of(bot.guild).place.move(bot.channel)
    assert bot.told("VOICE_STATE_UPDATE")[-1]["channel_id"] == str(bot.channel.id)
    assert len(bot.told("VOICE_SERVER_UPDATE")) == 3


async def test_there_must_be_somewhere_to_move_to(discord: Loopback, bot: BareBot) -> None:
    with pytest.raises(ValueError, match="no other voice channel"):
        discord.faults.of(bot.guild).place.move()


@pytest.mark.parametrize("code", [4014, 4022])
async def test_a_kick_tells_both_gateways(
    discord: Loopback, bot: BareBot, client: VoiceProbe, code: int
) -> None:
    discord.faults.of(bot.guild).place.kick(code=code)

    assert await client.close_code() == code
    assert bot.told("VOICE_STATE_UPDATE")[-1]["channel_id"] is None
    assert bot.guild.voice_of(discord.bot) is None


async def test_a_deleted_channel_puts_the_bot_out(
    discord: Loopback, bot: BareBot, client: VoiceProbe
) -> None:
    discord.faults.of(bot.guild).place.delete_channel(code=4022)

    assert await client.close_code() == 4022
    assert bot.told("VOICE_STATE_UPDATE")[-1]["channel_id"] is None
    assert [told["id"] for told in bot.told("CHANNEL_DELETE")] == [str(bot.channel.id)]


async def test_nothing_happens_to_a_bot_that_is_not_in_voice(discord: Loopback, bot: BareBot) -> None:
    place = discord.faults.everywhere.place
    place.kick()
    before = len(bot.events)
    for fault in (place.kick, place.move, place.move_server, place.delete_channel):
        fault()
    assert len(bot.events) == before


async def test_without_speak_the_bot_is_suppressed_and_unheard(
    discord: Loopback, bot: BareBot, client: VoiceProbe
) -> None:
    with discord.faults.of(bot.guild).place.lose_permission("speak"):
        assert bot.told("VOICE_STATE_UPDATE")[-1]["suppress"]
        client.frame(b"unheard")
        with anyio.fail_after(5):
            while not bot.guild.listener.hushed:  # noqa: ASYNC110 - UDP has no receipt to wait for
                await anyio.sleep(0.005)
    assert not bot.told("VOICE_STATE_UPDATE")[-1]["suppress"]
    client.frame(b"heard")
    frames = await bot.guild.listener.wait_frames(1, timeout_s=5)
    assert [frame.opus for frame in frames] == [b"heard"]


async def test_without_connect_the_bot_stays_but_does_not_come_back(
    discord: Loopback, bot: BareBot, client: VoiceProbe
) -> None:
    before = dict(bot.channel.overwrites)
    with discord.faults.of(bot.guild).place.lose_permission("connect") as fault:
        assert bot.guild.voice_of(discord.bot) is not None
        discord.faults.of(bot.guild).place.kick()
        await client.close_code()
        assert not bot.join()
    assert bot.join()
    assert {key: one.payload() for key, one in bot.channel.overwrites.items()} == {
        key: one.payload() for key, one in before.items()
    } | {discord.bot.id: {"id": str(discord.bot.id), "type": 1, "allow": "0", "deny": "0"}}
    assert fault.detail == "connect"


async def test_one_who_is_muted_by_the_guild_is_unheard(
    discord: Loopback, bot: BareBot, client: VoiceProbe
) -> None:
    bot.guild.server_mute(discord.bot)
    client.frame(b"unheard")
    with anyio.fail_after(5):
        while not bot.guild.listener.hushed:  # noqa: ASYNC110 - UDP has no receipt to wait for
            await anyio.sleep(0.005)
    assert bot.guild.listener.frames == []


async def test_keep_alives_can_stay_unanswered(discord: Loopback, bot: BareBot, client: VoiceProbe) -> None:
    with discord.faults.of(bot.guild).udp.mute_keep_alives(), pytest.raises(TimeoutError):
        await client.exchange(bytes(8), timeout_s=0.1)
    assert await client.exchange(bytes(8)) == bytes(8)
    assert bot.guild.listener.keep_alives == 2


async def report_of(client: VoiceProbe, timeout_s: float = 2.0) -> bytes:
    """The next datagram, which is RTCP, in the clear."""
    with anyio.fail_after(timeout_s):
        datagram = await client.receive()
    assert is_rtcp(datagram)
    assert client.cipher is not None
    return client.cipher.open(datagram, 8)[1]


async def no_more_reports(client: VoiceProbe) -> None:
    """Until those that are on their way have come; raises TimeoutError if there is no end of them."""
    with anyio.fail_after(5):
        while True:
            try:
                await report_of(client, 0.1)
            except TimeoutError:
                return


async def test_rtcp_comes_only_where_it_is_switched_on(
    discord: Loopback, bot: BareBot, client: VoiceProbe
) -> None:
    udp = discord.faults.of(bot.guild).udp
    with pytest.raises(TimeoutError):
        await report_of(client, 0.05)
    with udp.rtcp(0.02):
        block = await report_of(client)
        assert int.from_bytes(block[:4], "big") == client.ready["ssrc"]
        await report_of(client)
        with udp.hole(direction=Direction.INBOUND), pytest.raises(TimeoutError):
            await report_of(client, 0.1)
        await report_of(client)
        discord.voice.close(bot.guild.id, discord.bot.id, 4006)
        await no_more_reports(client)


async def test_the_settings_can_switch_rtcp_on_and_echoes_off() -> None:
    settings = LoopbackSettings(voice=VoiceSettings(rtcp_interval_s=0.02, keep_alive_echo=False))
    async with Loopback(settings) as discord:
        bot = BareBot(discord)
        async with bot.probe() as client:
            await client.join()
            await report_of(client)
            with discord.faults.everywhere.udp.rtcp(None):
                await no_more_reports(client)
                with pytest.raises(TimeoutError):
                    await client.exchange(bytes(8), timeout_s=0.1)
            await report_of(client)
