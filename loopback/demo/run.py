"""The demo: an embedded Discord, the bot as a process of its own, a user who asks for music, and a listener.

The bot is started as `ostinato run` would start it and knows nothing of the demo; all that is judged is what
its voice packets sounded like at the listener's.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio

from loopback.demo.bot import (
    BotEndedError,
    bot_environment,
    bot_process,
    last_lines,
    look_inside,
    raise_when_ended,
)
from loopback.demo.follow import Follower
from loopback.demo.plan import Item, NotPlayableError, check, make_plan
from loopback.demo.progress import Display
from loopback.errors import NotAnswered
from loopback.interrupted import until_interrupted
from loopback.listening.files import write_ogg, write_report
from loopback.listening.heard import Hearing, hear
from loopback.media_server import MediaServer
from loopback.server import Loopback
from loopback.waiting import NotSeen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loopback.world.channels import TextChannel, VoiceChannel
    from loopback.world.guild import Guild
    from loopback.world.message import Message
    from loopback.world.user import ScriptedUser

OK: Final = 0
FAILED: Final = 1
BAD_USAGE: Final = 2

READY_S: Final = 60.0  # until the bot is connected and its commands are synced
ANSWER_S: Final = 60.0  # until the bot has answered a request for a track
START_S: Final = 20.0  # from the answer to the first frame
DECLINED_S: Final = 1.5  # the same when the bot seems to have given up
STALL_S: Final = 8.0  # without any music in between
POLL_S: Final = 0.1
LONGEST_TMP: Final = 60  # bytes
NAMES: Final = ("ostinato-heard.ogg", "ostinato-heard.json", "ostinato-heard.png")


class DemoFailedError(Exception):
    """The demo cannot go on; the message is the one line that says why."""


class NothingPlayedError(DemoFailedError):
    """The bot answered, but not with music; its answer has been shown."""


_PROMISES: Final = (
    "Playing",
    "Queued",
)  # how the bot's answer begins when music will follow: then wait longer
_TITLE: Final = re.compile(r"^Playing \*\*(.+?)\*\*")
_EXPECTED: Final = (DemoFailedError, BotEndedError, NotPlayableError, NotSeen, NotAnswered)


@dataclass(slots=True, eq=False)
class Stage:
    """Everything that takes part in one demo."""

    discord: Loopback
    guild: Guild
    voice: VoiceChannel
    text: TextChannel
    user: ScriptedUser
    display: Display
    items: Sequence[Item] = ()
    seen: set[int] = field(default_factory=set)
    promised: bool = False


async def run_demo(
    play: str | None = None, seconds: float | None = None, *, display: Display | None = None
) -> int:
    """Run the demo; returns its exit code.

    `play` is a file or link (None: the project's own music), `seconds` bounds what is listened to. The files
    of NAMES are left in the working folder. 0: everything asked for was heard in order, nothing lost, no gap
    above 60 ms; 1: not so; 2: bad usage; 130: interrupted. Runs on asyncio.
    """
    display = display or Display()
    if seconds is not None and not 0 < seconds < float("inf"):
        display.failure(f"seconds must be more than 0, not {seconds:g}")
        return BAD_USAGE
    try:
        check(play)
    except NotPlayableError as error:
        display.failure(str(error))
        return FAILED
    return await until_interrupted(partial(_run, play, seconds, display), display.failure)


async def _run(play: str | None, seconds: float | None, display: Display) -> int:
    # The bot's admin socket is to lie in this folder, and a socket's path may have about 100 bytes only.
    place = "/tmp" if len(tempfile.gettempdir()) > LONGEST_TMP and os.access("/tmp", os.W_OK) else None  # noqa: S108
    with tempfile.TemporaryDirectory("", "ostinato-demo-", place, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            return await _play(play, seconds, folder, display)
        except _EXPECTED as error:
            failure: Exception = error
        except BaseExceptionGroup as group:
            failure = _only_expected(group)
        display.failure(str(failure))
        if not isinstance(failure, NothingPlayedError) and (lines := last_lines(folder / "bot.log")):
            display.quote("the last lines of the bot's log:", lines)
        return FAILED


def _only_expected(group: BaseExceptionGroup[BaseException]) -> Exception:
    """The first failure in a task group's; anything unexpected in it is raised again."""
    known, rest = group.split(_EXPECTED)
    if known is None or rest is not None:
        raise group
    error: BaseException = known
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, Exception)  # noqa: S101 - split() saw to it
    return error


async def _play(play: str | None, seconds: float | None, folder: Path, display: Display) -> int:
    async with Loopback() as discord, MediaServer() as server:
        stage = _set_up(discord, display)
        display.step(f"an embedded Discord listens on {discord.address}")
        stage.items = await anyio.to_thread.run_sync(make_plan, play, seconds, folder, server)
        environment = bot_environment(discord, stage.guild.id, folder, os.environ)
        display.hint(f"see its actors from another terminal: {look_inside(environment)}")
        async with bot_process(environment, folder) as process, anyio.create_task_group() as group:
            group.start_soon(raise_when_ended, process)
            await _perform(stage)
            group.cancel_scope.cancel()
        display.step("the bot has been stopped")
        hearing = await anyio.to_thread.run_sync(_conclude, stage)
    display.report(hearing.reports)
    display.console.print(f"left here: {', '.join(NAMES)}")
    return OK if all(report.ok for report in hearing.reports) else FAILED


def _set_up(discord: Loopback, display: Display) -> Stage:
    guild = discord.add_guild("The Listening Room")
    voice, text = guild.add_voice_channel("Music"), guild.add_text_channel("general")
    user = discord.add_user("alice")
    guild.add_member(user)
    return Stage(discord, guild, voice, text, user, display)


async def _perform(stage: Stage) -> None:
    """From the bot's arrival to the last note."""
    await stage.discord.wait_bot(READY_S)
    await stage.user.wait_command(stage.text, "play", READY_S)
    stage.display.step("the bot is connected, its slash commands are there")
    await stage.user.join(stage.voice)
    stage.display.step(f"{stage.user.name} joins the voice channel {stage.voice.name}")
    await _ask_by_slash(stage, stage.items[0])
    follower = Follower(stage.items, stage.guild.listener)
    await _first_sound(stage, follower)
    await _ask_by_text(stage, stage.items[1])
    with stage.display.music():
        await _follow(stage, follower)


async def _ask_by_slash(stage: Stage, item: Item) -> None:
    stage.display.says(stage.user.name, f"/play {item.query}")
    interaction = await stage.user.slash(stage.text, "play", query=item.query)
    answer = await interaction.wait_answer(ANSWER_S)
    stage.seen.add(answer.id)
    stage.promised = answer.text.startswith(_PROMISES)
    if item.named_by_bot and (title := _TITLE.search(answer.text)):
        renamed = replace(item, asked=replace(item.asked, title=title[1]))
        stage.items = [renamed, *stage.items[1:]]
    stage.display.says("the bot", answer.text)


async def _ask_by_text(stage: Stage, item: Item) -> None:
    await _write(stage, f"!play {item.query}")


async def _write(stage: Stage, command: str) -> None:
    stage.display.says(stage.user.name, command)
    said = await stage.user.say(stage.text, command)
    answer = await stage.text.wait_message(
        lambda message: (
            message.author is stage.discord.bot and message.id > said.id and bool(message.content)
        ),
        ANSWER_S,
    )
    stage.seen.add(answer.id)
    stage.display.says("the bot", answer.text)


async def _first_sound(stage: Stage, follower: Follower) -> None:
    """Waits until music is heard; says what the bot said if it is not."""
    give_up = time.monotonic() + START_S
    while follower.current < 0:
        follower.update()
        if _declined(stage):
            give_up = min(give_up, time.monotonic() + DECLINED_S)
        if time.monotonic() > give_up:
            kind = NothingPlayedError if _declined(stage) else DemoFailedError
            _show_unseen(stage)
            raise kind(f"nothing was played for {stage.items[0].query}")
        await anyio.sleep(POLL_S)


def _declined(stage: Stage) -> bool:
    """Whether the bot has refused, has left again, or has had more to say after its answer."""
    gone = stage.guild.voice_of(stage.discord.bot) is None
    return gone or not stage.promised or any(message.content for message in _unseen(stage))


async def _follow(stage: Stage, follower: Follower) -> None:
    """Shows what is heard until the last track has ended; skips a track of which enough was heard."""
    skipped, shown = -1, follower.current
    while not follower.finished:
        follower.update()
        if follower.current != shown:
            _show_place(stage, follower, shown)  # where the one before ended
            shown = follower.current
        _show_place(stage, follower, shown)
        if follower.quiet_s > STALL_S:
            _show_unseen(stage)
            stage.display.failure(f"no music was heard for {STALL_S:g} s")
            return
        stop_s = follower.item.stop_s
        if stop_s is not None and skipped != follower.current and follower.place_s >= stop_s:
            skipped = follower.current
            await _write(stage, "!skip")
        await anyio.sleep(POLL_S)


def _show_place(stage: Stage, follower: Follower, index: int) -> None:
    asked = stage.items[index].asked
    note = f"longest gap {follower.longest_gap_ms:.0f} ms"
    stage.display.heard(asked.title, follower.places_s.get(index, 0.0), asked.seconds, note)


def _show_unseen(stage: Stage) -> None:
    """What the bot has written that was not shown yet."""
    for message in _unseen(stage):
        stage.seen.add(message.id)
        stage.display.says("the bot", message.text)


def _unseen(stage: Stage) -> list[Message]:
    mine = [message for message in stage.text.messages if message.author is stage.discord.bot]
    return [message for message in mine if message.id not in stage.seen and message.text.strip()]


def _conclude(stage: Stage) -> Hearing:
    """Judge what was heard, and leave the three files."""
    from loopback.listening.picture import draw  # matplotlib takes a second to come

    frames = list(stage.guild.listener.frames)
    hearing = hear(frames, [item.asked for item in stage.items])
    ogg, report, picture = (Path(name) for name in NAMES)
    write_ogg(ogg, frames)
    write_report(report, hearing.reports)
    draw(picture, hearing)
    return hearing
