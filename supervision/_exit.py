"""Why an actor or a supervisor ended, as data.

The text of an error is kept and never the exception itself: it would keep the frames, and with them
the dead incarnation, alive.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ._trace import Trace, trace_of


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
    :ivar trace: where it happened, without the frames
    """

    error: str
    trace: Trace | None = field(default=None, compare=False, repr=False)

    @property
    def traceback(self) -> str:
        """As text, made when it is asked for: that costs more than a restart."""
        return "" if self.trace is None else self.trace.to_text()

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


#: Those that are failures. A tuple made once: ``A | B`` in a check is made anew each time.
FAILURES: Final = (Crashed, Killed)


def crashed(error: BaseException) -> Crashed:
    """The exit reason of an exception, as text; groups of one are unwrapped."""
    error = unwrap(error)
    trace = trace_of(error)
    return Crashed(trace.head.partition("\n")[0] if "\n" in trace.head else trace.head, trace)


def unwrap(error: BaseException) -> BaseException:
    """The single leaf of nested exception groups, else the error as it is."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
