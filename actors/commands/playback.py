"""Commands about the music: what plays, what waits, and how."""

# No postponed annotations here: discord.py reads those of the commands when they are made.

from typing import Literal

import structlog
from discord.ext import commands

from actors import embeds
from actors.media import OFF, MediaError
from actors.messages import (
    Enqueue,
    Enqueued,
    GetNowPlaying,
    GetQueue,
    Leave,
    LinkPhase,
    Move,
    No,
    Pause,
    Phase,
    Remove,
    Resume,
    Seek,
    SetEffect,
    SetLoop,
    SetVolume,
    Shuffle,
    Skip,
    Stop,
    VoiceReport,
)
from actors.pages import LISTS
from actors.queue import Loop

from .desk import FATE_S, TITLE_S, Context, Desk, answer, command, done, guild_of, rest
from .parse import parse_position, parse_query
from .places import bot_channel, check_control, check_may_join, user_channel

log = structlog.get_logger(__name__)

_FILTERED = {OFF: "The music is as it was recorded."}

_LOOPED = {
    Loop.OFF: "Nothing is repeated.",
    Loop.TRACK: "The current track is repeated.",
    Loop.QUEUE: "The whole queue is repeated.",
}


class Playback(commands.Cog):
    """The player's commands."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    @command("play")
    async def play(self, ctx: Context, *, query: str) -> None:
        """Joining and resolving go on side by side; then the tracks are queued."""
        wanted = parse_query(query)
        check_control(ctx)
        channel = user_channel(ctx)
        check_may_join(guild_of(ctx), channel)
        was_away = bot_channel(guild_of(ctx)) is None
        report = await self.desk.join(ctx, channel)
        try:
            page = await self.desk.resolve(wanted, ctx.author.id)
        except (MediaError, No):
            if was_away:
                await self._go_if_idle(ctx, report)
            raise
        report = await self.desk.arrive(ctx, report)
        result = await self.desk.ask(ctx, "player", Enqueue(page.tracks, ctx.channel.id, page.listing))
        fate = await self.desk.fate(ctx, page.tracks[0], TITLE_S if result.position else FATE_S)
        title = embeds.plain(fate.title or page.tracks[0].title)
        if fate.problem is not None:
            raise No(f"**{title}** cannot be played: {embeds.plain(fate.problem, 300)}")
        text = done(_queued(title, result), result, report)
        await answer(ctx, f"{text} {rest(report)}" if report.phase is LinkPhase.RESTING else text)

    async def _go_if_idle(self, ctx: Context, report: VoiceReport) -> None:
        """The bot came for a track that cannot be had, and nothing else plays."""
        now = await self.desk.ask(ctx, "player", GetNowPlaying())
        if now.phase is Phase.IDLE and report.phase is not LinkPhase.AWAY:
            try:
                await self.desk.ask(ctx, "connection", Leave())
            except No:
                log.debug("left_already")

    @command("skip")
    async def skip(self, ctx: Context) -> None:
        check_control(ctx)
        result = await self.desk.ask(ctx, "player", Skip())
        then = (
            f" Next: **{embeds.plain(result.next_title)}**." if result.next_title else " The queue is empty."
        )
        await answer(ctx, done(f"Skipped **{embeds.plain(result.title)}**.{then}", result))

    @command("pause")
    async def pause(self, ctx: Context) -> None:
        check_control(ctx)
        result = await self.desk.ask(ctx, "player", Pause())
        await answer(ctx, done("Paused.", result))

    @command("resume")
    async def resume(self, ctx: Context) -> None:
        check_control(ctx)
        result = await self.desk.ask(ctx, "player", Resume())
        await answer(ctx, done("The music goes on.", result))

    @command("stop")
    async def stop(self, ctx: Context) -> None:
        check_control(ctx)
        result = await self.desk.ask(ctx, "player", Stop())
        await answer(ctx, done("Stopped; the queue is empty.", result))

    @command("queue")
    async def queue(self, ctx: Context, page: int = 1) -> None:
        await answer(ctx, embed=embeds.queue(await self.desk.ask(ctx, "player", GetQueue(page))))

    @command("nowplaying")
    async def nowplaying(self, ctx: Context) -> None:
        await answer(ctx, embed=embeds.now_playing(await self.desk.ask(ctx, "player", GetNowPlaying())))

    @command("seek")
    async def seek(self, ctx: Context, position: str) -> None:
        position_s = parse_position(position)
        check_control(ctx)
        result = await self.desk.ask(ctx, "player", Seek(position_s))
        await answer(ctx, done(f"The track goes on at {embeds.clock(position_s)}.", result))

    @command("volume")
    async def volume(self, ctx: Context, level: int) -> None:
        check_control(ctx)
        result = await self.desk.ask(ctx, "player", SetVolume(level))
        await answer(ctx, done(f"The volume is {level} %.", result))

    @command("filter")
    async def filter(self, ctx: Context, name: Literal["off", "bass", "treble", "soft", "normalise"]) -> None:
        check_control(ctx)
        result = await self.desk.ask(ctx, "player", SetEffect(name))
        await answer(ctx, done(_FILTERED.get(name, f"The filter “{name}” is on."), result))

    @command("loop")
    async def loop(self, ctx: Context, mode: Literal["off", "track", "queue"]) -> None:
        check_control(ctx)
        result = await self.desk.ask(ctx, "player", SetLoop(Loop(mode)))
        await answer(ctx, done(_LOOPED[Loop(mode)], result))

    @command("shuffle")
    async def shuffle(self, ctx: Context) -> None:
        check_control(ctx)
        result = await self.desk.ask(ctx, "player", Shuffle())
        later = " What is still to come of a playlist follows in its own order." if result.lists else ""
        await answer(ctx, done(f"{result.count} tracks wait in a new order.{later}", result))

    @command("remove")
    async def remove(self, ctx: Context, entry: str) -> None:
        check_control(ctx)
        result = await self.desk.ask(ctx, "player", Remove(entry))
        await answer(ctx, done(f"Removed **{embeds.plain(result.title)}**.", result))

    @command("move")
    async def move(self, ctx: Context, entry: str, number: int) -> None:
        check_control(ctx)
        result = await self.desk.ask(ctx, "player", Move(entry, number))
        await answer(ctx, done(f"**{embeds.plain(result.title)}** waits at {result.number} now.", result))


def _queued(title: str, result: Enqueued) -> str:
    """What became of the tracks, in one sentence or two."""
    name = f"**{title}**"
    more = f" and {result.accepted - 1} more" if result.accepted > 1 else ""
    text = f"Playing {name}{more}." if result.position == 0 else f"Queued {name}{more} at {result.position}."
    return text + (f" {result.refused} did not fit into the queue." if result.refused else "") + _rest(result)


def _rest(result: Enqueued) -> str:
    """What becomes of a playlist beyond its first page."""
    if result.left_out:
        return f" The rest of the list is left out: {LISTS} others wait to be fetched."
    rest = result.rest
    if rest is None:
        return ""
    count = (
        f"What it holds beyond that, up to entry {rest.last}," if rest.count is None else f"{rest.count} more"
    )
    bound = f" (it has {rest.total}; {rest.last} is the limit)" if (rest.total or 0) > rest.last else ""
    follows = "follows" if rest.count in (None, 1) else "follow"
    return f" {count} of the list{bound} {follows} as the queue runs short."
