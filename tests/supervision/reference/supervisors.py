"""One incarnation of a supervisor: who starts, who goes down, who comes back, and when it is too much."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

from supervision import AutoShutdown, Restart, Strategy

from .lives import ActorLife, ChildLife, Failure, Reason
from .places import Message, Place, World
from .plays import Branch, Leaf, backoff, join, newcomer, own
from .timeline import Cut, Life, Wait

#: After which ends a child comes back.
COMES_BACK: Final = {
    Restart.PERMANENT: {"normal", "shutdown", "crashed", "killed"},
    Restart.TRANSIENT: {"crashed", "killed"},
    Restart.TEMPORARY: set[str](),
}
#: Whether a failed child takes along those before it, and those behind it.
TAKES_ALONG: Final = {
    None: (False, False),
    Strategy.ONE_FOR_ONE: (False, False),
    Strategy.ONE_FOR_ALL: (True, True),
    Strategy.REST_FOR_ONE: (False, True),
}

Starting = Generator[Wait, bool, ChildLife | None]


class SupervisorLife(ChildLife):
    """Does one thing after the other: ends of children and commands in order, then what is due.

    :ivar children: in start order
    :ivar desk: what waits for a decision
    :ivar alarms: what is to be done at which tick: (tick, places to start) or (tick, life to be given up)
    :ivar failed_at: ticks of the failures that count
    :ivar left_behind: id -> an incarnation that could not be stopped in time
    """

    def __init__(self, world: World, place: Place, spec: Branch) -> None:
        super().__init__(world, place)
        self.spec = spec
        self.children: list[Place] = []
        self.desk: list[ChildLife | Message] = []
        self.alarms: list[tuple[int, list[Place] | ChildLife]] = []
        self.failed_at: list[int] = []
        self.left_behind: dict[str, ChildLife] = {}

    def live(self) -> Life:
        for spec in self.spec.children:
            failed = yield from self._start_and_wait(self._add(spec))
            if failed is not None:
                raise Failure(failed.error or "StartFailed")
        self.up()
        while True:
            yield from self._work()

    def _work(self) -> Life:
        """Told to stop, it decides nothing more."""
        now = self.world.now
        due = min(self.alarms, key=lambda alarm: alarm[0], default=None)
        if self.desk and not self.told:
            yield from self._decide_on(self.desk.pop(0))
        elif due is not None and due[0] <= now and not self.told:
            self.alarms.remove(due)
            yield from self._do(due[1])
        else:
            yield Wait(
                _whose(due[1]) if due else "", due[0] if due else None, condition=lambda: bool(self.desk)
            )

    def _decide_on(self, item: ChildLife | Message) -> Life:
        if isinstance(item, Message):
            self._obey(item)
        elif item.place.life is item:  # else it was put down on purpose
            item.place.life = None
            yield from self._on_end(item.place, item)

    def _do(self, due: list[Place] | ChildLife) -> Life:
        if isinstance(due, list):
            yield from self._restart(due)
        elif due.place.life is due and not due.ended and not self._has_time(due):
            yield from self._pass_by(due)
            if not due.ended:
                due.place.life = None
                yield from self._on_end(due.place, due)

    def _has_time(self, life: ChildLife) -> bool:
        """It came up in time, and if it is leaving it has not had its time for that."""
        if not life.ready:
            return False
        limit = life.place.stop_limit
        if not life.place.leaving or life.stop_at is None or limit is None:
            return True
        return self.world.now < life.stop_at + limit

    # starting

    def _add(self, spec: Leaf | Branch) -> Place:
        place = Place(spec, join(self.place.path, spec.id), self)
        old = next((each for each in self.children if each.spec.id == spec.id), None)
        if old is None:
            self.children.append(place)
        else:
            self.children[self.children.index(old)] = place
        self.world.places[place.path] = place
        self.world.event(place.path, "added")
        return place

    def _start(self, place: Place) -> ChildLife:
        if isinstance(place.spec, Branch):
            return SupervisorLife(self.world, place, place.spec)
        return ActorLife(self.world, place, place.spec)

    def _start_alone(self, place: Place) -> None:
        life, patience = self._start(place), _patience(place)
        if patience is not None:
            self.alarms.append((self.world.now + patience, life))

    def _start_and_wait(self, place: Place) -> Starting:
        """None once it is up; else the life that failed to, also if it came up while it was put down."""
        life, patience = self._start(place), _patience(place)
        until = None if patience is None else self.world.now + patience
        yield Wait(place.path, until, lambda: life.ready or life.ended)
        if life.ready:
            return None
        yield from self._put_down(place)
        return life

    def _lingering(self, name: str) -> ChildLife | None:
        life = self.left_behind.get(name)
        return None if life is None or life.ended else life

    # a child has ended

    def _on_end(self, place: Place, life: ChildLife) -> Life:
        reason = life.reason or life.outlook()
        if place.leaving:
            self._retire(place, reason)
        elif place.starter is not None:
            place.starter.answer(life.error or "StartFailed")
            if place.kept:
                self.world.close(place, reason, removed=False)
            else:
                self._forget(place, reason)
        elif not self._comes_back(place, reason):
            self._retire(place, reason)
            self._end_with(place)
        else:
            yield from self._recover(place, life)

    def _comes_back(self, place: Place, reason: str) -> bool:
        strategy = self.spec.strategy.value if self.spec.strategy else "dynamic"
        self.world.met[strategy, place.spec.restart.value, reason] += 1
        return reason in COMES_BACK[place.spec.restart]

    def _end_with(self, place: Place) -> None:
        """A significant child that ended by itself ends its supervisor, or the last of them does."""
        left = [each for each in self.children if each.spec.significant and not each.is_over]
        last = self.spec.auto_shutdown is AutoShutdown.ALL_SIGNIFICANT and not left
        if place.spec.significant and (last or self.spec.auto_shutdown is AutoShutdown.ANY_SIGNIFICANT):
            self.stop()

    def _recover(self, failed: Place, life: ChildLife) -> Life:
        """Count it, stop those who share its fate in reverse, start them again after a delay."""
        self._count()
        group = self._group(failed)
        for place in reversed(group):
            if place is not failed:
                reason = yield from self._put_down(place)
                if place.leaving or place.spec.restart is Restart.TEMPORARY:
                    self._retire(place, reason)
        self._drop_restarts(group)
        if self.told:
            return
        delay = self._delay(failed, life)
        back = [place for place in group if not place.is_over]
        for place in back:
            place.state = "backoff"
        self.alarms.append((self.world.now + delay, back))
        self.world.event(failed.path, f"restart in {delay} after {failed.failures}")

    def _restart(self, places: list[Place]) -> Life:
        """One starts on its own; a group starts in order, each after the one before is up.

        An old incarnation that lingers, or a start that fails, counts as a failure more.
        """
        for place in places:
            if (old := self._lingering(place.spec.id)) is not None:
                yield from self._recover(place, old)
                return
        if len(places) == 1:
            self._start_alone(places[0])
            return
        for place in places:
            failed = yield from self._start_and_wait(place)
            if self.told:
                return
            if failed is not None:
                yield from self._recover(place, failed)
                return

    def _count(self) -> None:
        now = self.world.now
        self.failed_at.append(now)
        if sum(now - at <= self.spec.period for at in self.failed_at) > self.spec.restarts:
            self.world.event(self.place.path, "gives up")
            raise Failure("RestartIntensityExceeded")

    def _group(self, failed: Place) -> list[Place]:
        before, behind = TAKES_ALONG[self.spec.strategy]
        at = self.children.index(failed)
        return [
            place
            for number, place in enumerate(self.children)
            if number == at or (not place.is_over and (before if number < at else behind))
        ]

    def _delay(self, place: Place, life: ChildLife) -> int:
        healthy = life.ready and life.lasted >= place.spec.healthy_after
        place.failures = 1 if healthy else place.failures + 1
        attempt = place.failures - place.spec.immediate
        return backoff(place.path, attempt) if attempt else 0

    def _drop_restarts(self, places: list[Place]) -> None:
        kept = [
            (at, [each for each in what if each not in places] if isinstance(what, list) else what)
            for at, what in self.alarms
        ]
        self.alarms = [(at, what) for at, what in kept if what]

    # stopping

    def put_away(self, reason: str) -> Life:
        """All children in reverse; those of a dynamic one are told at once, unless it is ordered."""
        self.alarms.clear()
        down = self.children[::-1]
        if self.spec.strategy is None and not self.spec.ordered:
            for place in down:
                if place.life is not None and not place.life.ended:
                    place.life.stop()
        for place in down:
            reason = yield from self._put_down(place)
            if place.is_over:
                self._delete(place)
            else:
                self._forget(place, reason)

    def _put_down(self, place: Place) -> Reason:
        """Stop a child and wait for its end, or for its limit."""
        life = place.life
        if life is None:
            return "shutdown"
        if not life.ended:
            life.stop()
            limit = place.stop_limit
            until = None if limit is None else (life.stop_at or 0) + limit
            yield from self._outwait(life, until)
            if not life.ended:
                yield from self._pass_by(life)
        place.life = None
        return life.reason or "shutdown"

    def _outwait(self, life: ChildLife, until: int | None) -> Life:
        """Nothing shortens this wait; a native cancel kills this supervisor afterwards."""
        waiting = True
        while waiting:
            try:
                yield Wait(life.place.path, until, lambda: life.ended, shield=True)
                waiting = False
            except Cut:
                self.fail("killed")

    def _pass_by(self, life: ChildLife) -> Life:
        """Cut all that it does; if that does not end it in this instant it lingers."""
        life.report_overdue()
        life.told = life.left = True
        yield from self._outwait(life, self.world.now)
        if not life.ended:
            self.left_behind[life.place.spec.id] = life

    def _retire(self, place: Place, reason: str) -> None:
        """It does not come back. Children of a static supervisor stay in the tree, unless temporary."""
        if place.spec.restart is Restart.TEMPORARY or self.spec.strategy is None:
            self._forget(place, reason)
        else:
            self.world.close(place, reason, removed=False)

    def _forget(self, place: Place, reason: str) -> None:
        if place in self.children:
            self.children.remove(place)
        self.world.close(place, reason, removed=True)

    def release(self, reason: str) -> None:
        for item in self.desk:
            if isinstance(item, Message):
                item.answer("ActorStopped")
        self.desk.clear()
        self.children.clear()

    # commands

    def _obey(self, command: Message) -> None:
        number = command.length
        name = f"n{number}" if command.order == "start" else command.path.rpartition("/")[2]
        place = next((each for each in self.children if each.spec.id == name), None)
        if command.order == "start":
            self._take_on(command, newcomer(number))
        elif place is None:
            command.answer("ChildNotFound")
        elif command.order == "terminate":
            self._dismiss(command, place)
        elif not place.is_over:
            command.answer("ChildRestarting" if place.state == "backoff" else "ChildRunning")
        elif command.order == "delete":
            self._delete(place)
            command.answer("done")
        elif self._lingering(name) is not None:
            command.answer("StartFailed")
        else:
            self._take_back(command, place)

    def _take_on(self, command: Message, spec: Leaf | Branch) -> None:
        place = self._add(spec)
        place.starter = command
        self._start_alone(place)

    def _take_back(self, command: Message, old: Place) -> None:
        place = self._add(old.spec)
        place.incarnation, place.kept, place.starter = old.incarnation, True, command
        self._start_alone(place)

    def _delete(self, place: Place) -> None:
        self.children.remove(place)
        if self.world.places.get(place.path) is place:
            del self.world.places[place.path]
        self.world.event(place.path, "deleted")

    def _dismiss(self, command: Message, place: Place) -> None:
        if place.is_over:
            command.answer("done")
            return
        place.leaving.append(command)
        if place.life is None:
            self._drop_restarts([place])
            self._retire(place, "shutdown")
        elif not place.life.ended:
            if place.stop_limit is not None:
                self.alarms.append((self.world.now + place.stop_limit, place.life))
            place.life.stop()


def _whose(what: list[Place] | ChildLife) -> str:
    return what[0].path if isinstance(what, list) else what.place.path


def _patience(place: Place) -> int | None:
    """Ticks after which a start is given up though it cannot be cancelled."""
    if isinstance(place.spec, Branch) or place.stop_limit is None:
        return None
    return place.spec.start_limit + own(place.path, "start limit") + place.stop_limit
