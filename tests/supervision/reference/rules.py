"""The rules of supervision as a program without concurrency of its own: what a play must lead to.

Written from the constitution in ``supervision/README.md`` and to be read as a specification, in this order:
``supervisors.py`` (strategies, restarts, intensity, stops), ``lives.py`` (one incarnation), ``places.py``
(mailboxes and ends), ``timeline.py`` (how a simulation without any async runs). Nothing of the kernel is used
but the names of strategies and restart types.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .places import Message, Place, World
from .supervisors import SupervisorLife
from .timeline import Ambiguous, Life, Line, Wait

if TYPE_CHECKING:
    from collections import Counter

    from .lives import ChildLife
    from .plays import Play, Step


@dataclass(frozen=True, slots=True)
class Foretold:
    """What the kernel has to produce for a play.

    :ivar met: (strategy, restart type, reason) of every end that a supervisor decided on
    """

    lines: list[Line]
    met: Counter[tuple[str, str, str]]


def foretell(play: Play) -> Foretold:
    """The lines of that play.

    :raises Ambiguous: if the rules leave open what happens first
    """
    script = Script(play)
    script.world.run()
    return Foretold(ordered(script.world.lines), script.world.met)


def ordered(lines: list[Line]) -> list[Line]:
    """In an order that does not depend on how unrelated things of one tick were interleaved."""
    return sorted(lines, key=lambda line: line[:3])


class Script:
    """Does to a world what the steps say."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self.world = World(play)
        self.place = Place(play.root, "", None)
        self.world.places[""] = self.place
        self.root = SupervisorLife(self.world, self.place, play.root)
        self.world.spawn(self.run())

    def run(self) -> Life:
        world, root = self.world, self.root
        yield Wait("", condition=lambda: root.ready or root.ended)
        world.lines = [line for line in world.lines if line.stream != "event"]  # nobody was there to see
        if root.ready:
            yield from self._play()
        if not root.ended:
            root.stop()
        yield Wait("", condition=lambda: not world.alive)
        world.note("", "outcome", self._outcome())

    def _play(self) -> Life:
        begin = self.world.now
        for number, step in enumerate(self.play.steps):
            if (yield Wait("script", begin + step.at, lambda: self.root.ended)):
                return
            self._look(self.place)
            self._act(number, step)
        yield Wait("script", begin + self.play.end_at, lambda: self.root.ended)

    def _outcome(self) -> str:
        root = self.root
        if not root.ready:
            return root.error or "StartFailed"
        return "EscalationError" if root.stop_at is None or root.fault is not None else "left"

    def _look(self, place: Place) -> None:
        facts = f"{place.state} {place.incarnation} {len(place.mailbox)} {place.handled}"
        self.world.note(place.path, "tree", facts)
        if isinstance(place.life, SupervisorLife):
            for child in place.life.children:
                self._look(child)

    def _act(self, number: int, step: Step) -> None:
        world = self.world
        match step.order:
            case "weak":
                world.weak[step.path] += step.length
            case "slow":
                world.slow[step.path] = 0 if world.slow[step.path] else step.length
            case "foreign":
                self._cancel([life for life in world.alive if life.place.path == step.path])
            case "kill":
                world.spawn(self._kill(number, step))
            case "start" | "terminate" | "restart" | "delete":
                world.spawn(self._command(number, step))
            case _:
                world.spawn(self._tell(number, step))

    @staticmethod
    def _cancel(lives: list[ChildLife]) -> None:
        """Of one that lingers and another in its place, nobody says which is struck first."""
        if len(lives) > 1:
            raise Ambiguous
        for life in lives:
            life.task.native = True

    def _tell(self, number: int, step: Step) -> Life:
        message = Message(step.order, step.length, step.path)
        self.world.put(message)
        if step.order == "ask":
            until = self.world.now + step.length
            yield Wait(step.path, until, lambda: message.outcome is not None)
            message.abandoned = message.outcome is None
            message.answer("AskTimeout")
        if message.outcome is not None:
            self._tells(number, message)

    def _kill(self, number: int, step: Step) -> Life:
        place = self.world.places.get(step.path)
        life = place.life if place is not None else None
        message = Message(step.order)
        if place is None or life is None or life.ended:
            message.answer("ActorStopped")
        else:
            life.fail("killed")
            limit = place.stop_limit
            until = None if limit is None else self.world.now + limit
            if not (yield Wait(step.path, until, lambda: life.ended)):
                life.report_overdue()
            message.answer("done")
        self._tells(number, message)

    def _command(self, number: int, step: Step) -> Life:
        message = Message(step.order, step.length, step.path)
        parent = step.path if step.order == "start" else step.path.rpartition("/")[0]
        place = self.world.places.get(parent)
        life = place.life if place is not None else None
        if life is None:
            message.answer("ActorStopped")
        elif not isinstance(life, SupervisorLife):
            message.answer("NotASupervisor")
        elif life.closing or life.ended:
            message.answer("ActorStopped")
        else:
            life.desk.append(message)
            yield Wait(step.path, condition=lambda: message.outcome is not None)
        self._tells(number, message)

    def _tells(self, number: int, message: Message) -> None:
        self.world.note("", f"step {number}", message.outcome or "")
