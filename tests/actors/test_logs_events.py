"""The tree's events as log lines: what is told, how loudly, and how often."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from actors.logs import open_logs
from actors.logs_events import PERIOD_S, TRACEBACKS_PER_PERIOD, TracebackLimit, log_event, log_events
from actors.settings import Settings
from supervision import (
    Actor,
    ChildAdded,
    ChildExited,
    ChildSpec,
    ChildStarted,
    Crashed,
    DeadLetter,
    Event,
    IntensityExceeded,
    Killed,
    Overflowed,
    RestartScheduled,
    Shutdown,
    ShutdownTimeout,
    SlowHandler,
    SnapshotFailed,
    SupervisorSpec,
    Trace,
    handles,
    open_system,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from supervision import EventStream

pytestmark = pytest.mark.anyio

PLAYER = "guilds/42/player"


def settings(level: str = "debug") -> Settings:
    return Settings(data_dir=Path("/d"), admin_socket=Path("/d/a"), log_format="json", log_level=level)


def logged(events: Iterable[Event], limit: TracebackLimit | None = None) -> list[dict[str, Any]]:
    stream, limit = io.StringIO(), limit or TracebackLimit()
    with open_logs(settings(), stream):
        for event in events:
            log_event(event, limit)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def crash(path: str = PLAYER) -> ChildExited:
    return ChildExited(
        path, 1, Crashed("ValueError: x", Trace("ValueError: x\na note", (), ())), started=True
    )


def test_a_crash_is_an_error_with_its_traceback_and_its_guild() -> None:
    (line,) = logged([crash()])
    assert line.pop("time")
    assert line == {
        "event": "crashed", "level": "error", "logger": "actors.logs_events", "actor": PLAYER, "guild_id": 42,
        "incarnation": 1, "error": "ValueError: x", "exception": "ValueError: x\na note",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("event", "level", "words"),
    [
        (ChildStarted(PLAYER, 1), "debug", "started"),
        (ChildStarted(PLAYER, 2), "info", "restarted"),
        (ChildExited(PLAYER, 1, Crashed("E: x"), started=False), "error", "failed to start"),
        (ChildExited(PLAYER, 1, Killed("chaos"), started=True), "warning", "killed by chaos"),
        (ChildExited(PLAYER, 1, Shutdown(), started=True), "debug", "ended"),
        (RestartScheduled(PLAYER, 0.25, 2), "info", "restart scheduled"),
        (IntensityExceeded("guilds/42", 5, 10.0), "error", "supervisor gives up: too many restarts"),
        (ShutdownTimeout(PLAYER, 5.0), "error", "did not stop in time"),
        (Overflowed(PLAYER, "reject", 64), "warning", "mailbox is full"),
        (DeadLetter(PLAYER, object(), "stopped"), "debug", "a message was not handled"),
        (SlowHandler(PLAYER, "Play", 2.0, running=True), "warning", "a handler is slow"),
        (SnapshotFailed(PLAYER, "OSError: x"), "error", "no state was handed over"),
    ],
)
def test_every_event_has_its_level_and_its_words(event: Event, level: str, words: str) -> None:
    (line,) = logged([event])
    assert (line["level"], line["event"], line["guild_id"]) == (level, words, 42)


def test_events_of_no_interest_are_left_out() -> None:
    assert logged([ChildAdded(PLAYER, "actor")]) == []


@pytest.mark.parametrize("path", ["", "discord", "guilds", "guilds/x/player"])
def test_outside_a_guild_there_is_no_guild_id(path: str) -> None:
    (line,) = logged([ChildStarted(path, 2)])
    assert line["actor"] == path
    assert "guild_id" not in line


def test_a_dead_letters_content_is_not_logged() -> None:
    (line,) = logged([DeadLetter(PLAYER, "what a user wrote", "stopped")])
    assert "what a user wrote" not in json.dumps(line)


def test_a_storm_of_crashes_loses_its_tracebacks_but_no_line() -> None:
    now = 0.0
    limit = TracebackLimit(lambda: now)
    lines = logged([*[crash()] * (TRACEBACKS_PER_PERIOD + 2), crash("guilds/7/player")], limit)
    assert ["exception" in line for line in lines] == [True] * TRACEBACKS_PER_PERIOD + [False, False, True]
    now = PERIOD_S
    assert "exception" in logged([crash()], limit)[0]


class Fragile(Actor):
    @handles(str)
    async def on_text(self, message: str) -> None:
        raise ValueError(message)


async def test_a_running_systems_crash_and_restart_are_told() -> None:
    stream = io.StringIO()
    spec = SupervisorSpec((ChildSpec("fragile", Fragile),))
    with open_logs(settings("info"), stream):
        async with open_system(spec) as system, anyio.create_task_group() as group, system.subscribe() as own:
            group.start_soon(log_events, system)
            await anyio.wait_all_tasks_blocked()
            system.lookup("fragile").tell("boom")
            await restarted(own)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["crashed", "restart scheduled", "restarted"]
    assert lines[0]["error"] == "ValueError: boom"


async def restarted(events: EventStream[Event]) -> None:
    with anyio.fail_after(10):
        async for event in events:
            if isinstance(event, ChildStarted):
                return
