"""Correlation ids: what follows from a command is known by the command's id, from actor to actor.

A command begins a correlation in the task that carries it out. A message takes that of the task which makes
it; the actor that handles the message has it until it is done, and so have the messages and background tasks
that it makes meanwhile. Every log line of all these has the id as `command_id`.

Rooms that know nothing of the bot find it where structlog keeps its context.
"""

from __future__ import annotations

import secrets
import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from structlog.contextvars import bind_contextvars, reset_contextvars

from supervision import Actor, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Correlation:
    """One command.

    :ivar id: short, and unique for as long as logs are read together
    :ivar began: in seconds of the monotonic clock
    :ivar trace: the context of its span, for the spans below it; None without OpenTelemetry
    """

    id: str = field(default_factory=lambda: secrets.token_hex(4))
    began: float = field(default_factory=time.monotonic)
    trace: Any = None

    @property
    def age_ms(self) -> float:
        """Since the command was given."""
        return round(1000 * (time.monotonic() - self.began), 1)


_current: ContextVar[Correlation | None] = ContextVar("correlation", default=None)


def current() -> Correlation | None:
    """What is done here follows from this command; None for what nobody has commanded."""
    return _current.get()


def begin(correlation: Correlation) -> None:
    """For the rest of this task, and for all that follows from it."""
    _current.set(correlation)
    bind_contextvars(command_id=correlation.id)


def forget() -> None:
    """What is done here from now on follows from no command."""
    _current.set(None)
    structlog.contextvars.unbind_contextvars("command_id")


@contextmanager
def follow(correlation: Correlation | None) -> Iterator[None]:
    """What is done within follows from that command, if from any."""
    if correlation is None:
        yield
        return
    before, bound = _current.set(correlation), bind_contextvars(command_id=correlation.id)
    try:
        yield
    finally:
        _current.reset(before)
        reset_contextvars(**bound)


@dataclass(frozen=True, slots=True)
class Message:
    """Base of what a guild's actors say to each other; what is equal says the same, whoever commanded it."""

    correlation: Correlation | None = field(default_factory=current, kw_only=True, compare=False, repr=False)


class Follower(Actor):
    """An actor that handles each message as a part of the command that it follows from."""

    async def receive(self, message: object) -> object:
        """By the marked method. A failure is told here, with the command's id: a crash's event has none."""
        correlation = message.correlation if isinstance(message, Message) else None
        if correlation is None:
            return await super().receive(message)
        with follow(correlation):
            told = {"actor": self.ctx.path, "message": type(message).__name__}
            log.debug("handles", **told)
            try:
                return await super().receive(message)
            except Refusal:
                raise
            except Exception:
                log.warning("handler_failed", **told)
                raise
