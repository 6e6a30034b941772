"""The players of the voice bench, each a process of its own: how it is started, how it is made to play."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio

from loopback.demo.bot import bot_environment
from loopback.errors import NotAnswered
from loopback.waiting import NotSeen
from tests.bench.voice.track import encode_pattern, write_file, write_frames

if TYPE_CHECKING:
    from anyio.abc import Process

    from loopback import Loopback
    from loopback.media_server import MediaServer
    from loopback.world.channels import Channel
    from loopback.world.user import ScriptedUser

ROOT: Final = Path(__file__).resolve().parents[3]
ASKED_AT_ONCE: Final = 8
ANSWER_S: Final = 15.0
READY_S: Final = 60.0
TRACK_S: Final = 1200  # longer than joining 1,000 guilds and the window take together


@dataclass(frozen=True, slots=True)
class Files:
    """The same sound for everybody."""

    frames: Path
    ogg: Path
    webm: Path


def write_files(folder: Path) -> Files:
    """Made once for all runs."""
    pattern = encode_pattern()
    files = Files(folder / "frames.bin", folder / "pattern.ogg", folder / "pattern.webm")
    write_frames(files.frames, pattern)
    write_file(files.ogg, pattern, TRACK_S)
    write_file(files.webm, pattern, TRACK_S)
    return files


@dataclass(frozen=True, slots=True)
class Stage:
    """What a player finds: the embedded Discord with its guilds, and where UDP is received.

    :ivar seats: of each guild a user in its voice channel, and the text channel
    :ivar plays: whether anything is to be played once the player has joined
    """

    discord: Loopback
    media: MediaServer
    seats: list[tuple[ScriptedUser, Channel]]
    files: Files
    folder: Path
    port: int
    plays: bool = True


class Player:
    """Base. `start` returns a process that is ready; `play` makes every stream begin."""

    name: str
    dave = False
    """Whether it can encrypt end to end."""
    joins = True
    """Whether it joins voice channels."""

    async def start(self, stage: Stage, log: int) -> Process:
        """The process, logged in."""
        return await anyio.open_process(
            [sys.executable, *self._command(stage)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=self._environment(stage),
            cwd=ROOT,
        )

    async def play(self, stage: Stage, process: Process) -> None:
        """Make it play in every guild."""
        assert process.stdin is not None
        await process.stdin.send(b"go\n")

    def _command(self, stage: Stage) -> list[str]:
        raise NotImplementedError

    def _environment(self, stage: Stage) -> dict[str, str]:
        return bot_environment(stage.discord, 0, stage.folder, os.environ) | {
            "BENCH_FRAMES": str(stage.files.frames),
            "BENCH_OGG": str(stage.files.ogg),
            "BENCH_PLAYS": str(int(stage.plays)),
            "SSL_CERT_FILE": str(stage.discord.ca_file),
        }


class Ostinato(Player):
    """The whole bot as `ostinato run` starts it; a user in each guild asks for the track."""

    name = "ostinato"
    dave = True
    module = "bot_main"

    async def start(self, stage: Stage, log: int) -> Process:
        """Ready when its commands are registered."""
        process = await anyio.open_process(
            [sys.executable, "-m", self.module, "run"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=self._environment(stage) | {"OSTINATO_GUILD_SYNC": ""},
            cwd=ROOT,
        )
        try:
            user, channel = stage.seats[0]
            await user.wait_command(channel, "play", READY_S)
            await stage.discord.wait_bot(READY_S, shards=stage.discord.settings.recommended_shards)
        except BaseException:
            process.kill()
            raise
        return process

    async def play(self, stage: Stage, process: Process) -> None:
        """By slash commands, a few at a time."""
        asked = {"query": stage.media.url(stage.files.webm.name)} if stage.plays else {}
        command = "play" if stage.plays else "join"
        limit = anyio.CapacityLimiter(ASKED_AT_ONCE)

        async def ask(user: ScriptedUser, channel: Channel) -> None:
            async with limit:
                with suppress(NotAnswered, NotSeen):  # who counts is the receiver
                    await (await user.slash(channel, command, **asked)).wait_answer(ANSWER_S)

        async with anyio.create_task_group() as tasks:
            for seat in stage.seats:
                tasks.start_soon(ask, *seat)


class Rival(Player):
    """A discord.py player of `rival.py`."""

    def __init__(self, kind: str, *, dave: bool) -> None:
        self.name, self.dave = kind, dave

    async def start(self, stage: Stage, log: int) -> Process:
        """Ready when it says so."""
        process = await super().start(stage, log)
        assert process.stdout is not None
        try:
            with anyio.fail_after(READY_S):
                await process.stdout.receive()
        except BaseException:
            process.kill()
            raise
        return process

    def _command(self, stage: Stage) -> list[str]:
        return ["-m", "tests.bench.voice.rival", self.name]


class Floor(Player):
    """An event loop that sends, and nothing else."""

    name = "floor"
    joins = False

    async def play(self, stage: Stage, process: Process) -> None:
        """It begins by itself."""

    def _command(self, stage: Stage) -> list[str]:
        return ["-m", "tests.bench.voice.floor", str(stage.port), str(len(stage.seats))]


PLAYERS: Final = {
    player.name: player
    for player in (Ostinato(), Rival("stock", dave=True), Rival("songbird", dave=False), Floor())
}
