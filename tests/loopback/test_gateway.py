"""The main gateway, spoken to by a bare websocket: identify, resume, intents, shards, packing, commands."""

from __future__ import annotations

import asyncio
import json
import zlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from loopback import Guild, Intent, Loopback, LoopbackSettings
from loopback.gateway.intents import KNOWN_BITS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

URL = "wss://gateway.discord.gg/?v=10&encoding=json"
ALL_INTENTS = KNOWN_BITS
PROPERTIES = {"os": "linux", "browser": "test", "device": "test"}


class Closed(Exception):  # noqa: N818 - an event, not a mistake
    """The gateway has closed the connection."""

    def __init__(self, code: int | None) -> None:
        super().__init__(str(code))
        self.code = code


@dataclass
class Client:
    """A gateway client that does only what the test says."""

    discord: Loopback
    socket: aiohttp.ClientWebSocketResponse
    inflate: Any = field(default_factory=zlib.decompressobj)

    async def send(self, op: int, data: Any = None) -> None:
        await self.socket.send_str(json.dumps({"op": op, "d": data}))

    async def read(self) -> dict[str, Any]:
        message = await self.socket.receive(timeout=5)
        if message.type is aiohttp.WSMsgType.BINARY:
            return dict(json.loads(self.inflate.decompress(message.data)))
        if message.type is aiohttp.WSMsgType.TEXT:
            return dict(json.loads(message.data))
        raise Closed(self.socket.close_code)

    async def until(self, name: str | int) -> Any:
        """The data of the next event (or opcode) of that name; what comes before it is passed over."""
        while True:
            message = await self.read()
            if name in (message.get("t"), message["op"]):
                return message["d"]

    async def names_until(self, name: str) -> list[str]:
        names: list[str] = []
        while not names or names[-1] != name:
            names.append((await self.read())["t"])
        return names

    async def identify(self, intents: int = ALL_INTENTS, **fields: Any) -> dict[str, Any]:
        identity = {"token": self.discord.token, "intents": intents, "properties": PROPERTIES, **fields}
        await self.send(2, identity)
        return dict(await self.until("READY"))

    async def closed(self) -> int | None:
        with pytest.raises(Closed) as seen:
            await self.until("never")
        return seen.value.code


@asynccontextmanager
async def connected(discord: Loopback, url: str = URL) -> AsyncIterator[Client]:
    async with (
        aiohttp.ClientSession(connector=discord.connector()) as http,
        http.ws_connect(url) as socket,
    ):
        yield Client(discord, socket)


@pytest.fixture
async def discord() -> AsyncIterator[Loopback]:
    async with Loopback() as made:
        yield made


@pytest.fixture
def guild(discord: Loopback) -> Guild:
    return discord.add_guild("Guild")


async def test_hello_identify_ready_and_the_guild(discord: Loopback, guild: Guild) -> None:
    voice = guild.add_voice_channel("Music")
    alice = discord.add_user("alice")
    guild.add_member(alice)
    await alice.join(voice)
    async with connected(discord) as client:
        assert (await client.until(10))["heartbeat_interval"] == 41_250
        ready = await client.identify()
        assert ready["guilds"] == [{"id": str(guild.id), "unavailable": True}]
        assert ready["resume_gateway_url"].startswith("wss://")
        created = await client.until("GUILD_CREATE")
    assert [one["name"] for one in created["channels"]] == ["Music"]
    assert [one["user_id"] for one in created["voice_states"]] == [str(alice.id)]
    assert created["voice_states"][0]["channel_id"] == str(voice.id)
    assert {one["user"]["username"] for one in created["members"]} == {"alice", "ostinato", "owner"}
    assert len(created["roles"]) == 2


async def test_a_heartbeat_is_acknowledged_even_before_identify(discord: Loopback) -> None:
    async with connected(discord) as client:
        await client.send(1, None)
        assert await client.until(11) is None


async def test_without_heartbeats_the_connection_is_closed() -> None:
    async with (
        Loopback(LoopbackSettings(heartbeat_interval_ms=20)) as discord,
        connected(discord) as client,
    ):
        assert await client.closed() == 4009


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"token": "wrong"}, 4004),
        ({"intents": 1 << 30}, 4013),
        ({"intents": "all"}, 4013),
        ({"shard": [2, 2]}, 4010),
        ({"properties": None}, 4002),
    ],
)
async def test_a_bad_identify_closes(discord: Loopback, change: dict[str, Any], code: int) -> None:
    async with connected(discord) as client:
        identity = {"token": discord.token, "intents": 0, "properties": PROPERTIES, **change}
        await client.send(2, identity)
        assert await client.closed() == code
    assert discord.sessions == []


@pytest.mark.parametrize("asked", [Intent.GUILD_MEMBERS, Intent.GUILD_PRESENCES, Intent.MESSAGE_CONTENT])
async def test_a_privileged_intent_must_be_granted(asked: Intent) -> None:
    settings = LoopbackSettings(granted_intents=Intent(0))
    async with Loopback(settings) as discord, connected(discord) as client:
        await client.send(
            2, {"token": discord.token, "intents": int(Intent.GUILDS | asked), "properties": PROPERTIES}
        )
        assert await client.closed() == 4014


@pytest.mark.parametrize(
    ("op", "data", "code"), [(4, {}, 4003), (2, None, 4005), (99, {}, 4001), (4, {}, 4002), (6, {}, 4005)]
)
async def test_broken_protocol_closes(discord: Loopback, op: int, data: Any, code: int) -> None:
    async with connected(discord) as client:
        if code != 4003:
            await client.identify()
        await client.send(op, data)
        assert await client.closed() == code


async def test_too_many_messages_close() -> None:
    settings = LoopbackSettings(gateway_sends_per_minute=5)
    async with Loopback(settings) as discord, connected(discord) as client:
        for _ in range(6):
            await client.send(1)
        assert await client.closed() == 4008


async def test_another_api_version_is_closed(discord: Loopback) -> None:
    async with connected(discord, "wss://gateway.discord.gg/?v=7&encoding=json") as client:
        assert await client.closed() == 4012


@pytest.mark.parametrize("query", ["encoding=etf", "encoding=json&compress=zstd-stream"])
async def test_what_is_not_spoken_is_refused_before_the_upgrade(discord: Loopback, query: str) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with connected(discord, f"wss://gateway.discord.gg/?v=10&{query}"):
            pytest.fail("it was accepted")
    assert refused.value.status == 400


async def test_zlib_stream_is_one_stream_over_all_messages(discord: Loopback, guild: Guild) -> None:
    async with connected(discord, f"{URL}&compress=zlib-stream") as client:
        await client.identify()
        await client.until("GUILD_CREATE")
        text = guild.add_text_channel("general")
        assert (await client.until("CHANNEL_CREATE"))["id"] == str(text.id)


async def test_resume_replays_what_was_missed_and_nothing_else(discord: Loopback, guild: Guild) -> None:
    text = guild.add_text_channel("general")
    alice = discord.add_user("alice")
    guild.add_member(alice)
    async with connected(discord) as first:
        ready = await first.identify()
        await first.until("GUILD_CREATE")
        seen = discord.sessions[0].sequence
        discord.sessions[0].cut()
        with pytest.raises(Closed):
            await first.read()
    for content in ("one", "two"):
        await alice.say(text, content)
    async with connected(discord, ready["resume_gateway_url"] + "/?v=10&encoding=json") as second:
        resume = {"token": discord.token, "session_id": ready["session_id"], "seq": seen}
        await second.send(6, resume)
        await second.until(10)
        replayed = [await second.read() for _ in range(3)]
    assert [one["t"] for one in replayed] == ["MESSAGE_CREATE", "MESSAGE_CREATE", "RESUMED"]
    assert [one["d"].get("content") for one in replayed[:2]] == ["one", "two"]
    assert [one["s"] for one in replayed] == [seen + 1, seen + 2, seen + 3]


async def test_a_forgotten_session_cannot_be_resumed(discord: Loopback) -> None:
    async with connected(discord) as client:
        await client.send(6, {"token": discord.token, "session_id": "gone", "seq": 1})
        assert await client.until(9) is False
        await client.identify()


async def test_events_beyond_the_replay_buffer_make_a_session_unresumable() -> None:
    settings = LoopbackSettings(replay_events=2)
    async with Loopback(settings) as discord:
        async with connected(discord) as client:
            ready = await client.identify()
            discord.sessions[0].cut()
            with pytest.raises(Closed):
                await client.read()
        guild = discord.add_guild("Guild")
        for number in range(3):
            guild.add_text_channel(f"channel-{number}")
        async with connected(discord) as client:
            await client.send(6, {"token": discord.token, "session_id": ready["session_id"], "seq": 1})
            assert await client.until(9) is False


async def test_a_client_that_closes_with_1000_gives_its_session_up(discord: Loopback) -> None:
    async with connected(discord) as client:
        ready = await client.identify()
        await client.socket.close(code=1000)
    async with connected(discord) as client:
        await client.send(6, {"token": discord.token, "session_id": ready["session_id"], "seq": 1})
        assert await client.until(9) is False


async def test_content_is_withheld_without_the_intent(discord: Loopback, guild: Guild) -> None:
    text = guild.add_text_channel("general")
    alice = discord.add_user("alice")
    guild.add_member(alice)
    async with connected(discord) as client:
        await client.identify(ALL_INTENTS & ~Intent.MESSAGE_CONTENT)
        await alice.say(text, "a secret")
        await alice.say(text, f"{discord.bot.mention} hello")
        assert (await client.until("MESSAGE_CREATE"))["content"] == ""
        assert (await client.until("MESSAGE_CREATE"))["content"].endswith("hello")


@pytest.mark.parametrize(
    ("without", "missing"),
    [
        (Intent.GUILDS, "CHANNEL_CREATE"),
        (Intent.GUILD_MESSAGES, "MESSAGE_CREATE"),
        (Intent.GUILD_VOICE_STATES, "VOICE_STATE_UPDATE"),
        (Intent.GUILD_MEMBERS, "GUILD_MEMBER_ADD"),
    ],
)
async def test_events_need_their_intent(
    discord: Loopback, guild: Guild, without: Intent, missing: str
) -> None:
    async with connected(discord) as client:
        await client.identify(ALL_INTENTS & ~without)
        text, voice = guild.add_text_channel("general"), guild.add_voice_channel("Music")
        alice = discord.add_user("alice")
        guild.add_member(alice)
        await alice.say(text, "hello")
        await alice.join(voice)
        guild.tell("LAST", {})
        names = set(await client.names_until("LAST"))
    expected = {"CHANNEL_CREATE", "MESSAGE_CREATE", "VOICE_STATE_UPDATE", "GUILD_MEMBER_ADD"}
    assert names & expected == expected - {missing}


async def test_messages_of_a_channel_that_the_bot_may_not_view_are_not_told(
    discord: Loopback, guild: Guild
) -> None:
    hidden, text = guild.add_text_channel("hidden"), guild.add_text_channel("general")
    guild.deny(hidden, "view_channel")
    alice = discord.add_user("alice")
    guild.add_member(alice)
    async with connected(discord) as client:
        await client.identify()
        await alice.say(hidden, "psst")
        await alice.say(text, "hello")
        assert (await client.until("MESSAGE_CREATE"))["content"] == "hello"


async def test_each_shard_gets_its_guilds(discord: Loopback) -> None:
    ids = [(number << 22) | 5 for number in (100, 101, 102, 103)]
    for guild_id in ids:
        discord.add_guild(f"Guild {guild_id}", guild_id=guild_id)
    async with connected(discord) as zero, connected(discord) as one:
        got = [await zero.identify(shard=[0, 2]), await one.identify(shard=[1, 2])]
        assert [[int(guild["id"]) for guild in ready["guilds"]] for ready in got] == [ids[::2], ids[1::2]]
        discord.guilds[1].add_text_channel("odd")
        discord.guilds[0].add_text_channel("even")
        assert (await zero.until("CHANNEL_CREATE"))["name"] == "even"
        assert (await one.until("CHANNEL_CREATE"))["name"] == "odd"


async def test_joining_moving_and_leaving_voice(discord: Loopback, guild: Guild) -> None:
    first, second = guild.add_voice_channel("One"), guild.add_voice_channel("Two")
    async with connected(discord) as client:
        ready = await client.identify()
        tokens = []
        for channel in (first, second):
            await client.send(4, {"guild_id": str(guild.id), "channel_id": str(channel.id)})
            state = await client.until("VOICE_STATE_UPDATE")
            assert (state["channel_id"], state["session_id"]) == (str(channel.id), ready["session_id"])
            server = await client.until("VOICE_SERVER_UPDATE")
            assert server["endpoint"].endswith(".discord.media:443")
            tokens.append(server["token"])
        assert len(set(tokens)) == 2
        await client.send(4, {"guild_id": str(guild.id), "channel_id": None})
        assert (await client.until("VOICE_STATE_UPDATE"))["channel_id"] is None
    assert guild.voice_of(discord.bot) is None


async def test_a_channel_that_the_bot_may_not_join_is_passed_over_in_silence(
    discord: Loopback, guild: Guild
) -> None:
    closed, full, free = (guild.add_voice_channel(name) for name in ("closed", "full", "free"))
    guild.deny(closed, "connect")
    full.user_limit = 1
    alice = discord.add_user("alice")
    guild.add_member(alice)
    await alice.join(full)
    async with connected(discord) as client:
        await client.identify()
        for channel in (closed, full, free):
            await client.send(4, {"guild_id": str(guild.id), "channel_id": str(channel.id)})
        assert (await client.until("VOICE_STATE_UPDATE"))["channel_id"] == str(free.id)


async def test_the_script_moves_and_puts_the_bot_out(discord: Loopback, guild: Guild) -> None:
    first, second = guild.add_voice_channel("One"), guild.add_voice_channel("Two")
    async with connected(discord) as client:
        await client.identify()
        await client.send(4, {"guild_id": str(guild.id), "channel_id": str(first.id)})
        await guild.wait_voice(discord.bot, first)
        guild.move(discord.bot, second)
        guild.renew_voice_server()
        guild.delete_channel(second)
        guild.tell("LAST", {})
        names = await client.names_until("LAST")
    voice = ["VOICE_STATE_UPDATE", "VOICE_SERVER_UPDATE"]
    assert names[names.index("VOICE_STATE_UPDATE") :] == [
        *voice,
        *voice,
        "VOICE_SERVER_UPDATE",
        "VOICE_STATE_UPDATE",
        "CHANNEL_DELETE",
        "LAST",
    ]


async def test_the_bot_leaves_voice_some_time_after_its_last_session() -> None:
    async with Loopback(LoopbackSettings(voice_grace_s=0.01)) as discord:
        guild = discord.add_guild("Guild")
        voice = guild.add_voice_channel("Music")
        async with connected(discord) as client:
            await client.identify()
            await client.send(4, {"guild_id": str(guild.id), "channel_id": str(voice.id)})
            await guild.wait_voice(discord.bot, voice)
            await client.socket.close(code=1000)
        await guild.wait_voice(discord.bot, None)


async def test_members_come_in_chunks(discord: Loopback, guild: Guild) -> None:
    for number in range(1001):
        guild.add_member(discord.add_user(f"user{number}"))
    request = {"guild_id": str(guild.id), "query": "", "limit": 0, "nonce": "n"}
    async with connected(discord) as client:
        await client.identify()
        await client.send(8, request)
        chunks = [await client.until("GUILD_MEMBERS_CHUNK") for _ in range(2)]
        await client.send(8, {"guild_id": str(guild.id), "user_ids": [str(discord.bot.id), "7"]})
        chosen = await client.until("GUILD_MEMBERS_CHUNK")
    assert [len(one["members"]) for one in chunks] == [1000, 3]
    assert {(one["chunk_count"], one["nonce"]) for one in chunks} == {(2, "n")}
    assert [one["user"]["id"] for one in chosen["members"]] == [str(discord.bot.id)]
    assert chosen["not_found"] == ["7"]


async def test_latency_delays_what_the_gateway_sends() -> None:
    async with (
        Loopback(LoopbackSettings(gateway_latency_ms=60)) as discord,
        connected(discord) as client,
    ):
        await client.until(10)
        before = discord.world.now()
        await client.send(1)
        await client.until(11)
        assert discord.world.now() - before >= 0.059


async def test_a_guild_added_later_is_created_and_a_kick_deletes_it(discord: Loopback) -> None:
    async with connected(discord) as client:
        await client.identify()
        guild = discord.add_guild("Later")
        assert (await client.until("GUILD_CREATE"))["name"] == "Later"
        guild.remove_member(discord.bot)
        assert await client.until("GUILD_DELETE") == {"id": str(guild.id), "guild_id": str(guild.id)}
    assert discord.guilds == []


async def test_a_client_that_does_not_answer_does_not_keep_the_loopback() -> None:
    async with Loopback(LoopbackSettings(shutdown_timeout_s=0.05)) as discord:
        http = aiohttp.ClientSession(connector=discord.connector())
        socket = await http.ws_connect(URL)
        client = Client(discord, socket)
        await client.identify()
        ending = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - ending < 5
    assert discord.gateway.connections == set()
    await http.close()
