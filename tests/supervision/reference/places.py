"""What the reference knows of a system: places in the tree, messages, and the world around them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .plays import Branch, Leaf, Play, own
from .timeline import Timeline

if TYPE_CHECKING:
    from .lives import ChildLife
    from .supervisors import SupervisorLife


@dataclass(eq=False, slots=True)
class Message:
    """Something in a mailbox or on the desk of a supervisor.

    :ivar outcome: what its asker hears; the first one counts
    :ivar abandoned: its asker has gone
    """

    order: str
    length: int = 0
    path: str = ""
    outcome: str | None = None
    abandoned: bool = False

    def answer(self, outcome: str) -> None:
        self.outcome = self.outcome or outcome


@dataclass(eq=False, slots=True)
class Place:
    """What stays of a child when its incarnation is replaced.

    :ivar life: the present incarnation
    :ivar failures: in a row
    :ivar leaving: who waits for its end for good
    :ivar starter: who waits for its start
    :ivar kept: it stays in the tree, stopped, if that start fails
    """

    spec: Leaf | Branch
    path: str
    parent: SupervisorLife | None
    life: ChildLife | None = None
    state: str = "starting"
    incarnation: int = 0
    failures: int = 0
    handled: int = 0
    mailbox: list[Message] = field(default_factory=list)
    leaving: list[Message] = field(default_factory=list)
    starter: Message | None = None
    kept: bool = False

    @property
    def is_over(self) -> bool:
        return self.state == "stopped"

    @property
    def stop_limit(self) -> int | None:
        """Ticks that a stop may take; a supervisor takes what its children take."""
        return self.spec.stop_limit + own(self.path, "stop limit") if isinstance(self.spec, Leaf) else None

    def take_in(self, message: Message) -> None:
        """A full mailbox rejects, but those whose asker has gone give way."""
        capacity = self.spec.capacity if isinstance(self.spec, Leaf) else 0
        if len(self.mailbox) >= capacity:
            self.mailbox[:] = [each for each in self.mailbox if not each.abandoned]
        if len(self.mailbox) >= capacity:
            message.answer("MailboxFull")
        else:
            self.mailbox.append(message)

    def hand_out(self) -> Message | None:
        """The next message that somebody still wants handled."""
        while self.mailbox:
            message = self.mailbox.pop(0)
            if not message.abandoned:
                self.handled += 1
                return message
        return None


class World(Timeline):
    """A system, seen from outside.

    :ivar weak: path -> number of starts from now on that fail
    :ivar slow: path -> ticks that a start takes more
    :ivar met: (strategy, restart type, reason) of every end that a supervisor decided on
    :ivar alive: incarnations that have not ended
    """

    def __init__(self, play: Play) -> None:
        super().__init__()
        self.places: dict[str, Place] = {}
        self.weak = Counter(dict(play.weak))
        self.slow: Counter[str] = Counter()
        self.met: Counter[tuple[str, str, str]] = Counter()
        self.alive: list[ChildLife] = []
        self.over = False

    def event(self, path: str, text: str) -> None:
        """Something observers are told; nothing once the root has ended."""
        if not self.over:
            self.note(path, "event", text)

    def put(self, message: Message) -> None:
        """A message for whoever lives at its path."""
        place = self.places.get(message.path)
        if place is None or place.is_over:
            self.event(message.path, "dead letter")
            message.answer("ActorStopped")
        elif isinstance(place.spec, Branch):
            message.answer("NotAnActor")
        else:
            place.take_in(message)

    def close(self, place: Place, reason: str, *, removed: bool) -> None:
        """The end of a place for good: everybody who waits hears of it."""
        if place.is_over:
            return
        place.state = "stopped"
        for message in place.mailbox:
            message.answer("ActorStopped")
            self.event(place.path, "dead letter")
        place.mailbox.clear()
        if place.starter is not None:
            place.starter.answer("ActorStopped")
        for leaver in place.leaving:
            leaver.answer("done")
        if removed and self.places.get(place.path) is place:
            del self.places[place.path]
        self.event(place.path, f"stopped {reason} {removed}")
