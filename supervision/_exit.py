"""Why an actor or a supervisor ended, as data.

The text of an error is kept and never the exception itself: it would keep the frames, and with them
the dead incarnation, alive.
"""

from __future__ import annotations

import time
import traceback as tracebacks
from dataclasses import dataclass

#: Full tracebacks formatted per second; more crashes than that keep their innermost line only.
#: Formatting costs several restarts, and a restart storm must not become a formatting storm.
TRACEBACKS_PER_S = 10


@dataclass(frozen=True, slots=True)
class ExitReason:
    """Base of the four reasons."""

    def __str__(self) -> str:
        return type(self).__name__.lower()


@dataclass(frozen=True, slots=True)
class Normal(ExitReason):
    """The actor ended itself with ``ctx.stop()``."""


@dataclass(frozen=True, slots=True)
class Shutdown(ExitReason):
    """Its supervisor stopped it."""


@dataclass(frozen=True, slots=True)
class Crashed(ExitReason):
    """An ``Exception`` left a handler, ``on_start``, ``on_stop`` or a background task.

    :ivar error: one line, ``Type: text``
    :ivar traceback: the formatted traceback, or its innermost line in a storm
    """

    error: str
    traceback: str = ""

    def __str__(self) -> str:
        return f"crashed: {self.error}"


@dataclass(frozen=True, slots=True)
class Killed(ExitReason):
    """``system.kill``, or a native cancel by foreign code.

    :ivar by: who did it, for people
    """

    by: str = ""

    def __str__(self) -> str:
        return f"killed by {self.by}" if self.by else "killed"


def crashed(error: BaseException) -> Crashed:
    """The exit reason of an exception, as text; groups of one are unwrapped."""
    error = unwrap(error)
    return Crashed(f"{type(error).__name__}: {error}".rstrip(": "), _format(error))


def unwrap(error: BaseException) -> BaseException:
    """The single leaf of nested exception groups, else the error as it is."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


class _Budget:
    """A token bucket of full tracebacks, on the machine's clock: it saves machine time."""

    def __init__(self) -> None:
        self._tokens = float(TRACEBACKS_PER_S)
        self._at = time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self._tokens = min(TRACEBACKS_PER_S, self._tokens + (now - self._at) * TRACEBACKS_PER_S)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


_budget = _Budget()


def _format(error: BaseException) -> str:
    if _budget.take():
        return "".join(tracebacks.format_exception(error))
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    return f'File "{code.co_filename}", line {trace.tb_lineno}, in {code.co_name}'
