"""The bot as a process, as a person starts it, against the embedded Discord."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio import open_process, run_process

import bot_main
from loopback import Loopback

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import Process

pytestmark = pytest.mark.anyio

ROOT = Path(bot_main.__file__).parent
COMMAND = [sys.executable, "-m", "bot_main"]


@dataclass(frozen=True, slots=True)
class Shell:
    """A person's shell: the environment that the README tells to set."""

    env: dict[str, str]

    async def run(self, *words: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        with anyio.fail_after(30):
            done = await run_process([*COMMAND, *words], env=self.env, cwd=ROOT, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    async def start(self) -> Process:
        return await open_process([*COMMAND, "run"], env=self.env, cwd=ROOT, stdout=PIPE, stderr=PIPE)


@pytest.fixture
async def shell() -> AsyncIterator[Shell]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OSTINATO_", "DISCORD_", "XDG_"))}
    with tempfile.TemporaryDirectory() as folder:
        async with Loopback() as discord:
            discord.add_guild("Guild")
            yield Shell(
                clean
                | {
                    "HOME": folder,
                    "DISCORD_TOKEN": discord.token,
                    "OSTINATO_DATA_DIR": f"{folder}/data",
                    "OSTINATO_DISCORD_ADDRESS": discord.address,
                    "OSTINATO_DISCORD_CA": str(discord.ca_file),
                }
            )


async def line_with(process: Process, words: str) -> dict[str, object]:
    """Read the bot's log up to the line of that event."""
    assert process.stderr is not None
    text = b""
    async for chunk in process.stderr:
        text += chunk
        for line in text.splitlines():
            if words.encode() in line and line.endswith(b"}"):
                found: dict[str, object] = json.loads(line)
                return found
    raise AssertionError(text.decode())


async def test_the_doctor_finds_nothing_wrong(shell: Shell) -> None:
    code, out, err = await shell.run("doctor")
    assert (code, err) == (0, "")
    assert "FAIL" not in out
    assert "permissions=" in out


async def test_run_shows_its_tree_refuses_a_second_one_and_stops_on_purpose(shell: Shell) -> None:
    async with await shell.start() as process:
        with anyio.fail_after(30):
            await line_with(process, "discord_ready")
        code, out, _ = await shell.run("tree", "--json")
        assert code == 0
        assert {"discord", "guilds", "admin"} <= {child["id"] for child in json.loads(out)["children"]}
        assert await shell.run("kill", "steward") == (0, "steward: it is up again, incarnation 2\n", "")
        code, _, err = await shell.run("run")
        assert code == 1
        assert "another bot already runs" in err
        process.send_signal(signal.SIGTERM)
        with anyio.fail_after(5):
            assert await process.wait() == 0
    code, _, err = await shell.run("tree")
    assert code == 1
    assert "no bot is running" in err


async def test_a_refused_token_ends_the_bot_with_words(shell: Shell) -> None:
    shell.env["DISCORD_TOKEN"] = "not-the-token-of-this-discord"
    code, _, err = await shell.run("run")
    assert code == 1
    assert "Discord refused the token" in err
    assert shell.env["DISCORD_TOKEN"] not in err
