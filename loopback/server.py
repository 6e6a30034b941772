"""The embedded Discord as a whole: one TLS port for REST, gateway and voice gateway, and the script's
door.
"""

from __future__ import annotations

import tempfile
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
from aiohttp import web

from loopback.certificates import Certificates, make_certificates
from loopback.faults import Faults
from loopback.gateway.endpoint import Gateway
from loopback.resolver import EverythingHere
from loopback.rest.api import MAX_REQUEST_BYTES, Rest
from loopback.settings import LoopbackSettings
from loopback.voice.server import VoiceServer
from loopback.world.events import Event
from loopback.world.guild import Guild
from loopback.world.model import Member, Role
from loopback.world.permissions import EVERYONE
from loopback.world.user import ScriptedUser
from loopback.world.world import World, new_world

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from loopback.gateway.session import GatewaySession
    from loopback.world.application import Application
    from loopback.world.channels import DirectChannel
    from loopback.world.commands import Commands
    from loopback.world.model import User

GATEWAY_VERSIONS = ("9", "10")
WAIT_BOT_S = 10.0


class Loopback:
    """`async with Loopback() as discord:` — everything of it ends with the block.

    Needs a running asyncio loop (anyio's asyncio backend), binds `settings.host` only. `voice` may replace
    the voice server, which the block then enters and leaves.
    """

    def __init__(self, settings: LoopbackSettings | None = None, *, voice: VoiceServer | None = None) -> None:
        self.settings = settings or LoopbackSettings()
        self.voice = voice or VoiceServer(self.settings.host, settings=self.settings.voice)
        self.world: World = new_world(self.settings, self.voice)
        self.owner = ScriptedUser(self.application.owner.id, "owner", world=self.world)
        """The bot's owner, who also owns every guild that is given no other owner."""
        self.world.application = replace(self.application, owner=self.owner)
        self.rest = Rest(self.world)
        self.gateway = Gateway(self.world)
        self.faults = Faults(self.world, self.gateway, self.rest)
        """Whatever shall go wrong (see :mod:`loopback.faults`)."""
        self._stack = AsyncExitStack()
        self._connectors: list[aiohttp.TCPConnector] = []
        self._certificates: Certificates | None = None
        self._port = 0

    # --- life ---

    async def __aenter__(self) -> Loopback:
        async with AsyncExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ostinato-loopback-"))
            self._certificates = make_certificates(Path(folder))
            await stack.enter_async_context(self.voice)
            await self._serve(stack, self._certificates.server_context())
            stack.push_async_callback(self.gateway.aclose)
            stack.push_async_callback(self._close_connectors)
            stack.callback(self.faults.end_all)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(
            shield=True
        ):  # a cancelled block must not leave sockets; every step is bounded
            await self._stack.aclose()

    async def _serve(self, stack: AsyncExitStack, context: ssl.SSLContext) -> None:
        app = web.Application(client_max_size=MAX_REQUEST_BYTES, middlewares=[self._by_host])
        self.rest.add_routes(app.router)
        runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=self.settings.shutdown_timeout_s,
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, self.settings.host, self.settings.port, ssl_context=context)
        await site.start()
        self._port = runner.addresses[0][1]
        if self.settings.numeric_voice_endpoint:
            self.voice.address = self.address

    async def _close_connectors(self) -> None:
        for connector in self._connectors:
            await connector.close()

    @web.middleware
    async def _by_host(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Tell REST, gateway and voice gateway apart by the name that the client dialled, or by the
        version.
        """
        if request.path != "/" or "v" not in request.query:
            response: web.StreamResponse = await handler(request)
            return response
        if self._is_gateway(request):
            return await self.gateway.handle(request)
        return await self.voice.handle(request)

    def _is_gateway(self, request: web.Request) -> bool:
        host = request.host.partition(":")[0]
        if host.endswith(".discord.media"):
            return False
        return host.endswith(".discord.gg") or request.query["v"] in GATEWAY_VERSIONS

    # --- what a client needs ---

    @property
    def port(self) -> int:
        """The TLS port."""
        return self._port

    @property
    def address(self) -> str:
        """`host:port` of the one TLS port (OSTINATO_DISCORD_ADDRESS)."""
        return f"{self.settings.host}:{self._port}"

    @property
    def ca_file(self) -> Path:
        """The certificate that a client has to trust (OSTINATO_DISCORD_CA)."""
        return self._made.ca_file

    @property
    def _made(self) -> Certificates:
        if self._certificates is None:
            raise RuntimeError("the loopback is not open")
        return self._certificates

    @property
    def application(self) -> Application:
        return self.world.application

    @property
    def application_id(self) -> int:
        return self.world.application.id

    @property
    def token(self) -> str:
        """The bot's token."""
        return self.world.application.token

    @property
    def bot(self) -> User:
        """The bot's account."""
        return self.world.bot

    def connector(self) -> aiohttp.TCPConnector:
        """A connector for discord.py's or disnake's `connector=`: every host is here, and TLS is verified.

        Closed by the client that uses it, else at the end of the block. Needs the running loop.
        """
        made = aiohttp.TCPConnector(
            limit=0,
            resolver=EverythingHere(self.settings.host, self._port),
            ssl=self._made.client_context(),
        )
        self._connectors.append(made)
        return made

    # --- the world of a script ---

    def add_guild(self, name: str, *, owner: User | None = None, guild_id: int | None = None) -> Guild:
        """A guild with the bot in it, invited with the application's permissions."""
        made = Guild(self.world, guild_id or self.world.ids.next(), name, owner or self.application.owner)
        made.roles[made.id] = Role(made.id, "@everyone", EVERYONE)
        role = Role(
            self.world.ids.next(),
            self.bot.name,
            self.application.invite_permissions,
            position=1,
            managed_by=self.bot.id,
        )
        made.roles[role.id] = role
        made.members[made.owner.id] = Member(made.owner)
        made.members[self.bot.id] = Member(self.bot, [role])
        self.world.users.setdefault(made.owner.id, made.owner)
        self.world.guilds[made.id] = made
        self.world.dispatch(Event("GUILD_CREATE", {}, made.id, made_for=made.create_payload))
        return made

    def add_user(self, name: str) -> ScriptedUser:
        """A person, in no guild yet."""
        made = ScriptedUser(self.world.ids.next(), name, world=self.world)
        self.world.users[made.id] = made
        return made

    def direct_channel(self, user: User) -> DirectChannel:
        """The direct messages between the bot and the user."""
        return self.world.direct_channel(user)

    @property
    def guilds(self) -> list[Guild]:
        return list(self.world.guilds.values())

    @property
    def commands(self) -> Commands:
        """Application commands as the bot synced them."""
        return self.world.commands

    @property
    def sessions(self) -> list[GatewaySession]:
        """Gateway sessions with a live connection."""
        return self.gateway.live_sessions

    async def wait_bot(self, timeout_s: float = WAIT_BOT_S, *, shards: int = 1) -> GatewaySession:
        """Until that many sessions of the bot are live; the first of them. Raises NotSeen.

        The client may still have READY to read: what it has cached by then is not known here.
        """
        return await self.world.watch.until(
            lambda: self.sessions[0] if len(self.sessions) >= shards else None,
            timeout_s,
            lambda: f"{shards} session(s) of the bot; there are {len(self.sessions)}",
        )
