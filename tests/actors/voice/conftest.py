"""A voice server behind TLS, and a stand-in for what the link uses of discord.py.

The stand-in answers op 4 as Discord does (VOICE_STATE_UPDATE, then VOICE_SERVER_UPDATE) with tokens of the
project's own voice server, so that faults of the main gateway can be played one by one. The same link is
tested with the real discord.py against the whole embedded Discord in test_with_discord_py.py.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import anyio
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

with warnings.catch_warnings():  # discord.py imports audioop, which Python 3.13 no longer has
    warnings.simplefilter("ignore", DeprecationWarning)
    import discord  # noqa: F401

from actors.voice import Clock, Ended, Link, LinkEvent, Links, RetryPolicy, Started, StreamEvent
from loopback.certificates import make_certificates
from loopback.voice.server import VoiceServer

if TYPE_CHECKING:
    from pathlib import Path

    from loopback.listening.listener import Frame, Listener
    from loopback.voice.protocol import VoiceSettings

BOT, GUILD = 300, 100


class Everywhere(AbstractResolver):
    """Every host is 127.0.0.1; the port is kept."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0)
        ]

    async def close(self) -> None:
        pass


class Channel:
    """A voice channel as the links see one."""

    user_limit = 0

    def __init__(self, guild: Guild, channel_id: int) -> None:
        self.guild, self.id, self.name = guild, channel_id, f"channel {channel_id}"
        self.allowed = {"view_channel": True, "connect": True, "speak": True, "move_members": False}
        self.members: list[object] = []
        self.voice_states: dict[int, object] = {}

    def permissions_for(self, _member: object) -> SimpleNamespace:
        return SimpleNamespace(**self.allowed)

    async def connect(self, *, cls: Callable[[Any, Any], Any]) -> Any:
        assert self.guild.voice_client is None, "Already connected to a voice channel."
        self.guild.voice_client = cls(self.guild.client, self)
        await self.guild.voice_client.connect(timeout=1.0, reconnect=False)
        return self.guild.voice_client

    def _get_voice_client_key(self) -> tuple[int, str]:
        return self.guild.id, "guild_id"


class Guild:
    """A guild and its part of the main gateway.

    :ivar answers: op 4 is answered at all
    :ivar refreshes: op 4 for the present channel brings new credentials
    :ivar op4: channel ids asked for so far
    """

    unavailable = False
    shard_id = 0

    def __init__(self, client: Client, guild_id: int) -> None:
        self.client, self.id = client, guild_id
        self.voice_client: Any = None
        self.channels: dict[int, Channel] = {}
        self.answers = True
        self.refreshes = True
        self.op4: list[int | None] = []
        self.me = SimpleNamespace(voice=None)
        self._server = 0

    def channel(self, channel_id: int) -> Channel:
        return self.channels.setdefault(channel_id, Channel(self, channel_id))

    get_channel = channel

    def get_member(self, _user_id: int) -> None:
        """Nobody is known by more than an id."""

    @property
    def present(self) -> int | None:
        return self.me.voice.channel.id if self.me.voice else None

    async def change_voice_state(self, *, channel: Any, self_deaf: bool = False) -> None:
        wanted = channel.id if channel is not None else None
        self.op4.append(wanted)
        if not self.answers:
            return
        same = wanted == self.present
        self.place(wanted)
        if wanted is None:
            self.client.voice.revoke(self.id, BOT)
        elif self.refreshes or not same:
            self.serve()

    def place(self, channel_id: int | None) -> None:
        """VOICE_STATE_UPDATE."""
        channel = None if channel_id is None else self.channel(channel_id)
        self.me.voice = channel and SimpleNamespace(channel=channel, suppress=False)
        data = {"channel_id": channel_id and str(channel_id), "session_id": self.client.session_id}
        self._dispatch("on_voice_state_update", data)

    def serve(self, channel_id: int | None = None) -> None:
        """VOICE_SERVER_UPDATE with a new token, for the present channel unless said otherwise."""
        place = channel_id or self.present
        assert place is not None
        token = self.client.voice.issue(self.id, place, BOT, self.client.session_id)
        data = {"token": token, "guild_id": str(self.id), "endpoint": self.client.endpoint}
        self._dispatch("on_voice_server_update", data)

    def lose_server(self) -> None:
        """VOICE_SERVER_UPDATE without an endpoint: the server is gone, another one will be told."""
        self._dispatch(
            "on_voice_server_update", {"token": "void", "guild_id": str(self.id), "endpoint": None}
        )

    def _dispatch(self, name: str, data: dict[str, Any]) -> None:
        if self.voice_client is not None:
            task = asyncio.ensure_future(getattr(self.voice_client, name)(data))
            self.client.tasks.add(task)
            task.add_done_callback(self.client.tasks.discard)


class Client:
    """discord.py's client as the links see it."""

    def __init__(self, voice: VoiceServer, endpoint: str) -> None:
        self.voice, self.endpoint = voice, endpoint
        self.user = SimpleNamespace(id=BOT)
        self.session_id = "0123456789abcdef"
        self.guilds: dict[int, Guild] = {}
        self.tasks: set[asyncio.Future[None]] = set()
        self.closed = False
        self._connection = self  # discord.VoiceProtocol.cleanup goes through it

    def guild(self, guild_id: int = GUILD) -> Guild:
        return self.guilds.setdefault(guild_id, Guild(self, guild_id))

    def get_guild(self, guild_id: int) -> Guild | None:
        return self.guilds.get(guild_id)

    def is_closed(self) -> bool:
        return self.closed

    async def close(self) -> None:
        self.closed = True
        for voice_client in self.voice_clients:
            await voice_client.disconnect(force=True)

    @property
    def voice_clients(self) -> list[Any]:
        return [guild.voice_client for guild in self.guilds.values() if guild.voice_client]

    def _remove_voice_client(self, guild_id: int) -> None:
        self.guilds[guild_id].voice_client = None


class Numbers:
    """A source of numbered frames that are told apart by the listener."""

    def __init__(self, frames: int | None = None, *, mark: int = 0) -> None:
        self._left = itertools.count() if frames is None else iter(range(frames))
        self._mark = mark
        self.ended = False

    def next_frame(self) -> bytes | None:
        number = next(self._left, None)
        if number is None:
            self.ended = True
            return None
        return bytes([0xFC, self._mark]) + number.to_bytes(4, "big") + bytes(60)


def numbers_of(frames: list[Frame], mark: int = 0) -> list[int]:
    """The numbers that a listener heard, in order of arrival."""
    heard = [frame.opus for frame in frames if frame.opus is not None and not frame.silence]
    return [int.from_bytes(opus[2:6], "big") for opus in heard if opus[1] == mark]


class House:
    """Everything that one test needs, with the links and the clock running."""

    def __init__(self, voice: VoiceServer, clients: list[Client], clock: Clock, links: Links) -> None:
        self.voice, self.clients, self.clock, self.links = voice, clients, clock, links
        self.tasks: Any = None
        self._driver = anyio.CancelScope()
        self.events: list[LinkEvent] = []
        self.told: list[StreamEvent] = []

    @property
    def client(self) -> Client:
        return self.clients[-1]

    @property
    def guild(self) -> Guild:
        return self.client.guild()

    @property
    def listener(self) -> Listener:
        return self.voice.listener(GUILD)

    async def drive(self) -> None:
        """Start `Links.run`, as a supervisor would; a former run is killed before."""
        self._driver.cancel()
        self._driver = anyio.CancelScope()
        await self.tasks.start(self._drive, self._driver)

    async def _drive(self, scope: anyio.CancelScope, *, task_status: Any) -> None:
        with scope:
            task_status.started()
            await self.links.run()

    async def connect(self, channel_id: int = 200, *, timeout_s: float = 10.0) -> Link:
        channel: Any = self.guild.channel(channel_id)
        return await self.links.connect(channel, on_event=self.events.append, timeout_s=timeout_s)

    def play(self, source: Any = None, play_id: str = "a") -> None:
        self.clock.stream(GUILD).play(source or Numbers(), play_id, on_event=self.told.append)

    def numbers(self, frames: int | None = None, *, mark: int = 0) -> Numbers:
        return Numbers(frames, mark=mark)

    def heard(self, mark: int = 0) -> list[int]:
        """Numbers of the frames that the listener has heard so far, in order of arrival."""
        return numbers_of(self.listener.frames, mark)

    async def until(self, fact: Callable[[], bool], timeout_s: float = 10.0) -> None:
        with anyio.fail_after(timeout_s):
            while not fact():  # noqa: ASYNC110  (any fact, whoever brings it about)
                await anyio.sleep(0.005)

    async def until_told(self, event: StreamEvent | LinkEvent, timeout_s: float = 10.0) -> None:
        seen: list[Any] = self.told if isinstance(event, Started | Ended) else self.events
        await self.until(lambda: event in seen, timeout_s)


OpenHouse = Callable[..., Any]


@pytest.fixture
def open_house(tmp_path: Path) -> OpenHouse:
    """Opens a house: `async with open_house(settings=..., policy=...) as house`."""
    certificates = make_certificates(tmp_path)

    @asynccontextmanager
    async def open_(
        *,
        settings: VoiceSettings | None = None,
        policy: RetryPolicy | None = None,
        grace_s: float = 30.0,
        main_sessions: Callable[[], object] | None = None,
    ) -> AsyncIterator[House]:
        def connector() -> aiohttp.TCPConnector:
            return aiohttp.TCPConnector(resolver=Everywhere(), ssl=certificates.client_context())

        async with VoiceServer(settings=settings) as voice, _serving(voice, certificates) as port:
            client = Client(voice, f"loopback1.discord.media:{port}")
            clock = Clock()
            clients = [client]
            links = Links(
                clock,
                connector,
                policy=policy,
                grace_s=grace_s,
                client=lambda: cast("Any", clients[-1]),
                main_session=None if main_sessions is None else lambda _guild_id: "served",
                main_sessions=main_sessions,
            )
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(clock.run)
                house = House(voice, clients, clock, links)
                house.tasks = tasks
                await house.drive()
                try:
                    yield house
                finally:
                    tasks.cancel_scope.cancel()
                    await links.aclose()

    return open_


@asynccontextmanager
async def _serving(voice: VoiceServer, certificates: Any) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_get("/", voice.handle)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificates.server_context()).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@pytest.fixture
async def house(open_house: OpenHouse) -> AsyncIterator[House]:
    async with open_house() as opened:
        yield opened
