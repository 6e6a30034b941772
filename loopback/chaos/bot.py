"""The bot as a process that is started again after it was killed, and what can be done to it from outside."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
from anyio.streams.text import TextReceiveStream

from loopback.chaos import stepped_clock
from loopback.demo.bot import bot_environment, look_inside
from loopback.processes import descendants

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import Process, TaskGroup

    from loopback import Loopback

STOP_S: Final = 10.0
"""After SIGTERM; a bot that still runs then has broken a promise."""
GONE_S: Final = 60.0
ON_FULL_DISK: Final = ("sh", "-c", 'ulimit -S -f 0; exec "$@"', "sh")
"""Before a command: no file of it grows, until somebody raises the limit."""
IN_FLIGHT_S: Final = 0.05
"""After a kill: what had left the process reaches the embedded Discord."""


@dataclass(eq=False)
class BotProcess:
    """One process at a time. Its log comes through a pipe, which no file-size limit touches.

    :ivar life: number of the process, from 1
    :ivar on_line: is given each line of the log
    """

    discord: Loopback
    folder: Path
    log: Path
    group: TaskGroup
    process: Process | None = None
    life: int = 0
    metrics_port: int = 0
    on_line: Callable[[str], object] = len
    ended: int | None = None
    """Exit status of a process that ended by itself: that should never be."""
    _wanted: set[int] = field(default_factory=set)
    _limits: dict[int, int] = field(default_factory=dict)
    """Of file sizes, as they were before the disk was full."""

    @property
    def socket(self) -> Path:
        """The admin socket."""
        return self.folder / "admin"

    @property
    def pid(self) -> int:
        """Of the process; 0 if there is none."""
        return 0 if self.process is None else self.process.pid

    async def start(self, *, full_s: float = 0.0) -> None:
        """Begin a life.

        :param full_s: the disk is full then, from before the first line of the program, for so long
        """
        self.metrics_port = self.metrics_port or _free_port()
        self.step_clock(0.0)
        clock = Path(stepped_clock.__file__)
        process = await anyio.open_process(
            [
                *(ON_FULL_DISK if full_s else ()),
                sys.executable,
                str(clock),
                str(self._clock),
                "bot_main",
                "run",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment(),
            cwd=self.folder,
        )
        self.life += 1
        self.process = process
        self.group.start_soon(self._follow, process)
        if full_s:
            self.group.start_soon(self._empty_later, full_s, self.life)

    async def _empty_later(self, after_s: float, life: int) -> None:
        await anyio.sleep(after_s)
        if self.process is not None and self.life == life:
            self.empty_disk()

    async def kill(self) -> None:
        """SIGKILL; when this returns, Discord has noticed."""
        process, self.process = self.process, None
        if process is None:
            return
        self._wanted.add(process.pid)
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
            await process.wait()
            await anyio.sleep(IN_FLIGHT_S)
            with anyio.move_on_after(GONE_S):
                while self.discord.sessions:  # noqa: ASYNC110 - a fact of another process
                    await anyio.sleep(0.005)

    async def stop(self) -> int | None:
        """SIGTERM, as an operator would; the exit status, None if it had to be killed."""
        process = self.process
        if process is None:
            return None
        self._wanted.add(process.pid)
        process.send_signal(signal.SIGTERM)
        with anyio.move_on_after(STOP_S):
            code = await process.wait()
            self.process = None
            return code
        await self.kill()
        return None

    def fill_disk(self) -> None:
        """From now on no file of the bot or of its workers grows: the disk is full."""
        for pid in (self.pid, *descendants(self.pid)):
            if before := _limit_files(pid, 0):
                self._limits[pid] = before

    def empty_disk(self) -> None:
        """They may write again, as much as before."""
        for pid in (self.pid, *descendants(self.pid)):
            _limit_files(pid, self._limits.pop(pid, None))
        self._limits.clear()

    def kill_workers(self) -> int:
        """SIGKILL to all processes below the bot's; how many there were."""
        killed = 0
        for pid in descendants(self.pid) if self.pid else []:
            try:
                os.kill(pid, signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                continue
        return killed

    def step_clock(self, seconds: float) -> None:
        """The bot's wall clock is wrong by so much from now on."""
        stepped_clock.set_step(self._clock, seconds)

    @property
    def look_inside(self) -> str:
        """What to type in another terminal to see its tree."""
        return look_inside(self._environment())

    @property
    def _clock(self) -> Path:
        return self.folder / "clock"

    def _environment(self) -> dict[str, str]:
        guild = self.discord.guilds[0]
        return bot_environment(self.discord, guild.id, self.folder, os.environ) | {
            "OSTINATO_GUILD_SYNC": "",
            "OSTINATO_LOG_FORMAT": "json",
            "OSTINATO_ADMIN_SOCKET": str(self.socket),
            "OSTINATO_METRICS_ADDRESS": f"127.0.0.1:{self.metrics_port}",
        }

    async def _follow(self, process: Process) -> None:
        """Keep the log, until the process and its output have ended."""
        rest = ""
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        with self.log.open("w" if self.life == 1 else "a", encoding="utf-8") as kept:
            async for text in TextReceiveStream(process.stdout, errors="replace"):
                kept.write(text)
                *lines, rest = (rest + text).split("\n")
                for line in lines:
                    self.on_line(line)
        code = await process.wait()
        await process.aclose()
        if process.pid not in self._wanted:
            self.ended = code


def _limit_files(pid: int, most_bytes: int | None) -> int | None:
    """No file of the process grows beyond that (None: the most that it may have); what it was before."""
    try:
        before, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        soft = hard if most_bytes is None else most_bytes
        endless = resource.RLIM_INFINITY
        if hard != endless and (soft == endless or soft > hard):
            soft = hard  # it has bound itself meanwhile
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
    except (ProcessLookupError, PermissionError):
        return None  # it has just ended
    return before


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def now_s(began_ns: int) -> float:
    """Seconds since then, by the clock of the listeners' time stamps."""
    return (time.time_ns() - began_ns) / 1e9
