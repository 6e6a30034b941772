"""What happens in the supervision tree, as log lines.

A crash is told with its traceback; when the same actor crashes again and again the traceback is left out for
a while, so that a restart storm is no storm of logs. Every line has the actor's path, and its guild's id.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import structlog

from actors.correlation import Message
from supervision import (
    ChildExited,
    ChildStarted,
    Crashed,
    DeadLetter,
    IntensityExceeded,
    Killed,
    Overflowed,
    RestartScheduled,
    ShutdownTimeout,
    SlowHandler,
    SnapshotFailed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from supervision import Event, System

_log = structlog.get_logger(__name__)

TRACEBACKS_PER_PERIOD = 3
PERIOD_S = 60.0
MAX_PATHS = 1_000

Line = tuple[str, str, dict[str, Any]]
"""Level, words, fields."""


async def log_events(system: System) -> None:
    """Log the events of a system until it ends or the task is cancelled."""
    limit, told = TracebackLimit(), 0
    async with system.subscribe() as events:
        async for event in events:
            log_event(event, limit)
            if events.dropped > told:
                _log.warning("events were lost: the log is slower than the tree", lost=events.dropped - told)
                told = events.dropped


def log_event(event: Event, limit: TracebackLimit) -> None:
    """Log one event, if its type is worth a line."""
    describe = _DESCRIBE.get(type(event))
    if describe is None:
        return
    level, words, fields = describe(event)
    trace = fields.pop("trace", None)
    if trace is not None and limit.take(event.path):
        fields["exception"] = trace.to_text()
    getattr(_log, level)(words, **_whose(event.path), **fields)


class TracebackLimit:
    """Allows a few tracebacks per actor and period; the rest of its crashes are told in one line each."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._periods: dict[str, tuple[float, int]] = {}

    def take(self, path: str) -> bool:
        """Whether this actor may show one more traceback now."""
        now = self._clock()
        start, used = self._periods.get(path, (now, 0))
        if now - start >= PERIOD_S:
            start, used = now, 0
        if len(self._periods) >= MAX_PATHS and path not in self._periods:
            self._periods.pop(next(iter(self._periods)))
        self._periods[path] = (start, used + 1)
        return used < TRACEBACKS_PER_PERIOD


def _whose(path: str) -> dict[str, Any]:
    """The fields that say whom a line is about; paths of guilds are ``guilds/<id>/...``."""
    first, _, rest = path.partition("/")
    guild = rest.partition("/")[0]
    return (
        {"actor": path, "guild_id": int(guild)} if first == "guilds" and guild.isdigit() else {"actor": path}
    )


def _started(event: ChildStarted) -> Line:
    words = "started" if event.incarnation == 1 else "restarted"
    return ("debug" if event.incarnation == 1 else "info"), words, {"incarnation": event.incarnation}


def _exited(event: ChildExited) -> Line:
    fields: dict[str, Any] = {"incarnation": event.incarnation}
    match event.reason:
        case Crashed(error, trace):
            words = "crashed" if event.started else "failed to start"
            return "error", words, fields | {"error": error, "trace": trace}
        case Killed():
            return "warning", str(event.reason), fields
        case reason:
            return "debug", "ended", fields | {"reason": str(reason)}


def _restart(event: RestartScheduled) -> Line:
    return "info", "restart scheduled", {"delay_s": round(event.delay_s, 3), "failures": event.failures}


def _gave_up(event: IntensityExceeded) -> Line:
    fields = {"restarts": event.restarts, "period_s": event.period_s}
    return "error", "supervisor gives up: too many restarts", fields


def _stuck(event: ShutdownTimeout) -> Line:
    return "error", "did not stop in time", {"timeout_s": event.timeout_s}


def _full(event: Overflowed) -> Line:
    return "warning", "mailbox is full", {"policy": event.policy, "capacity": event.capacity}


def _dead(event: DeadLetter) -> Line:
    # Its type only: a message may hold what a user wrote.
    fields: dict[str, Any] = {"message": type(event.message).__name__, "why": event.why}
    if isinstance(event.message, Message) and event.message.correlation is not None:
        fields["command_id"] = event.message.correlation.id
    return "debug", "a message was not handled", fields


def _slow(event: SlowHandler) -> Line:
    fields = {"message": event.message, "seconds": round(event.seconds, 3), "running": event.running}
    return "warning", "a handler is slow", fields


def _no_snapshot(event: SnapshotFailed) -> Line:
    return "error", "no state was handed over", {"why": event.why}


_DESCRIBE: Mapping[type, Callable[[Any], Line]] = {
    ChildStarted: _started,
    ChildExited: _exited,
    RestartScheduled: _restart,
    IntensityExceeded: _gave_up,
    ShutdownTimeout: _stuck,
    Overflowed: _full,
    DeadLetter: _dead,
    SlowHandler: _slow,
    SnapshotFailed: _no_snapshot,
}
