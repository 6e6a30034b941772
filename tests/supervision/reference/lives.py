"""One incarnation: how it comes up, works, is put away, and why it ended."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from typing import TYPE_CHECKING, Final

from .plays import Leaf, own
from .timeline import Cut, Life, Wait

if TYPE_CHECKING:
    from .places import Message, Place, World

#: What an asker hears whose message was in hand, by the reason of the end.
VERDICTS: Final = {
    "crashed": "ActorCrashed",
    "killed": "ActorCrashed",
    "normal": "ActorStopped",
    "shutdown": "ActorStopped",
}

Reason = Generator[Wait, bool, str]


class Failure(Exception):  # noqa: N818 - a crash that is played, by the name of its error
    """A crash, or a start that failed."""


class ChildLife(ABC):
    """What incarnations of actors and of supervisors have in common.

    :ivar told: to end; cuts its work, never its cleanup
    :ivar left: behind, by a supervisor that waits no longer; cuts the cleanup too
    :ivar fault: why it was told to end, if that was a failure; the first one counts
    :ivar error: of a failed start
    :ivar due_at: when the start has to be done
    """

    def __init__(self, world: World, place: Place) -> None:
        self.world = world
        self.place = place
        self.told = self.left = self.ready = self.closing = self.ended = self.overdue = False
        self.stop_at: int | None = None
        self.up_at: int | None = None
        self.lasted = 0
        self.fault: str | None = None
        self.reason: str | None = None
        self.error: str | None = None
        self.due_at: int | None = None
        place.incarnation += 1
        place.state = "starting"
        place.life = self
        self.incarnation = place.incarnation
        world.alive.append(self)
        self.task = world.spawn(self.run(), lambda: self.left or (self.told and not self.closing))

    @abstractmethod
    def live(self) -> Life:
        """Come up and work."""

    @abstractmethod
    def put_away(self, reason: str) -> Life:
        """Clean up."""

    @abstractmethod
    def release(self, reason: str) -> None:
        """Let go of everything at once."""

    # told from outside

    def stop(self) -> None:
        self.place.state = "stopping"
        self.stop_at = self.world.now if self.stop_at is None else self.stop_at
        self.told = True

    def fail(self, reason: str) -> None:
        self.fault = self.fault or reason
        self.told = True

    def report_overdue(self) -> None:
        if not self.overdue:
            self.overdue = True
            self.world.event(self.place.path, "shutdown timeout")

    # its course

    def run(self) -> Life:
        reason = "shutdown"
        try:
            reason = yield from self._attempt()
            if not self.left:
                self.closing = True
                reason = yield from self._clean_up(reason)
        except Cut:  # left behind
            reason = reason if self.closing else self.outlook()
        self._finish(self.fault or reason)

    def up(self) -> None:
        """The start is done."""
        self.ready, self.up_at = True, self.world.now
        self.place.state = "stopping" if self.told else "running"
        self.world.event(self.place.path, f"started {self.incarnation}")
        if self.place.starter is not None:
            self.place.starter.answer("started")
            self.place.starter = None

    def _attempt(self) -> Reason:
        """Work until the end; a stop that was asked for counts more than a foreign cancel.

        Who was spawned just before its supervisor was told to stop does not begin.
        """
        failed = None
        if self.place.parent is not None and self.place.parent.told:
            self.told = True
        try:
            if not self.told:
                yield from self.live()
        except Failure as failure:
            failed, self.error = "crashed", None if self.ready else str(failure)
        except Cut as cut:
            if self.left:
                raise
            failed = "killed" if cut.native and not (self.told or self.is_late) else None
        return self.fault or failed or self._planned()

    def _planned(self) -> str:
        self.error = "StartTimeout" if self.is_late else None
        return self.outlook()

    def outlook(self) -> str:
        """Why it will have ended if nothing else happens to it."""
        if self.is_late:
            return "crashed"
        return self.fault or ("shutdown" if self.told else "normal")

    @property
    def is_late(self) -> bool:
        """The time for the start was over before it was done, and before anybody ended it."""
        if self.ready or self.fault or self.due_at is None:
            return False
        return self.world.now >= self.due_at and (self.stop_at is None or self.stop_at >= self.due_at)

    def _clean_up(self, reason: str) -> Reason:
        """Put away; foreign code can cut that, and then it is the reason."""
        if self.place.life is self:
            self.place.state = "stopping"
        try:
            yield from self.put_away(reason)
        except Cut:
            if self.left:
                raise
            return "killed"
        return reason

    def _finish(self, reason: str) -> None:
        place, world = self.place, self.world
        self.reason, self.ended = reason, True
        self.lasted = 0 if self.up_at is None else world.now - self.up_at
        self.release(reason)
        world.event(place.path, f"exited {self.incarnation} {reason} {self.ready}")
        world.alive.remove(self)
        if place.parent is None:
            world.close(place, reason, removed=False)
            world.over = True
        elif not place.parent.ended:
            place.parent.desk.append(self)


class ActorLife(ChildLife):
    """One message at a time, in order; the mailbox is its place's."""

    def __init__(self, world: World, place: Place, spec: Leaf) -> None:
        super().__init__(world, place)
        self.spec = spec
        self.quitting = False
        self.in_hand: Message | None = None

    def live(self) -> Life:
        yield from self._come_up()
        while not self.quitting and not self.told:
            message = self.place.hand_out()
            if message is None:
                yield Wait(self.place.path, condition=lambda: bool(self.place.mailbox))
            else:
                yield from self._handle(message)

    def _come_up(self) -> Life:
        world, path = self.world, self.place.path
        self.due_at = world.now + self.spec.start_limit + own(path, "start limit")
        done_at = world.now + self.spec.starts_in + own(path, "start") + world.slow[path]
        if self.spec.stubborn:
            yield Wait(path, done_at, shield=True)
        else:
            yield Wait(path, min(done_at, self.due_at))
        if self.world.now < done_at:
            raise Failure("StartTimeout")
        if world.weak[path] > 0:
            world.weak[path] -= 1
            raise Failure("PuppetError")
        world.note(path, "play", "start")
        if self.is_late:
            raise Failure("StartTimeout")
        if self.left:
            raise Cut  # nobody waits for it any more
        self.up()

    def _handle(self, message: Message) -> Life:
        self.in_hand = message
        match message.order:
            case "ask" | "tell":
                self.world.note(self.place.path, "play", f"handled {message.length}")
            case "crash":
                raise Failure("PuppetError")
            case "quit":
                self.quitting = True
            case "hang" | "stuck":
                end = self.world.now + message.length
                yield Wait(self.place.path, end, shield=message.order == "stuck")
        message.answer("answered")
        self.in_hand = None

    def put_away(self, reason: str) -> Life:
        if not self.ready:
            return  # on_stop follows only a start that was done
        path, now = self.place.path, self.world.now
        takes, limit = self.spec.stops_in + own(path, "stop"), self.place.stop_limit or 0
        self.world.note(path, "play", "stopping")
        yield Wait(path, now + min(takes, limit))
        if takes > limit:
            self.report_overdue()
        else:
            self.world.note(path, "play", "stop")

    def release(self, reason: str) -> None:
        if self.in_hand is not None:
            self.in_hand.answer(VERDICTS[reason])
