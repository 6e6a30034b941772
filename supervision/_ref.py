"""Addresses of actors."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ._actor_process import current
from ._errors import ActorStopped, AskCycle, AskTimeout, MailboxFull, NotAnActor
from ._events import DeadLetter
from ._native import task_id
from ._slot import Ask

if TYPE_CHECKING:
    from ._actor import Request
    from ._actor_process import ActorProcess
    from ._cell import Cell
    from ._mailbox import Mailbox
    from ._system import System

R = TypeVar("R")


class Ref:
    """Whoever lives at a path, whenever it is used: stable over restarts, of supervisors above too.

    Usable from every task of the event loop.
    """

    __slots__ = ("_box", "_cell", "_path", "_system")

    def __init__(self, system: System, path: str) -> None:
        self._path = path
        self._system = system
        self._cell: Cell | None = None
        self._box: Mailbox | None = None

    def __repr__(self) -> str:
        return f"<Ref {self._path!r}>"

    def __eq__(self, other: object) -> bool:
        return type(other) is Ref and (other._system, other._path) == (self._system, self._path)

    def __hash__(self) -> int:
        return hash((id(self._system), self._path))

    @property
    def path(self) -> str:
        """From the root, for example ``guilds/42/player``."""
        return self._path

    def tell(self, message: object) -> None:
        """Put a message into the mailbox; never waits.

        :raises ActorStopped: if nobody lives there
        :raises MailboxFull: if it is full and its policy is to reject
        """
        box = self._box
        if box is not None and len(queue := box.queue) < box.mark:
            queue.append(
                message
            )  # what Mailbox.put does below the mark: its call would be a third of all this
            if box.waker is not None:
                box.wake()
        else:
            self._open_box(message).put(message)

    def tell_threadsafe(self, message: object) -> None:
        """The same from any thread; what cannot be delivered becomes a :class:`DeadLetter`.

        :raises ActorStopped: if the event loop has ended
        """
        try:
            self._system.portal(lambda: self._deliver(message))
        except RuntimeError as error:  # both backends say so when their loop is gone
            raise ActorStopped(f"the system of {self.path} has ended") from error

    async def send(self, message: object) -> None:
        """Put a message into the mailbox as soon as there is room.

        :raises ActorStopped: if nobody lives there, or it ends meanwhile
        """
        await self._mailbox(message).send(message)

    async def ask(self, request: Request[R], timeout: float = 5.0) -> R:
        """Send a request and wait for its answer.

        When this ends without an answer and the actor has not begun, the request never runs.

        :param timeout: seconds, ``math.inf`` for none
        :raises Refusal: (or its subclass) the actor's expected "no"
        :raises AskTimeout: no answer in time
        :raises AskCycle: this actor would wait for itself
        :raises ActorCrashed: it crashed or was killed over this request
        :raises ActorStopped: nobody lives there, or it ended before it answered
        :raises MailboxFull: its mailbox is full and rejects
        :raises MessageDropped: its mailbox dropped the request
        """
        box = self._mailbox(request)
        caller = _asking_actor()
        if caller is not None:
            self._forbid_cycle(caller)
        ask = Ask(request)
        box.put(ask)
        if caller is not None:
            caller.waits_for = self._cell
        try:
            await ask.wait(timeout)
        finally:
            if caller is not None:
                caller.waits_for = None
            if not ask.is_open:
                box.abandon(ask)
        if not ask.is_open:
            raise AskTimeout(f"{self.path} did not answer within {timeout} s")
        answer: R = ask.result()
        return answer

    def _forbid_cycle(self, caller: ActorProcess) -> None:
        """Follow who waits for whom from here on; a way back to the caller would never end."""
        chain = [caller.cell.path]
        cell = self._cell
        while cell is not None:
            chain.append(cell.path)
            if cell is caller.cell:
                raise AskCycle(" -> ".join(chain))
            cell = getattr(cell.process, "waits_for", None)

    def _open_box(self, message: object) -> Mailbox:
        box = self._box
        return self._mailbox(message) if box is None or box.closed else box

    def _mailbox(self, message: object) -> Mailbox:
        cell = self._cell
        if cell is None or cell.is_over:
            cell = self._cell = self._resolve(message)
        box = self._box = cell.mailbox
        if box is None:
            raise NotAnActor(f"{self.path} is a supervisor")
        return box

    def _resolve(self, message: object) -> Cell:
        cell = self._system.find(self.path)
        if cell is None or cell.is_over:
            self._system.events.publish(DeadLetter(self.path, message, "nobody lives there"))
            raise ActorStopped(f"nobody lives at {self.path!r}")
        return cell

    def _deliver(self, message: object) -> None:
        try:
            self.tell(message)
        except ActorStopped:
            pass  # tell has made it a dead letter
        except (MailboxFull, NotAnActor) as error:
            self._system.events.publish(DeadLetter(self.path, message, str(error)))


def _asking_actor() -> ActorProcess | None:
    """The actor whose handler asks; None in tasks of others, also in those that a handler started."""
    caller = current.get()
    return caller if caller is not None and caller.task_id == task_id() else None
