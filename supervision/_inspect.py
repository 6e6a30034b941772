"""Operations on a live actor, as OTP's ``sys``: its state, and holding it still."""

from __future__ import annotations

import re
import reprlib
from typing import TYPE_CHECKING, Final

from ._actor_process import ActorProcess
from ._errors import ActorStopped, AskTimeout, NotAnActor

if TYPE_CHECKING:
    from ._cell import Cell
    from ._system import System

#: Characters of the text of a state, and of one value in it.
STATE_TEXT: Final = 8_000
VALUE_TEXT: Final = 300
#: Values under names like these are not shown.
_SECRET: Final = re.compile(r"token|secret|passw|credential|api_?key", re.IGNORECASE)

_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = VALUE_TEXT // 2
_repr.maxdict = _repr.maxlist = _repr.maxtuple = _repr.maxset = _repr.maxdeque = 8
_repr.maxlevel = 3


def live_actor(system: System, path: str) -> ActorProcess:
    """The incarnation that is up at that path.

    :raises ActorStopped: none is
    :raises NotAnActor: a supervisor is
    """
    cell = actor_cell(system, path)
    process = cell.process
    if not isinstance(process, ActorProcess) or not process.serves:
        raise ActorStopped(f"no actor is up at {path!r}")
    return process


def actor_cell(system: System, path: str) -> Cell:
    """The place of an actor at that path, up or not.

    :raises ActorStopped: none is there
    :raises NotAnActor: a supervisor is
    """
    cell = system.find(path)
    if cell is None or cell.is_over:
        raise ActorStopped(f"nobody lives at {path!r}")
    if cell.mailbox is None:
        raise NotAnActor(f"{path!r} is a supervisor")
    return cell


def state_text(process: ActorProcess) -> str:
    """One line per value of :meth:`Actor.state`, bounded; never raises what that raises."""
    actor = process.actor
    if actor is None:  # pragma: no cover - who serves has one
        raise ActorStopped(f"{process.cell.path} has ended")
    try:
        lines = [f"{name} = {_shown(str(name), value)}" for name, value in sorted(actor.state().items())]
    except Exception as error:  # its own code; to be asked must harm nobody
        lines = [f"<state() failed with {type(error).__name__}>"]
    return "\n".join(lines)[:STATE_TEXT]


def _shown(name: str, value: object) -> str:
    if _SECRET.search(name):
        return "<not shown>"
    try:
        return _repr.repr(value)[:VALUE_TEXT]
    except Exception as error:  # somebody's __repr__
        return f"<repr failed with {type(error).__name__}>"


async def suspend(process: ActorProcess, timeout_s: float) -> None:
    """See :meth:`System.suspend`."""
    quiet = process.suspend()
    if not await quiet.wait(timeout_s):
        raise AskTimeout(f"{process.cell.path} is still busy with a message after {timeout_s} s")
    if process.ended.is_open:
        raise ActorStopped(f"{process.cell.path} ended meanwhile")
