"""One command's id is in every line that follows from it, in all five actors, up to the first frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from actors.correlation import Correlation, Follower, Message, current, follow
from actors.guild import ACTORS
from actors.messages import Enqueue, GetVoice, Join, LinkPhase, Pause, Seek
from actors.testing import Guild, tracks
from supervision import ActorCrashed, ChildSpec, SupervisorSpec, handles, open_system

if TYPE_CHECKING:
    from collections.abc import Iterator

    from structlog.typing import EventDict

pytestmark = pytest.mark.anyio


class Log:
    """What is logged, from `debug` on."""

    def __init__(self, entries: list[EventDict]) -> None:
        self._entries = entries

    def lines(self, **fields: object) -> list[EventDict]:
        """Those that have these fields."""
        return [line for line in self._entries if fields.items() <= line.items()]

    def actors(self, command: Correlation) -> set[str]:
        """Which of a guild's actors have handled something that follows from this command."""
        handled = self.lines(command_id=command.id, event="handles")
        return {line["actor"].rpartition("/")[2] for line in handled}


@pytest.fixture
def log() -> Iterator[Log]:
    with capture_logs(processors=[merge_contextvars]) as entries:
        yield Log(entries)


async def play(guild: Guild, command: Correlation, *titles: str) -> None:
    """As the command of that name: join, and enqueue."""
    with follow(command):
        await guild.ask(Join(1, 7), "connection")
        await guild.ask(Enqueue(tracks(*titles), 7))


async def test_all_actors_of_a_guild_and_the_first_frame_name_the_command(guild: Guild, log: Log) -> None:
    first, second = Correlation(), Correlation()
    await play(guild, first, "a")
    await guild.until(lambda: bool(log.lines(event="first_frame")))
    await guild.until(lambda: bool(guild.port.embeds))
    (frame,) = log.lines(event="first_frame", command_id=first.id)
    assert 0 <= frame["after_ms"] <= frame["since_command_ms"] <= first.age_ms
    await guild.until(lambda: log.actors(first) == set(ACTORS))
    assert log.lines(event="spool_ready", command_id=first.id)
    assert log.lines(event="voice_state", command_id=first.id, state="READY")

    await play(guild, second, "b")
    await guild.until(lambda: guild.stream.next is not None)
    guild.stream.finish()
    await guild.until(lambda: len(log.lines(event="first_frame")) == 2)
    assert log.lines(event="first_frame")[1]["command_id"] == second.id


async def test_another_place_of_the_same_track_follows_from_the_seek(guild: Guild, log: Log) -> None:
    asked, sought = Correlation(), Correlation()
    await play(guild, asked, "a")
    await guild.until(lambda: bool(log.lines(event="first_frame")))
    with follow(sought):
        await guild.ask(Seek(5.0))
    await guild.until(lambda: bool(log.lines(event="first_frame", command_id=sought.id)))


async def test_what_the_link_says_later_follows_from_no_command(guild: Guild, log: Log) -> None:
    """Its tasks were begun by a command, and live on."""
    command = Correlation()
    await play(guild, command, "a")
    await guild.until(lambda: bool(log.lines(event="voice_state", state="READY")))
    guild.links.gate = type(guild.links.gate)()  # the next attempt takes for ever
    with follow(command):
        guild.links.lose(4006, "session no longer valid")
    await guild.until(lambda: bool(log.lines(event="voice_state", close_code=4006)))
    assert not log.lines(event="voice_state", close_code=4006, command_id=command.id)
    assert (await guild.ask(GetVoice(), "connection")).phase is not LinkPhase.READY


async def test_what_nobody_commanded_has_no_id(guild: Guild, log: Log) -> None:
    await guild.ask(Enqueue(tracks("a"), 7))
    await guild.link()
    await guild.until(lambda: bool(log.lines(event="first_frame")))
    assert not [line for line in log.lines() if "command_id" in line]


class Fragile(Follower):
    @handles(Pause)
    async def pause(self, _message: Pause) -> None:
        raise ValueError("broken")


async def test_a_handler_that_fails_is_told_with_the_commands_id(log: Log) -> None:
    """The event of the crash cannot name it."""
    command = Correlation()
    async with open_system(SupervisorSpec((ChildSpec("x", Fragile),))) as system:
        with follow(command), pytest.raises(ActorCrashed):
            await system.lookup("x").ask(Pause())
    (line,) = log.lines(event="handler_failed")
    assert (line["command_id"], line["actor"], line["message"]) == (command.id, "x", "Pause")


def test_messages_that_say_the_same_are_equal_whoever_commanded_them() -> None:
    with follow(Correlation()):
        commanded = Seek(1.0)
    assert commanded == Seek(1.0)
    assert commanded.correlation is not None
    assert Seek(1.0).correlation is None


def test_within_a_follow_the_command_is_current_and_afterwards_not() -> None:
    outer, inner = Correlation(), Correlation()
    with follow(outer):
        with follow(inner):
            assert current() is inner
        with follow(None):
            assert Message().correlation is outer
    assert current() is None
