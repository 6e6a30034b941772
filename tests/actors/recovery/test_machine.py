"""The state machine of recovery: its rules under any events, and its course against the policy."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from actors.recovery import POLICY, Incident, Outcome, Recovery, State, step
from actors.recovery.effects import Alarm, Cancel, Connect, Effect, Forget, Record, Start, Tell, Timer
from actors.recovery.events import Asked, Back, Broken, Event, Failed, Left, Over, Patience, Pausing, Rested
from actors.voice import Fault, cause_of

if TYPE_CHECKING:
    from collections.abc import Callable

DROPPED, CRASHED, UNKNOWN = cause_of(4006), cause_of(4015), cause_of(4998)
KICKED = cause_of(4014, Fault.KICKED)
EVENTS: tuple[Callable[[float, str], Event], ...] = (
    lambda at, _: Asked(at),
    lambda at, name: Broken(at, DROPPED, False, name),
    lambda at, name: Broken(at, CRASHED, True, name),
    lambda at, name: Broken(at, UNKNOWN, False, name),
    lambda at, _: Failed(at, UNKNOWN),
    lambda at, _: Failed(at, DROPPED),
    lambda at, _: Pausing(at, 2.0),
    lambda at, _: Back(at),
    lambda at, name: Over(at, DROPPED, name),
    lambda at, name: Over(at, DROPPED, name, waited_for=False),
    lambda at, name: Over(at, KICKED, name),
    lambda at, _: Rested(at),
    lambda at, _: Patience(at),
    lambda at, _: Left(at),
)
SCRIPTS = st.lists(st.tuples(st.sampled_from(EVENTS), st.sampled_from([0.0, 1.0, 700.0])), max_size=60)


def check_state(now: Recovery) -> None:
    """What holds in every state that can be reached."""
    if now.state is not State.RETRYING:
        assert (now.incident, now.told, now.resting, now.next_at) == (None, False, False, None)
    if now.state is State.IDLE:
        assert (now.series, now.unknown) == (0, 0), "cooldown data is cleared"
    if now.resting:
        assert now.incident is not None
        assert now.next_at is not None
        assert now.next_at - now.since > 0


def check_step(before: Recovery, event: Event, after: Recovery, effects: tuple[Effect, ...]) -> None:
    """What holds for every transition."""
    kinds = [type(effect) for effect in effects]
    if Connect in kinds or Start in kinds:
        assert after.state is State.RETRYING, "nothing is tried by a bot that has given up"
    if after.state is State.IDLE is not before.state:
        assert Cancel in kinds
        assert Forget in kinds or isinstance(event, Left)
    if Forget in kinds:
        assert after.state is State.IDLE
    for effect in effects:
        if isinstance(effect, Tell) and effect.incident.outcome is Outcome.BACK:
            assert before.told, "what nobody was told of has no end to tell"
    if isinstance(event, Over) and event.cause.fatal and before.state is not State.IDLE:
        assert after.state is State.IDLE
        asked = before.state is State.RETRYING and before.incident is None
        assert asked or Tell in kinds, "the reason is announced"


@settings(max_examples=200, deadline=None)
@given(SCRIPTS)
def test_the_rules_hold_whatever_happens(script: list[tuple[Callable[[float, str], Event], float]]) -> None:
    now, at, recorded = Recovery(), 1000.0, list[Incident]()
    begun: set[str] = set()
    for number, (make, pause_s) in enumerate(script):
        at += pause_s
        event = make(at, str(number))
        before = now
        now, effects = step(before, event)
        check_state(now)
        check_step(before, event, now, effects)
        recorded += [effect.incident for effect in effects if isinstance(effect, Record)]
        begun |= {now.incident.id} if now.incident else set()
        begun |= {incident.id for incident in recorded}
    open_now = {now.incident.id} if now.incident else set()
    assert len({one.id for one in recorded}) == len(recorded), "each incident is recorded once"
    assert {one.id for one in recorded} | open_now == begun
    assert all(one.outcome is not Outcome.OPEN and one.silent_s >= 0 for one in recorded)


class Course:
    """A guild whose timers run, and whose links end as the test says."""

    def __init__(
        self, waited_for: Callable[[float], bool] = lambda _at: True, *, series_s: float = 40.0
    ) -> None:
        self.now = Recovery()
        self.series_s, self.waited_for = series_s, waited_for
        self.done: list[tuple[float, Effect]] = []
        self._due: list[tuple[float, int, Event]] = []
        self._numbers = itertools.count()
        self._timers: dict[Timer, float] = {}

    def add(self, event: Event) -> None:
        heapq.heappush(self._due, (event.at, next(self._numbers), event))

    def run(self, until: float) -> None:
        while self._due and self._due[0][0] <= until:
            at, _, event = heapq.heappop(self._due)
            if isinstance(event, Patience | Rested) and self._timers.pop(_KIND[type(event)], None) != at:
                continue  # taken back
            if isinstance(event, Over):
                event = replace(event, waited_for=self.waited_for(at))
            self.now, effects = step(self.now, event)
            for effect in effects:
                self.done.append((at, effect))
                self._do(at, effect)

    def _do(self, at: float, effect: Effect) -> None:
        match effect:
            case Cancel():
                self._timers.clear()
            case Start(timer, delay_s):
                self._timers[timer] = at + delay_s
                self.add(Patience(at + delay_s) if timer is Timer.PATIENCE else Rested(at + delay_s))
            case Connect():
                self.add(Failed(at + self.series_s - 1.0, DROPPED))
                self.add(Over(at + self.series_s, DROPPED, f"at {at}"))

    def times(self, kind: type[Effect]) -> list[float]:
        return [at for at, effect in self.done if isinstance(effect, kind)]

    def told(self) -> list[tuple[float, Outcome]]:
        return [(at, effect.incident.outcome) for at, effect in self.done if isinstance(effect, Tell)]


_KIND = {Patience: Timer.PATIENCE, Rested: Timer.REST}


def playing(waited_for: Callable[[float], bool] = lambda _at: True) -> Course:
    """A guild whose connection has just been made, at time 0."""
    course = Course(waited_for)
    course.now = Recovery(State.STABLE, 0.0)
    return course


def test_cooldowns_grow_and_stay_while_somebody_waits() -> None:
    course = playing()
    course.add(Over(100.0, DROPPED, "a"))
    course.run(3000.0)
    connects = course.times(Connect)
    assert connects[0] == 100.0, "the first attempt is made at once"
    pauses = [later - earlier - course.series_s for earlier, later in itertools.pairwise(connects)]
    assert pauses[:4] == [30.0, 120.0, 300.0, 300.0]
    assert set(pauses[2:]) == {300.0}
    assert course.now.state is State.RETRYING


def test_it_gives_up_with_a_message_once_nobody_waits() -> None:
    course = playing(waited_for=lambda at: at < 1200.0)
    course.add(Over(100.0, DROPPED, "a"))
    course.run(10_000.0)
    assert course.now == Recovery(since=course.now.since, cause=DROPPED)
    assert 1200.0 <= course.now.since < 1200.0 + 2 * (300.0 + course.series_s)
    assert course.told()[-1] == (course.now.since, Outcome.GAVE_UP)
    assert course.times(Forget) == [course.now.since]


def test_the_cooldowns_before_are_kept_with_nobody_there_too() -> None:
    course = playing(waited_for=lambda _at: False)
    course.add(Over(100.0, DROPPED, "a"))
    course.run(10_000.0)
    assert len(course.times(Connect)) == 4, "at once, and after 30 s, 2 min and 5 min"


def test_what_is_over_soon_says_nothing() -> None:
    course = playing()
    for event in (Broken(10.0, DROPPED, False, "a"), Failed(10.1, DROPPED), Back(14.9)):
        course.add(event)
    course.run(100.0)
    assert course.told() == []
    (at, record) = next((at, effect) for at, effect in course.done if isinstance(effect, Record))
    assert (at, record.incident.attempts) == (14.9, 1)
    assert record.incident.silent_s == pytest.approx(4.9)
    assert course.now.state is State.STABLE


def test_what_lasts_is_told_once_and_its_end_too() -> None:
    course = playing()
    for event in (Broken(10.0, DROPPED, False, "a"), Pausing(16.0, 4.0), Back(20.5)):
        course.add(event)
    course.run(100.0)
    assert course.told() == [(15.0, Outcome.OPEN), (16.0, Outcome.OPEN), (20.5, Outcome.BACK)]
    first, second, last = (effect for _, effect in course.done if isinstance(effect, Tell))
    assert {first.incident.id, second.incident.id, last.incident.id} == {"a"}
    assert second.next_at == 20.0
    assert last.incident.silent_s == 10.5


def test_nothing_is_told_while_frames_leave() -> None:
    course = playing()
    course.add(Broken(10.0, CRASHED, True, "a"))
    course.run(100.0)
    assert course.told() == []
    course.add(Broken(100.0, DROPPED, False, "b"))
    course.run(105.0)
    assert course.told() == [(105.0, Outcome.OPEN)], "the session died too"
    assert course.now.incident is not None
    assert (course.now.incident.id, course.now.incident.at) == ("a", 10.0)


def test_ten_stable_minutes_reset_the_counters() -> None:
    def series_after(stable_s: float) -> int:
        before = Recovery(State.STABLE, 0.0, series=3, unknown=2)
        return step(before, Broken(stable_s, DROPPED, False, "a"))[0].series

    assert series_after(POLICY.stable_s - 1) == 3
    assert series_after(POLICY.stable_s) == 0


def test_an_override_ends_the_cooldown() -> None:
    course = playing()
    course.add(Over(100.0, DROPPED, "a"))
    course.run(150.0)
    assert course.now.resting
    after, effects = step(course.now, Asked(150.0))
    assert (after.resting, after.series, after.next_at) == (False, 0, None)
    assert Connect() in effects
    assert Cancel() in effects
    failed, _ = step(after, Over(190.0, DROPPED, "b"))
    assert failed.resting, "the recovery goes on if that fails too"


def test_a_kick_is_fatal_and_clears_the_cooldown() -> None:
    before = Recovery(State.STABLE, 0.0, series=2)
    after, effects = step(before, Over(10.0, KICKED, "a"))
    assert after == Recovery(since=10.0, cause=KICKED)
    assert [type(effect) for effect in effects] == [Cancel, Record, Tell, Forget]


def test_three_unknown_codes_in_a_row_are_an_alarm() -> None:
    now, alarms = Recovery(State.STABLE), list[Alarm]()
    for number in range(7):
        now, effects = step(now, Broken(float(number), UNKNOWN, False, str(number)))
        now, more = step(now, Back(number + 0.5))
        alarms += [effect for effect in (*effects, *more) if isinstance(effect, Alarm)]
    assert [alarm.count for alarm in alarms] == [3, 6]
    now, _ = step(now, Broken(8.0, DROPPED, False, "x"))
    assert now.unknown == 0, "not in a row any more"


def test_a_first_join_that_fails_is_told_by_its_answer() -> None:
    asked, _ = step(Recovery(), Asked(1.0))
    after, effects = step(asked, Over(2.0, cause_of(4017), "a"))
    assert after.state is State.IDLE
    assert [type(effect) for effect in effects] == [Cancel, Forget]


@given(st.integers(1, 50), st.floats(1.0, 10.0))
def test_a_cooldown_is_stretched_but_never_beyond_the_longest(series: int, stretch: float) -> None:
    pause_s = POLICY.cooldown_s(series, stretch)
    assert POLICY.cooldown_s(series) <= pause_s <= POLICY.cooldowns_s[-1]
