"""The bot as a user starts it: a process of its own, reached by its environment alone."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from loopback.demo.bot import bot_environment, bot_process, last_lines
from loopback.listening.report import FRAME_NS
from loopback.voice.udp import UdpPort

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from anyio.abc import Process

    from loopback import Loopback

HERE = Path(__file__).parent
READY_S = 30.0


@pytest.fixture
def run_bot(tmp_path: Path) -> Callable[[Loopback], AbstractAsyncContextManager[Process]]:
    """`async with run_bot(discord) as process`: a bot that is logged in and has registered its commands."""

    @asynccontextmanager
    async def run(discord: Loopback) -> AsyncIterator[Process]:
        guild = discord.guilds[0]
        environment = bot_environment(discord, guild.id, tmp_path, os.environ)
        async with bot_process(environment | {"OSTINATO_GUILD_SYNC": ""}, tmp_path) as process:
            try:
                await discord.wait_bot(READY_S)
                yield process
            except BaseException:
                print(*last_lines(tmp_path / "bot.log", 60), sep="\n")  # noqa: T201  # shown with the failure
                raise

    return run


@pytest.fixture
def empty_sender() -> Callable[[], AbstractAsyncContextManager[list[int]]]:
    """`async with empty_sender() as arrivals`: arrival times (ns) of a sender in a process of its own."""

    @asynccontextmanager
    async def run() -> AsyncIterator[list[int]]:
        arrivals: list[int] = []
        async with UdpPort("127.0.0.1", lambda _data, _address, at_ns: arrivals.append(at_ns)) as port:
            process = await anyio.open_process(
                [sys.executable, str(HERE / "empty_sender.py"), str(port.address[1])], stdin=subprocess.PIPE
            )
            async with process:
                yield arrivals

    return run


@pytest.fixture
def p99_error_ms() -> Callable[[list[int]], float]:
    """The 99th percentile of |inter-arrival time - 20 ms|, in ms, of arrival times in ns."""

    def p99(arrivals: list[int]) -> float:
        errors = sorted(abs(b - a - FRAME_NS) / 1e6 for a, b in pairwise(arrivals))
        return errors[int(len(errors) * 0.99)]

    return p99
