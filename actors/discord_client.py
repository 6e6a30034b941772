"""The Discord client as a supervised actor: discord.py's bot, logged in, with the commands.

discord.py reconnects its gateway by itself. What it cannot put right is sorted here: a network that is not
there yet is waited for, a token or intents that Discord refuses end the bot with one line.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

import aiohttp
import anyio
import discord
import structlog
from discord.ext import commands
from tenacity import wait_random_exponential

from supervision import Actor, Backoff, run_foreign

from .identify_pace import IdentifyPace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from supervision import System

    from .settings import Settings
    from .verdict import Verdict

    MakeBot = Callable[[System], "Bot"]
    Setup = Callable[["Bot"], Awaitable[None]]

READY_TIMEOUT_S = 0.3
"""How long discord.py waits for one more guild before it says that it is ready."""

RETRY_MAX_S = 60.0
RETRY = Backoff(wait=wait_random_exponential(multiplier=1.0, max=RETRY_MAX_S), immediate=False)
"""Between attempts to log in while the network or Discord is away: full jitter."""

CLOSE_S = 1.5
"""How long a client may take to close: a gateway that answers no more must not hold up the bot's end."""

CANCEL_AGAIN_S = 0.2
"""A cancel that meets the end of a handshake is lost in discord.py's ``asyncio.wait_for``; so again."""

LOGIN_PAGE = "https://discord.com/developers/applications"

log = structlog.get_logger(__name__)


def intents() -> discord.Intents:
    """What the bot needs, and no more: text commands need the (privileged) message content."""
    wanted = discord.Intents.none()
    wanted.guilds = True
    wanted.voice_states = True
    wanted.guild_messages = True
    wanted.message_content = True
    return wanted


class Bot(commands.AutoShardedBot):
    """discord.py's bot with this project's choices, on as many shards as Discord recommends.

    `setup` adds the commands before it connects.
    """

    def __init__(self, settings: Settings, connector: aiohttp.BaseConnector, setup: Setup) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned_or(settings.prefix),
            intents=intents(),
            connector=connector,
            help_command=None,
            case_insensitive=True,
            strip_after_prefix=True,
            max_messages=None,
            chunk_guilds_at_startup=False,
            guild_ready_timeout=READY_TIMEOUT_S,
            allowed_mentions=discord.AllowedMentions.none(),
            activity=discord.Activity(type=discord.ActivityType.listening, name="/play"),
        )
        self._guild_sync = settings.guild_sync
        self._setup = setup
        self._synced = False
        self._shards_away: set[int] = set()
        self._main_sessions: Counter[int] = Counter()
        self._pace = IdentifyPace()
        self._concurrency: int | None = None

    async def setup_hook(self) -> None:
        """After the login, before the gateway."""
        await self._setup(self)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait for the shard's turn: as many at once as Discord allows this bot, instead of one each 5 s."""
        if not initial and self._concurrency is None:
            self._concurrency = 1 if self.shard_count == 1 else await self._allowed_at_once()
        await anyio.sleep(self._pace.delay_s(shard_id or 0, self._concurrency or 1, anyio.current_time()))

    async def _allowed_at_once(self) -> int:
        try:
            return max((await self.fetch_session_start_limits()).max_concurrency, 1)
        except (discord.DiscordException, OSError, TimeoutError, aiohttp.ClientError):
            return 1  # what Discord allows everybody

    async def _sync(self) -> None:
        """Register the slash commands: in the guilds of the settings at once, else for all guilds."""
        try:
            for guild_id in self._guild_sync:
                guild = discord.Object(guild_id)
                self.tree.copy_global_to(guild=guild)
                await self.tree.sync(guild=guild)
            if not self._guild_sync:
                await self.tree.sync()
        except (discord.DiscordException, OSError, TimeoutError, aiohttp.ClientError) as error:
            # An old registration goes on working, and so do text commands.
            log.warning("slash_commands_not_registered", error=str(error))

    async def on_ready(self) -> None:
        """The first time: register the slash commands, which can be answered from now on."""
        log.info("discord_ready", user=str(self.user), guilds=len(self.guilds))
        if not self._synced:
            self._synced = True
            await self._sync()

    async def on_shard_disconnect(self, shard_id: int) -> None:
        """discord.py connects again by itself; until then nothing can be asked of the shard's guilds."""
        self._shards_away.add(shard_id)
        log.info("gateway_disconnected", shard_id=shard_id)

    async def on_shard_connect(self, shard_id: int) -> None:
        """A new session of the shard."""
        self._shards_away.discard(shard_id)
        self._main_sessions[shard_id] += 1

    def main_session(self, guild_id: int) -> int | None:
        """Which session of its shard serves the guild, counted from 1; None while the guild is not there."""
        guild = self.get_guild(guild_id)
        return None if guild is None or guild.unavailable else self._main_sessions[guild.shard_id]

    @property
    def sessions_made(self) -> int:
        """How many sessions of the main gateway there have been, on all shards together."""
        return self._main_sessions.total()

    async def on_shard_resumed(self, shard_id: int) -> None:
        """The session of the shard goes on."""
        self._shards_away.discard(shard_id)
        log.info("gateway_resumed", shard_id=shard_id)

    @property
    def gateway_away(self) -> bool:
        """Some shard is not connected."""
        return bool(self._shards_away)

    async def on_error(self, event_method: str, /, *_args: object, **_kwargs: object) -> None:
        """A listener that fails is logged; the client goes on."""
        log.error("discord_event_failed", event_name=event_method, exc_info=sys.exception())


class ClientHolder:
    """Where the others find the client that is connected now."""

    def __init__(self) -> None:
        self.client: Bot | None = None

    def current(self) -> Bot | None:
        """The client, or None while there is none."""
        return self.client

    def main_session(self, guild_id: int) -> int | None:
        """As `Bot.main_session`; None while there is no client."""
        return None if self.client is None else self.client.main_session(guild_id)

    def main_sessions(self) -> object:
        """Differs from before after each new session of a shard, and after each new client."""
        return None if self.client is None else (self.client, self.client.sessions_made)


class DiscordClient(Actor):
    """Keeps one client logged in; each attempt has a fresh one, as a closed client cannot be used again."""

    def __init__(self, make_bot: MakeBot, token: str, holder: ClientHolder, verdict: Verdict) -> None:
        self._make_bot = make_bot
        self._token = token
        self._holder = holder
        self._verdict = verdict

    async def on_start(self) -> None:
        """Begin to connect; whoever needs the client sees that it is not there yet."""
        self.ctx.start_soon(self._stay_connected)

    async def _stay_connected(self) -> None:
        failures = 0
        while True:
            started = anyio.current_time()
            problem = await self._connect_once()
            if problem is None:
                raise RuntimeError("Discord's client ended by itself")
            failures = 1 if anyio.current_time() - started > RETRY_MAX_S else failures + 1
            delay_s = RETRY.delay_s(failures)
            log.warning("discord_unreachable", error=problem, retry_in_s=round(delay_s, 1))
            await anyio.sleep(delay_s)

    async def _connect_once(self) -> str | None:
        """Until the client ends; the text of a problem that may pass, else None."""
        bot = self._holder.client = self._make_bot(self.ctx.system)
        try:
            await run_foreign(bot.start, self._token, grace_s=CLOSE_S, again_s=CANCEL_AGAIN_S)
        except discord.LoginFailure:
            self._end("Discord refused the token: check DISCORD_TOKEN, or make a new one at " + LOGIN_PAGE)
            await anyio.sleep_forever()
        except discord.PrivilegedIntentsRequired:
            self._end(
                "Discord refused the intents: switch on 'Message Content Intent' for the bot at " + LOGIN_PAGE
            )
            await anyio.sleep_forever()
        except (
            OSError,
            TimeoutError,
            aiohttp.ClientError,
            discord.HTTPException,
            discord.GatewayNotFound,
        ) as error:
            return str(error) or type(error).__name__
        finally:
            self._holder.client = None
            with anyio.move_on_after(CLOSE_S, shield=True):
                await run_foreign(bot.close, grace_s=0.2)
        return None

    def _end(self, problem: str) -> None:
        self._verdict.end(problem)
