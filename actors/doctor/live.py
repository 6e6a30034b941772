"""``ostinato doctor --live GUILD CHANNEL``: what only the real voice servers can tell.

It joins the channel with the bot's token, plays for a while, and cuts its own voice websocket once, to see
whether the session can be resumed. Nobody need listen; if somebody does, end-to-end encryption is seen too.
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import anyio
import discord

from actors.doctor.chime import Repeated, chime
from actors.doctor.live_findings import judge
from actors.doctor.report import Finding, fail
from actors.network import make_connector
from actors.voice import Clock, Links, Lost, Ready, VoiceError, cause_of
from supervision import run_foreign

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from actors.settings import Settings
    from actors.voice import Link, LinkEvent, LinkStatus, StreamStatus

    VoiceChannel = discord.VoiceChannel | discord.StageChannel

PLAY_S: Final = 30.0
READY_TIMEOUT_S: Final = 60.0
GUILD_TIMEOUT_S: Final = 1.0
"""For one more guild, when the client logs in."""

JOIN_TIMEOUT_S: Final = 20.0
RESUME_TIMEOUT_S: Final = 10.0
_CLOSE_S: Final = 1.5
_LOOK_AGAIN_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Place:
    """Where to play: ids of a guild and of a voice channel in it."""

    guild_id: int
    channel_id: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen.

    :ivar played_s: how long frames were due
    :ivar resume_s: from the cut to the first news that packets can leave again, None if none came
    :ivar resumed: the voice server answered RESUMED, and the session went on
    :ivar refusal: why it was not resumed, in words
    """

    link: LinkStatus
    stream: StreamStatus
    played_s: float
    resume_s: float | None
    resumed: bool
    refusal: str | None


class _UnfitError(Exception):
    """It cannot be tried; the finding says why, and what to do."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.what)
        self.finding = finding


async def examine_live(settings: Settings, place: Place, *, play_s: float = PLAY_S) -> list[Finding]:
    """Join, play, and say what was seen; the channel is left again whatever happens."""
    findings: list[Finding] = []
    source = Repeated(chime())
    try:
        async with _logged_in(settings, place.guild_id) as client:
            channel = find_channel(client, place)
            async with _links(settings, client) as (clock, links):
                findings = judge(await _play(clock, links, channel, source, play_s))
    except* _UnfitError as group:
        findings = [error.finding for error in _leaves(group) if isinstance(error, _UnfitError)]
    except* VoiceError as group:
        findings = [_refused(error) for error in _leaves(group) if isinstance(error, VoiceError)]
    return findings


def _leaves(group: BaseExceptionGroup[Any]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _refused(error: VoiceError) -> Finding:
    return fail("voice", str(error), cause_of(error.code, error.fault).advice)


def find_channel(client: discord.Client, place: Place) -> VoiceChannel:
    """
    :raises _UnfitError: there is no such channel, or the bot plays in that guild already
    """
    guild = client.get_guild(place.guild_id)
    if guild is None:
        known = ", ".join(f"{each.name} ({each.id})" for each in client.guilds[:10]) or "none"
        raise _UnfitError(
            fail("guild", f"the bot is in no guild with the id {place.guild_id}", f"it is in: {known}")
        )
    channel = guild.get_channel(place.channel_id)
    if not isinstance(channel, discord.VoiceChannel | discord.StageChannel):
        known = ", ".join(f"{each.name} ({each.id})" for each in guild.voice_channels[:10]) or "none"
        what = f"{guild.name} has no voice channel with the id {place.channel_id}"
        raise _UnfitError(fail("channel", what, f"it has: {known}"))
    if guild.me.voice is not None:
        what = f"the bot is in voice in {guild.name} already"
        raise _UnfitError(fail("channel", what, "use leave there, or stop the bot"))
    return channel


@asynccontextmanager
async def _logged_in(settings: Settings, guild_id: int) -> AsyncIterator[discord.Client]:
    wanted = discord.Intents.none()
    wanted.guilds = wanted.voice_states = True
    client = discord.AutoShardedClient(
        intents=wanted,
        connector=make_connector(settings),
        chunk_guilds_at_startup=False,
        max_messages=None,
        guild_ready_timeout=GUILD_TIMEOUT_S,
    )
    problems: list[str] = []

    async def stay() -> None:
        try:
            await run_foreign(client.start, settings.token, grace_s=_CLOSE_S)
        except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError) as error:
            problems.append(str(error) or type(error).__name__)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stay)
        try:
            await _until_there(client, guild_id, problems)
            yield client
        finally:
            tasks.cancel_scope.cancel()
            with anyio.move_on_after(_CLOSE_S, shield=True):
                await run_foreign(client.close, grace_s=0.2)


async def _until_there(client: discord.Client, guild_id: int, problems: list[str]) -> None:
    """Until the guild is known, or all guilds are and it is none of them."""

    def there() -> bool:
        guild = client.get_guild(guild_id)
        return client.is_ready() or (guild is not None and not guild.unavailable)

    with anyio.move_on_after(READY_TIMEOUT_S):
        while not there() and not problems:  # noqa: ASYNC110 - discord.py has no event for it before the login
            await anyio.sleep(_LOOK_AGAIN_S)
    if not there():
        what = problems[0] if problems else f"not ready after {READY_TIMEOUT_S:.0f} s"
        raise _UnfitError(fail("login", f"Discord's gateway: {what}", "run `ostinato doctor` without --live"))


@asynccontextmanager
async def _links(settings: Settings, client: discord.Client) -> AsyncIterator[tuple[Clock, Links]]:
    clock = Clock()
    links = Links(clock, lambda: make_connector(settings), client=lambda: client)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(clock.run)
        tasks.start_soon(links.run)
        try:
            yield clock, links
        finally:
            tasks.cancel_scope.cancel()
            await links.aclose()


async def _play(clock: Clock, links: Links, channel: VoiceChannel, source: Repeated, play_s: float) -> Seen:
    events: list[LinkEvent] = []
    link = await links.connect(channel, on_event=events.append, timeout_s=JOIN_TIMEOUT_S)
    stream = clock.stream(channel.guild.id)
    began = time.monotonic()
    try:
        stream.play(source, "chime", on_event=lambda _event: None)
        await anyio.sleep(play_s / 2)
        resume_s = await _cut(link, events)
        await anyio.sleep(play_s / 2)
        status, played_s = link.status(), time.monotonic() - began
    finally:
        stream.stop()
        with anyio.CancelScope(shield=True):  # bounded by itself
            await links.disconnect(channel.guild.id)
    refusals = [each.reason for each in events if isinstance(each, Lost) and not each.resumable]
    return Seen(
        link=status,
        stream=stream.status(),
        played_s=played_s,
        resume_s=resume_s,
        resumed=status.resumes > 0,
        refusal=refusals[0] if refusals else None,
    )


async def _cut(link: Link, events: list[LinkEvent]) -> float | None:
    """Cut the voice websocket; seconds until packets can leave in a session that has one again."""
    events.clear()
    began = time.monotonic()
    link.cut()
    with anyio.move_on_after(RESUME_TIMEOUT_S):
        while not any(isinstance(event, Ready) for event in events):  # noqa: ASYNC110 - told in a list
            await anyio.sleep(_LOOK_AGAIN_S)
        return time.monotonic() - began
    return None
