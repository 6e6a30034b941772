"""The desk: how commands reach the guild's actors and the media service, and how they answer."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import anyio
import structlog
from discord.ext import commands

from actors.correlation import Correlation, begin, current
from actors.embeds_health import when
from actors.guild import GUILDS, ensure_guild, path_of
from actors.messages import Done, Fate, GetFate, GetVoice, Join, LinkPhase, No, VoiceReport
from supervision import ActorStopped, ChildNotFound, ChildRunning

from .table import described

if TYPE_CHECKING:
    import discord

    from actors.guild import Rooms
    from actors.media import Media, Page, Track
    from actors.telemetry import Spans
    from supervision import Request, System, TreeNode

Context: TypeAlias = commands.Context[commands.AutoShardedBot]
Handler: TypeAlias = Callable[..., Coroutine[Any, Any, None]]

R = TypeVar("R")
log = structlog.get_logger(__name__)

ASK_TIMEOUT_S = 10.0
START_TIMEOUT_S = 5.0
"""For a guild's tree that is just being (re)started."""

JOIN_TIMEOUT_S = 20.0
FATE_S = 4.0
"""A track that takes longer to begin is announced as it is."""

TITLE_S = 1.5
"""A track that waits and whose medium takes longer to state its title is announced by its file's name."""

LOOK_AGAIN_S = 0.02
"""What is asked so often has no correlation: its lines would hide the others of the command."""

NOT_SAVED = " (Done, but not saved: the disk does not take it.)"


@dataclass(frozen=True, slots=True)
class Desk:
    """Shared by all cogs."""

    system: System
    rooms: Rooms
    media: Media
    spans: Spans

    @contextmanager
    def carrying_out(self, ctx: Context, name: str) -> Iterator[None]:
        """The command's log lines and its span; a failure is told where failed commands end (`answers`)."""
        guild_id, kind = guild_of(ctx).id, "text" if ctx.interaction is None else "slash"
        correlation = current() or Correlation()
        with self.spans.command(name, correlation, guild_id=guild_id, kind=kind) as known:
            begin(known)
            log.info("command", command=name, guild_id=guild_id, user_id=ctx.author.id, kind=kind)
            yield
        log.info("command_done", command=name, guild_id=guild_id, took_ms=known.age_ms)

    async def ask(self, ctx: Context, actor: str, request: Request[R]) -> R:
        """The answer of one of the guild's actors; its tree is started if need be.

        :raises No: (and the kernel's errors) see `answers.excuse`
        """
        guild_id = guild_of(ctx).id
        ref = self.system.lookup(path_of(guild_id, actor))
        deadline = anyio.current_time() + START_TIMEOUT_S
        while True:
            try:
                await ensure_guild(self.system, guild_id, self.rooms)
                return await ref.ask(request, timeout=ASK_TIMEOUT_S)
            except (ActorStopped, ChildNotFound):  # the tree is about to start, or the room of all trees
                if anyio.current_time() > deadline:
                    raise
            await anyio.sleep(LOOK_AGAIN_S)

    async def resolve(self, query: str, user_id: int) -> Page:
        """The tracks behind a query, at least one.

        :raises MediaError, No: there is none
        """
        page = await self.media.resolve(query, requested_by=user_id)
        if not page.tracks:
            raise No("Nothing was found.")
        return page

    async def join(self, ctx: Context, channel: discord.VoiceChannel | discord.StageChannel) -> VoiceReport:
        """Be on the way to that channel when this returns."""
        return await self.ask(ctx, "connection", Join(channel.id, ctx.channel.id))

    async def arrive(self, ctx: Context, report: VoiceReport) -> VoiceReport:
        """Wait until the connection that `report` is about is made, or rests after a series that failed.

        :raises No: if it is not made
        """
        wanted = report.channel_id
        with anyio.move_on_after(JOIN_TIMEOUT_S):
            while report.phase is LinkPhase.JOINING:
                await anyio.sleep(LOOK_AGAIN_S)
                report = await self.ask(ctx, "connection", GetVoice(correlation=None))
        if report.phase is LinkPhase.JOINING:
            raise No("The voice connection is not there yet; the bot goes on trying.")
        kept_away = report.channel_id != wanted and report.problem is not None
        if report.phase is LinkPhase.AWAY or kept_away:
            raise No(f"I could not connect to the voice channel: {report.problem or 'it was left again'}.")
        return report

    async def fate(self, ctx: Context, track: Track, limit_s: float) -> Fate:
        """What becomes of a track that is to play now, or next, as far as it is known soon."""
        fate = Fate(settled=False)
        with anyio.move_on_after(limit_s):
            while not fate.settled:
                fate = await self.ask(ctx, "player", GetFate(track.id, correlation=None))
                await anyio.sleep(LOOK_AGAIN_S)
        return fate

    async def tree(self) -> TreeNode:
        """The whole supervision tree, made bit by bit."""
        return await self.system.survey()

    async def guild_tree(self, guild_id: int) -> TreeNode | None:
        """The part of it that is the guild's own; None while there is none."""
        return (await self.tree()).find(f"{GUILDS}/{guild_id}")

    async def restart(self, guild_id: int, actor: str) -> str:
        """Stop one of the guild's actors and start it again, by hand; what came of it, in words.

        If it does not come up, the guild's tree is started anew, by its supervisor and with backoff: an actor
        that was stopped by hand would stay down.
        """
        parent = f"{GUILDS}/{guild_id}"
        try:
            await self.system.terminate_child(parent, actor)
            await self.system.restart_child(parent, actor)
        except (ActorStopped, ChildNotFound, ChildRunning):
            return "others are restarting it at this moment"
        except Exception as error:  # its own, from its start
            log.exception("restart_by_hand_failed", guild_id=guild_id, actor=actor)
            with suppress(ActorStopped):
                await self.system.kill(parent)
            return f"it failed to start ({type(error).__name__}), so all five are started anew"
        return "it is up again"


def guild_of(ctx: Context) -> discord.Guild:
    """The guild of a command; commands are for guilds only."""
    if ctx.guild is None:
        raise commands.NoPrivateMessage
    return ctx.guild


async def answer(ctx: Context, text: str | None = None, *, embed: discord.Embed | None = None) -> None:
    """Answer a command, text or slash (there: the deferred answer)."""
    await (ctx.send(text) if embed is None else ctx.send(text, embed=embed))


def rest(report: VoiceReport) -> str:
    """What is said of a connection that waits for its next attempt."""
    soon = "soon" if report.next_at is None else when(report.next_at)
    return (
        f"The voice connection has failed; the next attempt is {soon}. "
        "An administrator can try at once with `reconnect`."
    )


def done(text: str, *results: Done | VoiceReport) -> str:
    """The answer to a change, which says so if it is in memory only."""
    return text if all(result.saved for result in results) else text + NOT_SAVED


def command(name: str) -> Callable[[Handler], commands.HybridCommand[Any, ..., None]]:
    """A command as text and as slash command, with the description of the table; of a cog with a desk."""

    def make(handler: Handler) -> commands.HybridCommand[Any, ..., None]:
        @wraps(handler)
        async def carry_out(cog: Any, ctx: Context, *args: Any, **named: Any) -> None:
            with cog.desk.carrying_out(ctx, name):
                await handler(cog, ctx, *args, **named)

        return commands.hybrid_command(name=name, description=described(name))(carry_out)

    return make
