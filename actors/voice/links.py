"""All voice links of the process: one per guild, each with a task tree of its own, none owned by an actor."""

from __future__ import annotations

import itertools
import time
import weakref
from functools import partial
from typing import TYPE_CHECKING, Final

import aiohttp
import anyio
import structlog

from actors.voice.backoff import RetryPolicy
from actors.voice.causes import Fault
from actors.voice.changes import Changes
from actors.voice.errors import VoiceError
from actors.voice.events import Closed
from actors.voice.joining import dispose, is_in_voice, leave_silently, register_again
from actors.voice.link import Link
from actors.voice.link_state import LinkState
from actors.voice.places import check_permissions
from actors.voice.protocol import Protocol
from actors.voice.rhythm import Rhythm
from actors.voice.standing import Standing
from actors.voice.turns import AllTurns, Rank

if TYPE_CHECKING:
    from collections.abc import Callable

    import discord
    from anyio.abc import TaskGroup

    from actors.voice.clock import Clock
    from actors.voice.events import LinkEvent

    OnEvent = Callable[[LinkEvent], None]
    VoiceChannel = discord.VoiceChannel | discord.StageChannel

#: How long a link plays on without an owner: enough for a supervisor to restart the connection actor.
GRACE_S: Final = 30.0
#: How often heartbeats, registrations and grace times are looked at.
_SWEEP_S: Final = 1.0
#: So many are looked at before frames may leave: a thousand at once would hold them up for 5 ms.
_SWEEP_LINKS: Final = 50
#: While the main gateway's sessions stay what they are, each sweep looks at every so manieth registration.
_TURNS: Final = 10
#: How long a connect waits for `run`, which a supervisor may just be restarting.
_START_TIMEOUT_S: Final = 2.0

_log = structlog.get_logger("ostinato.voice")


class Links:
    """Makes, keeps and ends the links; `run` it in an actor's background task."""

    def __init__(
        self,
        clock: Clock,
        make_connector: Callable[[], aiohttp.BaseConnector],
        *,
        policy: RetryPolicy | None = None,
        grace_s: float = GRACE_S,
        client: Callable[[], discord.Client | None] | None = None,
        main_session: Callable[[int], object] | None = None,
        main_sessions: Callable[[], object] | None = None,
    ) -> None:
        """
        :param client: the client that is connected now, None while there is none; links go over to it when
            it has replaced the one that they were made with
        :param main_session: which session of the main gateway serves a guild, None while none does
        :param main_sessions: differs from before after each new session of the main gateway; if nobody can
            tell, one is assumed each time
        :param make_connector: called in `run`; the connector of the voice websockets, which then belongs to
            the links
        """
        self._clock = clock
        self._make_connector = make_connector
        self._policy = policy or RetryPolicy()
        self._grace_s = grace_s
        self._client = client or _no_client
        self._main_session = main_session or _no_session
        self._main_sessions: Callable[[], object] = main_sessions or itertools.count().__next__
        self._sessions: object = None  # `main_sessions` as of the last sweep
        self._unsure: set[int] = set()  # guilds whose session may not know of the bot's place in voice
        self._turns_taken = itertools.cycle(range(_TURNS))
        self._links: dict[int, Link] = {}
        self._unowned: dict[int, float] = {}  # guild id -> when its grace time is over
        self._ends: dict[int, Closed] = {}  # of links that ended by themselves, until there is another
        self._locks: weakref.WeakValueDictionary[int, anyio.Lock] = weakref.WeakValueDictionary()
        self._changes = Changes()
        self._turns = AllTurns()
        self._rhythm = Rhythm(lambda: clock.playing)
        self._tasks: TaskGroup | None = None
        self._http: aiohttp.ClientSession | None = None

    async def run(self) -> None:
        """Drive all links until cancelled. They play on undriven until `run` is called again, or `aclose`."""
        if self._http is None:
            self._http = aiohttp.ClientSession(connector=self._make_connector())
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                for link in self._links.values():
                    tasks.start_soon(self._drive, link, tasks, name=_name(link.guild_id))
                self._changes.announce()
                await self._sweep_forever(tasks)
        finally:
            self._tasks = None
            if not self._links:
                await self.aclose()

    async def aclose(self) -> None:
        """End every link, without leaving its channel; after `run` has ended for good."""
        http, self._http = self._http, None
        with anyio.CancelScope(shield=True):  # each step is bounded by itself
            for link in list(self._links.values()):
                await link.aclose("the voice links were stopped")
            self._links.clear()
            if http is not None:
                await http.close()

    def link(self, guild_id: int) -> Link | None:
        """The living link of a guild, to look at."""
        link = self._links.get(guild_id)
        return None if link is None or link.state is LinkState.CLOSED else link

    def all(self) -> tuple[Link, ...]:
        """Every living link."""
        return tuple(self._links.values())

    def unowned(self) -> list[int]:
        """Guilds whose living link nobody follows any more."""
        return [guild_id for guild_id, link in self._links.items() if link.on_event is None]

    def end_of(self, guild_id: int) -> Closed | None:
        """How the guild's link ended, if it did so by itself and nobody has asked for another since.

        Whoever followed it may have been restarted just then: a kick is not to be taken for a lost link.
        """
        return self._ends.get(guild_id)

    def hear(self, guild_id: int, channel_id: int | None) -> None:
        """Where the bot is now, by the main gateway. A link is told so itself (`Protocol`), but not before it
        is registered with a new client, or in a new main session.
        """
        link, client = self.link(guild_id), self._client()
        guild = None if client is None else client.get_guild(guild_id)
        if link is not None and guild is not None and guild.voice_client is not link.protocol:
            link.standing.hear(channel_id)

    async def connect(
        self, channel: VoiceChannel, *, on_event: OnEvent, timeout_s: float = 15.0, urgent: bool = True
    ) -> Link:
        """Connect to a channel, or move there; a link that is already there is handed over as it is.

        A dead or stale voice client of the guild is disposed of first, and its leave awaited.

        :param urgent: somebody waits for it: its requests go before those of links that recover
        :raises VoiceError: if there is no permission, or no working connection within the time
        """
        guild_id = channel.guild.id
        self._ends.pop(guild_id, None)
        async with self._locks.setdefault(guild_id, anyio.Lock()):
            check_permissions(channel)
            link = self.claim(guild_id, on_event=on_event)
            if link is not None:
                link.retry()
                if link.channel_id != channel.id:
                    await link.move(channel.id)
            else:
                await dispose(channel.guild)
                link = await self._open(channel, on_event)
            link.standing.urgent = urgent
            await self._until_ready(link, timeout_s)
            link.standing.urgent = False
            await link.standing.on_stage()
            return link

    def claim(self, guild_id: int, *, on_event: OnEvent) -> Link | None:
        """Take over the living link of a guild, if there is one: for the successor of a connection actor."""
        link = self.link(guild_id)
        if link is not None:
            link.on_event = on_event
            self._unowned.pop(guild_id, None)
        return link

    def release(self, guild_id: int) -> None:
        """The owner is gone: the link plays on for the grace time, and ends if nobody claims it."""
        link = self.link(guild_id)
        if link is not None:
            link.on_event = None
            self._unowned.setdefault(guild_id, time.monotonic() + self._grace_s)

    async def disconnect(self, guild_id: int) -> None:
        """Leave on purpose; returns when the leave is confirmed or 2 s have passed."""
        self._ends.pop(guild_id, None)
        link = self.link(guild_id)
        if link is not None:
            await link.leave()
            await link.wait(LinkState.CLOSED, timeout_s=2.0)

    async def vacate(self, guild_id: int) -> None:
        """Leave the channel where the bot sits without a link: one that ended for good leaves nobody there to
        be taken for a player.
        """
        client = self._client()
        guild = None if client is None else client.get_guild(guild_id)
        if guild is None or not is_in_voice(guild):
            return
        await self._turns.sends(guild.shard_id).take(Rank.UNHEARD)
        async with self._locks.setdefault(guild_id, anyio.Lock()):
            if self.link(guild_id) is None and is_in_voice(guild):
                await leave_silently(guild)

    # -- making ----

    async def _open(self, channel: VoiceChannel, on_event: OnEvent) -> Link:
        await self._changes.until(lambda: self._tasks is not None, _START_TIMEOUT_S)
        tasks, http = self._tasks, self._http
        if tasks is None or http is None:
            raise VoiceError(None, "the voice links are not running", Fault.INTERNAL)
        stream = self._clock.stream(channel.guild.id)
        made: list[Link] = []

        def register(client: discord.Client, connectable: discord.abc.Connectable) -> Protocol:
            standing = Standing(client, channel.guild.id, channel.id, self._turns)
            standing.main_session = self._main_session(channel.guild.id)
            link = Link(standing, stream, http, on_event=on_event, policy=self._policy, rhythm=self._rhythm)
            link.protocol = Protocol(client, connectable, link)
            made.append(link)
            return link.protocol

        await channel.connect(cls=register)
        link = made[0]
        self._links[channel.guild.id] = link
        self._unowned.pop(channel.guild.id, None)  # the grace time was an earlier link's
        tasks.start_soon(self._drive, link, tasks, name=_name(channel.guild.id))
        return link

    async def _drive(self, link: Link, tasks: TaskGroup) -> None:
        """A link that fails must not take the others with it."""
        try:
            await link.run(tasks)
        except Exception:
            _log.exception("voice_link_failed", guild_id=link.guild_id)
        finally:
            if link.state is LinkState.CLOSED and self._links.get(link.guild_id) is link:
                del self._links[link.guild_id]
                if link.fault is not Fault.LEFT:
                    self._ends[link.guild_id] = Closed(link.close_code, link.close_reason or "", link.fault)

    async def _until_ready(self, link: Link, timeout_s: float) -> None:
        try:
            settled = await link.wait(LinkState.READY, LinkState.CLOSED, timeout_s=timeout_s)
        except BaseException:
            self.release(link.guild_id)  # the owner is gone; its successor may claim the link
            raise
        if link.state is LinkState.READY:
            return
        if not settled:
            await link.leave()
            raise VoiceError(None, link.close_reason or "no voice connection within the time", Fault.TIMEOUT)
        raise VoiceError(link.close_code, link.close_reason or "closed", link.fault)

    # -- keeping ----

    async def _sweep_forever(self, tasks: TaskGroup) -> None:
        while True:
            await anyio.sleep(_SWEEP_S)
            now = time.monotonic()
            for guild_id in self.unowned():
                self._unowned.setdefault(guild_id, now + self._grace_s)
            for guild_id in [guild_id for guild_id, end in self._unowned.items() if end <= now]:
                del self._unowned[guild_id]
                tasks.start_soon(self.disconnect, guild_id)
            for link in self.all():
                link.look_after()
            for number, link in enumerate(self._to_keep_known(), 1):
                if number % _SWEEP_LINKS == 0:
                    await anyio.lowlevel.checkpoint()
                await self._keep_known(link, tasks)

    def _to_keep_known(self) -> list[Link]:
        """All links after a new session of the main gateway, until each guild is served again; else a share,
        for what nobody thought of.
        """
        sessions, turn = self._main_sessions(), next(self._turns_taken)
        if sessions != self._sessions:
            self._sessions, self._unsure = sessions, set(self._links)
        return [
            link
            for number, link in enumerate(self.all())
            if link.guild_id in self._unsure or number % _TURNS == turn
        ]

    async def _keep_known(self, link: Link, tasks: TaskGroup) -> None:
        """A new main session knows nothing of the bot's place in voice, and Discord would soon put it out."""
        forgotten = await register_again(link, self._client())
        session = self._main_session(link.guild_id)
        if session is not None:
            self._unsure.discard(link.guild_id)
        if forgotten or session not in (None, link.standing.main_session):
            link.standing.main_session = session
            affirm = partial(link.standing.affirm, moved=link.standing.look())
            tasks.start_soon(affirm)  # which may have to wait for its turn


def _name(guild_id: int) -> str:
    return f"voice link of guild {guild_id}"


def _no_client() -> None:
    return None


def _no_session(_guild_id: int) -> None:
    return None
