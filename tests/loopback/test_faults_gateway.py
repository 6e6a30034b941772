"""Faults of the main gateway and of REST, met by bare clients."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from loopback import Loopback, LoopbackSettings
from loopback.faults import FaultKind
from tests.loopback.test_gateway import Client, connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

HEARTBEAT, VOICE_STATE, RESUME, RECONNECT, MEMBERS, INVALID, HEARTBEAT_ACK = 1, 4, 6, 7, 8, 9, 11


@pytest.fixture
async def discord() -> AsyncIterator[Loopback]:
    async with Loopback() as made:
        yield made


async def resume(discord: Loopback, ready: dict[str, Any]) -> int | str:
    """Resume on a new connection: "RESUMED", or the opcode that comes instead."""
    async with connected(discord) as client:
        await client.read()
        await client.send(RESUME, {"token": discord.token, "session_id": ready["session_id"], "seq": 1})
        answer = await client.read()
        return str(answer["t"]) if answer["op"] == 0 else int(answer["op"])


@pytest.mark.parametrize(("code", "fault"), [(4000, "close"), (1001, "close"), (1006, "reset")])
async def test_a_closed_gateway_can_be_resumed(discord: Loopback, code: int, fault: str) -> None:
    async with connected(discord) as client:
        ready = await client.identify()
        gateway = discord.faults.gateway
        noted = gateway.close(code) if fault == "close" else gateway.reset()
        assert await client.closed() == code
    assert noted.kind is (FaultKind.GATEWAY_CLOSED if fault == "close" else FaultKind.GATEWAY_RESET)
    assert await resume(discord, ready) == "RESUMED"


async def test_op_7_asks_to_come_back(discord: Loopback) -> None:
    async with connected(discord) as client:
        ready = await client.identify()
        discord.faults.gateway.reconnect()
        await client.until(RECONNECT)
        assert await resume(discord, ready) == "RESUMED"


@pytest.mark.parametrize(("resumable", "answer"), [(True, "RESUMED"), (False, INVALID)])
async def test_op_9_says_whether_there_is_anything_to_resume(
    discord: Loopback, resumable: bool, answer: int | str
) -> None:
    async with connected(discord) as client:
        ready = await client.identify()
        discord.faults.gateway.invalidate(resumable=resumable)
        assert await client.until(INVALID) is resumable
        assert await resume(discord, ready) == answer
        if not resumable:
            assert (await client.identify())["session_id"] != ready["session_id"]


async def test_faults_of_one_shard_leave_the_other_alone(discord: Loopback) -> None:
    async with connected(discord) as first, connected(discord) as second:
        await first.identify(shard=[0, 2])
        await second.identify(shard=[1, 2])
        discord.faults.gateway.of(1).close(4000)
        assert await second.closed() == 4000
        with discord.faults.gateway.of(1).ignore_heartbeats():
            await first.send(HEARTBEAT)
            await first.until(HEARTBEAT_ACK)
    assert next(iter(discord.faults.log)).detail == "4000 shards [1]"


async def test_heartbeats_stay_unacknowledged_while_everything_else_goes_on(discord: Loopback) -> None:
    guild = discord.add_guild("Guild")
    async with connected(discord) as client:
        await client.identify()
        with discord.faults.gateway.ignore_heartbeats():
            await client.send(HEARTBEAT)
            await client.send(MEMBERS, {"guild_id": str(guild.id), "query": "o", "limit": 1})
            assert HEARTBEAT_ACK not in [message["op"] async for message in until_members(client)]
        await client.send(HEARTBEAT)
        await client.until(HEARTBEAT_ACK)


async def until_members(client: Client) -> AsyncIterator[dict[str, Any]]:
    while (message := await client.read())["t"] != "GUILD_MEMBERS_CHUNK":
        yield message


async def test_latency_delays_in_order_and_ends(discord: Loopback) -> None:
    async with connected(discord) as client:
        await client.identify()
        with discord.faults.gateway.latency(80.0, 40.0, seed=1):
            started = time.monotonic()
            for _ in range(5):
                await client.send(HEARTBEAT)
            await client.until(HEARTBEAT_ACK)
            assert time.monotonic() - started >= 0.04
            for _ in range(4):
                await client.until(HEARTBEAT_ACK)
            assert time.monotonic() - started < 1.0


async def test_more_than_the_allowed_sends_close_with_4008(discord: Loopback) -> None:
    guild = discord.add_guild("Guild")
    limit = discord.settings.gateway_sends_per_minute
    async with connected(discord) as client:
        await client.identify()
        since_ns = time.time_ns()
        for _ in range(limit - 1):
            await client.send(VOICE_STATE, {"guild_id": str(guild.id), "channel_id": None})
        await client.send(HEARTBEAT)
        assert await client.closed() == 4008
    sends = discord.gateway.sends
    assert sends.exceeded == 1
    assert sends.busiest(shard_id=0) == limit  # the IDENTIFY came before there was a shard
    assert len(sends.of(shard_id=0, op=VOICE_STATE, since_ns=since_ns)) == limit - 1
    assert len(sends.of(op=HEARTBEAT)) == 1
    assert sends.busiest(shard_id=1) == 0


async def get(discord: Loopback, path: str) -> tuple[int, Any]:
    """A GET request with the bot's token: status and answer."""
    headers = {"Authorization": f"Bot {discord.token}"}
    async with (
        aiohttp.ClientSession(connector=discord.connector(), headers=headers) as http,
        http.get(f"https://discord.com/api/v10{path}") as answer,
    ):
        return answer.status, await answer.json()


async def test_rest_fails_as_often_as_asked(discord: Loopback) -> None:
    fault = discord.faults.rest.fail(502, "GET", "/users/@me", times=2)
    statuses = [(await get(discord, "/users/@me"))[0] for _ in range(3)]
    assert statuses == [502, 502, 200]
    assert fault.hits == 2


async def test_rest_fails_for_a_time_on_the_routes_that_are_meant(discord: Loopback) -> None:
    guild = discord.add_guild("Guild")
    with discord.faults.rest.fail(500, path="/users/@me"):
        assert (await get(discord, "/users/@me"))[0] == 500
        assert (await get(discord, f"/guilds/{guild.id}"))[0] == 200
    assert (await get(discord, "/users/@me"))[0] == 200
    fault = discord.faults.rest.fail(for_s=0.05)
    assert (await get(discord, "/users/@me"))[0] == 500
    await asyncio.sleep(0.06)
    assert not fault.lasts
    assert (await get(discord, "/users/@me"))[0] == 200


async def test_a_global_limit_meets_every_route(discord: Loopback) -> None:
    guild = discord.add_guild("Guild")
    fault = discord.faults.rest.rate_limit(retry_after_s=0.25, times=2, everywhere=True)
    for path in ("/users/@me", f"/guilds/{guild.id}"):
        status, answer = await get(discord, path)
        assert (status, answer["retry_after"], answer["global"]) == (429, 0.25, True)
    assert (await get(discord, "/users/@me"))[0] == 200
    assert fault.hits == 2


async def test_rest_answers_later(discord: Loopback) -> None:
    with discord.faults.rest.latency(60.0, "GET"):
        started = time.monotonic()
        await get(discord, "/users/@me")
        assert time.monotonic() - started >= 0.06


async def test_the_log_tells_what_was_done_to_whom_and_when() -> None:
    async with Loopback(LoopbackSettings()) as discord:
        guild, other = discord.add_guild("Guild"), discord.add_guild("Other")
        before_ns = time.time_ns()
        hole = discord.faults.of(guild).udp.hole()
        discord.faults.everywhere.voice.reset()
        discord.faults.gateway.close(4000)
        log = discord.faults.log

        assert [one.kind for one in log.of(other.id)] == [FaultKind.VOICE_RESET, FaultKind.GATEWAY_CLOSED]
        assert log.of(guild.id, FaultKind.UDP_HOLE) == [hole]
        assert hole.lasts
        assert all(before_ns <= one.began_ns <= time.time_ns() for one in log)
    assert hole.ended_ns is not None
    assert len(log) == 3
