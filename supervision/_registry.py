"""Names: one holder each, bound while the holder lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._errors import ActorStopped, NameNotFound, NameTaken
from ._events import DeadLetter
from ._ref import Ref

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._cell import Cell
    from ._mailbox import Mailbox
    from ._system import System


class Registry:
    """The names of one system. A name has one holder; a holder may have several names."""

    __slots__ = ("_holders", "_names")

    def __init__(self) -> None:
        self._holders: dict[str, Cell] = {}
        self._names: dict[Cell, set[str]] = {}

    def bind(self, name: str, cell: Cell) -> None:
        """Give a name; to its own holder again changes nothing.

        :raises NameTaken: another one has it
        """
        holder = self._holders.setdefault(name, cell)
        if holder is not cell:
            raise NameTaken(f"the name {name!r} is held by {holder.path!r}, {cell.path!r} cannot have it")
        self._names.setdefault(cell, set()).add(name)

    def free(self, name: str) -> None:
        """Take a name from its holder.

        :raises NameNotFound: nobody has it
        """
        cell = self._holders.pop(name, None)
        if cell is None:
            raise NameNotFound(f"nobody has the name {name!r}")
        self._names[cell].discard(name)

    def release(self, cell: Cell) -> None:
        """Its holder has ended for good: its names are free."""
        for name in self._names.pop(cell, ()):
            del self._holders[name]

    def find(self, name: str) -> Cell | None:
        return self._holders.get(name)

    def snapshot(self) -> Mapping[str, str]:
        return {name: cell.path for name, cell in self._holders.items()}


class NamedRef(Ref):
    """Whoever holds a name, whenever the ref is used; nobody may hold it yet.

    :ivar name: as registered
    """

    __slots__ = ("name",)

    def __init__(self, system: System, name: str) -> None:
        super().__init__(system, f"@{name}")
        self.name = name

    def __repr__(self) -> str:
        return f"<NamedRef {self.name!r}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NamedRef) and (other._system, other.name) == (self._system, self.name)

    def __hash__(self) -> int:
        return hash((id(self._system), "@", self.name))

    @property
    def path(self) -> str:
        """Of the present holder; ``@name`` while there is none."""
        cell = self._system.registry.find(self.name)
        return self._path if cell is None else cell.path

    def tell(self, message: object) -> None:
        """As :meth:`Ref.tell`; a name costs one more look-up, since it may pass to another holder."""
        self._mailbox(message).put(message)

    def _mailbox(self, message: object) -> Mailbox:
        self._cell = None
        return super()._mailbox(message)

    def _resolve(self, message: object) -> Cell:
        cell = self._system.registry.find(self.name)
        if cell is None:
            self._system.events.publish(DeadLetter(self._path, message, "nobody has that name"))
            raise ActorStopped(f"nobody has the name {self.name!r}")
        return cell
