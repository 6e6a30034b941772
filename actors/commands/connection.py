"""Commands about the voice connection."""

# No postponed annotations here: discord.py reads those of the commands when they are made.

from discord import app_commands
from discord.ext import commands

from actors import embeds_voice
from actors.messages import GetNowPlaying, GetVoice, Leave, LinkPhase, No, Reconnect, Stop
from supervision import SupervisionError

from .desk import Context, Desk, answer, command, done, guild_of, rest
from .places import check_control, check_may_join, user_channel


class VoiceConnection(commands.Cog):
    """The connection's commands."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    @command("join")
    async def join(self, ctx: Context) -> None:
        check_control(ctx)
        channel = user_channel(ctx)
        check_may_join(guild_of(ctx), channel)
        report = await self.desk.arrive(ctx, await self.desk.join(ctx, channel))
        if report.phase is LinkPhase.RESTING:
            raise No(rest(report))
        await answer(ctx, done(f"Here I am, in {channel.mention}.", report))

    @command("leave")
    async def leave(self, ctx: Context) -> None:
        check_control(ctx)
        left = await self.desk.ask(ctx, "connection", Leave())
        stopped = await self.desk.ask(ctx, "player", Stop())
        await answer(ctx, done("Left the voice channel; the queue is empty.", left, stopped))

    @command("voicestatus")
    async def voicestatus(self, ctx: Context) -> None:
        report = await self.desk.ask(ctx, "connection", GetVoice())
        try:
            now = await self.desk.ask(ctx, "player", GetNowPlaying())
        except SupervisionError:
            now = None  # the connection's state is worth showing without the player's
        await answer(ctx, embed=embeds_voice.status(report, now))

    @command("reconnect")
    @commands.has_permissions(administrator=True)
    @app_commands.default_permissions(administrator=True)
    async def reconnect(self, ctx: Context) -> None:
        voice = getattr(ctx.author, "voice", None)
        fallback = voice.channel.id if voice is not None and voice.channel is not None else None
        report = await self.desk.ask(ctx, "connection", Reconnect(fallback, ctx.channel.id))
        report = await self.desk.arrive(ctx, report)
        if report.phase is LinkPhase.RESTING:
            raise No(rest(report))
        await answer(ctx, done(f"Connected anew to <#{report.channel_id}>.", report))
