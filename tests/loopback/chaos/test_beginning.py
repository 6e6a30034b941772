"""A run whose music never begins ends with a report that says why."""

from __future__ import annotations

import io
import os
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from rich.console import Console

from loopback.chaos import beginning, door
from loopback.chaos.beginning import all_heard, begin
from loopback.chaos.report import read_json
from loopback.chaos.run import run_bot
from loopback.chaos.view import View
from loopback.listening.listener import Listener
from loopback.waiting import NotSeen

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


def scene(*heard: int) -> Any:
    """Guilds by how much was heard there; a bot that never comes."""

    async def never(*_: object) -> None:
        raise NotSeen("1 session of the bot")

    def seat(number: int, frames: int) -> Any:
        listener = Listener(number)
        listener.heard = frames
        return SimpleNamespace(guild=SimpleNamespace(name=f"Guild {number}", listener=listener), user=None)

    seats = [seat(number, frames) for number, frames in enumerate(heard, 1)]
    for one in seats:
        one.text, one.user = None, SimpleNamespace(wait_command=never)
    return SimpleNamespace(seats=seats, discord=SimpleNamespace(wait_bot=never))


async def test_guilds_without_music_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beginning, "HEARD_S", 0.01)
    assert await all_heard(scene(50, 90)) == ""
    assert await all_heard(scene(50, 49)) == "no music within 0.01 s in Guild 2"
    words = await all_heard(scene(*[0] * 9))
    assert words == "no music within 0.01 s in Guild 1, Guild 2, Guild 3 and 6 others"


async def test_a_bot_that_never_comes_is_told() -> None:
    bot: Any = SimpleNamespace(ended=None)
    assert await begin(scene(0), bot) == "the bot did not get ready: 1 session of the bot"


async def test_a_bot_that_ends_at_once_makes_a_report_and_an_exit_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was heard of it but a traceback of the harness, after a minute."""
    monkeypatch.setattr(door, "run_bot", partial(run_bot, tracks=1))
    monkeypatch.setattr(
        "loopback.chaos.bot.bot_environment",
        lambda *_: {"PATH": os.environ["PATH"], "OSTINATO_NO_SUCH_SETTING": "1"},
    )
    said = io.StringIO()
    with anyio.fail_after(40):
        status = await door.run_chaos(
            seed=1, minutes=1, guilds=2, folder=tmp_path, view=View(Console(file=said, width=200))
        )
    assert status == door.FAILED
    report = read_json(tmp_path / "report.json")
    assert [one.words for one in report.violations] == ["the process has ended by itself, status 2"]
    assert (report.violations[0].invariant, report.player.share_heard) == ("beginning", 0.0)
    assert "beginning at 0.0 s: the process has ended by itself, status 2" in said.getvalue()
    assert (tmp_path / "report.html").exists()
    assert "OSTINATO_NO_SUCH_SETTING" in (tmp_path / "bot.log").read_text()
