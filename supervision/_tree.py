"""The tree as immutable data, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._events import Kind


@dataclass(frozen=True, slots=True)
class TreeNode:
    """One actor or supervisor at one instant.

    :ivar id: among its siblings; the root's is the name of the system
    :ivar path: from the root, which has ``""``
    :ivar state: ``starting``, ``running``, ``suspended``, ``backoff``, ``stopping`` or ``stopped``
    :ivar incarnation: 1 for the first
    :ivar restarts: how often it was started again
    :ivar mailbox_depth: messages waiting
    :ivar mailbox_peak: the most that ever waited
    :ivar mailbox_dropped: lost to the overflow policy, or refused by it
    :ivar handled: messages given to the actor, over all incarnations
    :ivar restart_in_s: seconds until it is started again, while its state is ``backoff``; else None
    :ivar uptime_s: seconds since this incarnation came up; 0 if it is not up
    :ivar last_error: one line, or None
    :ivar last_error_at: when, in seconds since the epoch, or None
    :ivar current_message: type name of the message in hand, or None
    :ivar current_message_s: for how many seconds it has been handled; 0 if there is none
    """

    id: str
    path: str
    kind: Kind
    state: str
    incarnation: int
    restarts: int
    mailbox_depth: int
    mailbox_peak: int
    mailbox_dropped: int
    handled: int
    restart_in_s: float | None
    uptime_s: float
    last_error: str | None
    last_error_at: float | None
    current_message: str | None
    current_message_s: float
    children: tuple[TreeNode, ...] = ()

    def walk(self) -> Iterator[TreeNode]:
        """This node and all below, parents first, siblings in start order."""
        yield self
        for child in self.children:
            yield from child.walk()

    def find(self, path: str) -> TreeNode | None:
        """The node at that path, or None."""
        return next((node for node in self.walk() if node.path == path), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; the schema stands in the kernel's README."""
        row: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        row["children"] = [child.to_dict() for child in self.children]
        return row

    def to_text(self) -> str:
        """One line per node, with guide lines."""
        return "\n".join(self._lines("", "", ""))

    def _lines(self, lead: str, branch: str, below: str) -> Iterator[str]:
        yield f"{lead}{branch}{self._line()}"
        for child in self.children:
            last = child is self.children[-1]
            yield from child._lines(lead + below, *(("└─ ", "   ") if last else ("├─ ", "│  ")))

    def _line(self) -> str:
        facts = [self.state]
        if self.restarts:
            facts.append(f"restarts {self.restarts}")
        if self.kind == "actor":
            facts.append(f"handled {self.handled}")
        if self.restart_in_s is not None:
            facts.append(f"again in {self.restart_in_s:.1f} s")
        if self.mailbox_depth:
            facts.append(f"waiting {self.mailbox_depth}")
        if self.current_message:
            facts.append(f"handles {self.current_message} for {self.current_message_s:.1f} s")
        if self.last_error:
            facts.append(f"last error {self.last_error}")
        return f"{self.id} [{', '.join(facts)}]"
