"""The fifteen invariants of the kernel, one test for each, by its number.

Beside these, ``test_plays.py`` compares whole runs with the reference interpreter of the rules, to the tick.
Here the same random plays are judged without it, each by what must hold of any run at all.

=== ======================= ==========================================================================
no. invariant               tests (in this file: ``test_invariant_<no>_*``), and others that bear on it
=== ======================= ==========================================================================
1   conservation            here; ``test_mailboxes_equal_their_lists``
2   order                   here; ``test_messages_of_one_sender_arrive_in_order``
3   one at a time           here; ``test_the_successor_waits_for_an_incarnation_that_cannot_be_stopped``
4   bounds                  here; ``test_mailboxes_equal_their_lists``, ``test_each_policy_equals_its_list``
5   fairness                here; ``test_a_backlog_lets_others_run``
6   asks end                here; ``test_asks_behind_the_end_are_answered_at_once``
7   isolation               here; ``test_what_is_no_crash_reaches_the_root``
8   start                   here; ``test_a_failed_start_raises_the_original_error``
9   stop                    here; ``test_children_stop_in_reverse_for_every_cause``
10  bounded stop            here; ``test_an_overdue_child_is_reported_once_and_passed_by``
11  restart matrix          here; ``test_the_matrix``, ``test_every_case_of_the_tables_goes_as_the_rules_say``
12  intensity               here; ``test_the_window_equals_counting``
13  backoff                 here; ``test_delays_are_spread_at_the_cap``, ``test_health_resets_the_backoff``
14  cancellation-clean      here; ``test_cancellation.py``
15  truthful watching       here; ``test_one_terminated_per_watch``, ``test_a_dead_incarnation_is_...``
=== ======================= ==========================================================================
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter, defaultdict
from functools import cache
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given, settings, strategies as st
from tenacity import wait_random_exponential

from supervision import (
    Actor,
    Backoff,
    ChildSpec,
    EscalationError,
    Intensity,
    MailboxSpec,
    Overflow,
    Restart,
    Strategy,
    SupervisionError,
    SupervisorSpec,
    System,
    Terminated,
    open_system,
)
from supervision._actor_process import BUDGETED
from supervision.testing import Crash, Do, Echo, Hang, Puppet, Quit, Stage
from tests.supervision.reference.depth import examples
from tests.supervision.reference.performance import perform
from tests.supervision.reference.plays import (
    BEAT,
    ENDINGS,
    ENDS,
    Branch,
    Leaf,
    Play,
    Step,
    case,
    own,
    random_play,
    walk,
)
from tests.supervision.reference.storm import Storm

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from tests.supervision.reference.timeline import Line

pytestmark = pytest.mark.anyio
SEEDS = range(examples(100))


@cache
def performed(seed: int) -> tuple[Play, list[Line]]:
    """A random play and the lines that it produced."""
    play = random_play(Random(seed), steps=30)  # noqa: S311 - a play, no secret
    return play, perform(play)


def plays() -> Iterator[tuple[Play, list[Line]]]:
    return (performed(seed) for seed in SEEDS)


def of(lines: list[Line], path: str, stream: str) -> list[str]:
    return [line.text for line in lines if (line.path, line.stream) == (path, stream)]


def acted(play: Play, lines: list[Line]) -> Iterator[tuple[int, int, Step]]:
    """The steps that came to pass: number, tick, step."""
    looks = sorted({line.at for line in lines if line.stream == "tree"})
    return zip(range(len(looks)), looks, play.steps, strict=False)


@pytest.mark.parametrize("overflow", Overflow)
async def test_invariant_01_conservation(overflow: Overflow) -> None:
    """Every accepted message has one fate, and every call that was given up had no effect."""
    for seed in range(examples(4)):
        storm = Storm(seed, overflow)
        await storm.run()
        fates = Counter[object](storm.handled) + Counter(storm.letters)
        accepted = Counter[object](storm.accepted)
        lost = accepted - fates
        assert fates - accepted == Counter()
        assert overflow in (Overflow.DROP_NEWEST, Overflow.DROP_OLDEST) or not lost
        assert max(fates.values()) == 1
        assert storm.checks > 100


async def test_invariant_02_order() -> None:
    """Each sender's messages arrive in its order; messages of the kernel come before those of users."""
    for seed in range(examples(4)):
        storm = Storm(seed, Overflow.REJECT)
        await storm.run()
        for sender in range(4):
            mine = [number for each, number in storm.handled if each == sender]
            assert mine == sorted(mine)
            assert len(mine) > 3


async def test_invariant_02_messages_of_the_kernel_first(stage: Stage) -> None:
    """Whatever users have sent before them, and in their own order."""
    seen: list[object] = []

    class Watcher(Actor):
        async def on_start(self) -> None:
            for path in "abc":
                self.ctx.watch(self.ctx.lookup(path))

        async def receive(self, message: object) -> None:
            seen.append(message.path if isinstance(message, Terminated) else message)
            await anyio.sleep(1)

    children = [ChildSpec(each, stage, restart=Restart.TEMPORARY) for each in "abc"]
    async with open_system(SupervisorSpec((*children, ChildSpec("w", Watcher)))) as system:
        for number in range(4):
            system.lookup("w").tell(number)
        await anyio.sleep(0.5)
        for path in "cab":
            await system.kill(path)
        await anyio.sleep(10)
    assert seen == [0, "c", "a", "b", 1, 2, 3]


def test_invariant_03_one_at_a_time() -> None:
    """An incarnation has exited before the next one starts, whatever is done to them."""
    checked = 0
    for play, lines in plays():
        leaves = [path for path, child in walk(play.root) if isinstance(child, Leaf) and not child.stubborn]
        stuck = {step.path for step in play.steps if step.order == "stuck"}
        for path in set(leaves) - stuck:  # who cannot be stopped may be there with a child of a new floor
            alive = False
            for line in (line for line in lines if line.path == path):
                if line.text == "start":
                    assert not alive
                    alive = True
                elif line.stream == "event" and line.text.startswith("exited"):
                    alive, checked = False, checked + 1
    assert checked > 100


@pytest.mark.parametrize("overflow", Overflow)
async def test_invariant_04_bounds(overflow: Overflow) -> None:
    """No mailbox ever holds more than its capacity, whoever sends how; the counters are exact."""
    storm = Storm(7, overflow)
    await storm.run()  # it checks the bound at every instant


def test_invariant_04_bounds_in_plays() -> None:
    for play, lines in plays():
        bounds = {path: child.capacity for path, child in walk(play.root) if isinstance(child, Leaf)}
        for line in lines:
            if line.stream == "tree" and line.path in bounds:
                assert int(line.text.split()[2]) <= bounds[line.path]


async def test_invariant_05_fairness() -> None:
    """tell does not yield; a busy actor lets a task that is ready run after its budget."""
    handled: Counter[str] = Counter()

    class Busy(Actor):
        async def receive(self, message: object) -> None:
            handled[self.ctx.path] += 1

    children = tuple(ChildSpec(each, Busy, mailbox=MailboxSpec(10_000)) for each in "ab")
    async with open_system(SupervisorSpec(children)) as system:
        for number in range(2000):
            system.lookup("ab"[number % 2]).tell(number)
        assert not handled
        before: Counter[str] = Counter()
        while handled.total() < 2000:
            await checkpoint()
            # trio shuffles: two turns of an actor may lie between two of ours
            assert max((handled - before).values(), default=0) <= 2 * len(BUDGETED)
            before = handled.copy()


def test_invariant_06_asks_end() -> None:
    """Exactly one outcome, no later than the timeout; what was not answered in time never runs."""
    outcomes: Counter[str] = Counter()
    for play, lines in plays():
        for number, at, step in acted(play, lines):
            if step.order != "ask":
                continue
            mine = [line for line in lines if line.stream == f"step {number}"]
            assert len(mine) == 1
            assert at <= mine[0].at <= at + step.length
            handled = [line for line in lines if line.text == f"handled {step.length}"]
            assert len(handled) == (mine[0].text == "answered")
            outcomes[mine[0].text] += 1
    assert set(outcomes) >= {"answered", "AskTimeout", "ActorStopped", "NotAnActor"}


@given(
    place=st.integers(0, 2),
    strategy=st.sampled_from(Strategy),
    orders=st.lists(st.sampled_from(["crash", "kill", "foreign"]), max_size=4),
)
@settings(max_examples=examples(25), deadline=None)
def test_invariant_07_isolation(place: int, strategy: Strategy, orders: list[str]) -> None:
    """A neighbouring floor, and siblings outside the strategy's group, keep their first incarnation."""
    victim = "abc"[place]
    floor = tuple(Leaf(each) for each in "abc")
    steps = tuple(Step((1 + n) * 40 * BEAT, order, f"left/{victim}") for n, order in enumerate(orders))
    root = Branch("play", (Branch("left", floor, strategy, restarts=100), Branch("right", floor)))

    lines = perform(Play(root, steps, 400 * BEAT))

    inside = {Strategy.ONE_FOR_ONE: victim, Strategy.ONE_FOR_ALL: "abc", Strategy.REST_FOR_ONE: "abc"[place:]}
    for each in "abc":
        assert of(lines, f"right/{each}", "play").count("start") == 1
        again = len(orders) if each in inside[strategy] else 0
        assert of(lines, f"left/{each}", "play").count("start") == 1 + again


class Doom(BaseException):
    """No ``Exception``."""


@pytest.mark.parametrize("doom", [KeyboardInterrupt, SystemExit, Doom])
@pytest.mark.parametrize("path", ["a", "sub/b", "sub/c"])
async def test_invariant_07_what_is_no_crash_reaches_the_root(
    stage: Stage, doom: type[BaseException], path: str
) -> None:
    """Through all floors, with an orderly stop."""

    async def doomed(puppet: Puppet) -> None:
        raise doom

    sub = SupervisorSpec((ChildSpec("b", stage), ChildSpec("c", stage)))

    async def live() -> None:
        async with open_system(SupervisorSpec((ChildSpec("a", stage), ChildSpec("sub", sub)))) as system:
            system.lookup(path).tell(Do(doomed))
            await anyio.sleep(60)

    with pytest.raises(doom):
        await live()
    assert stage.of("stop") == [path, *(each for each in ("sub/c", "sub/b", "a") if each != path)]


def quiet_tree(chance: Random) -> tuple[Branch, list[str]]:
    """A random tree without dynamic floors, and its actors in start order."""
    root = random_play(chance).root
    while any(each.strategy is None for each in (root, *branches(root))):
        root = random_play(chance).root
    return root, [path for path, child in walk(root) if isinstance(child, Leaf)]


def branches(root: Branch) -> Iterator[Branch]:
    return (child for _, child in walk(root) if isinstance(child, Branch))


def test_invariant_08_start() -> None:
    """In order; the first failed one stops the started ones in reverse and raises the original error."""
    for seed in SEEDS:
        chance = Random(seed)  # noqa: S311 - to be repeated
        root, paths = quiet_tree(chance)
        if not paths:
            continue
        failing = chance.choice(paths)
        lines = perform(Play(root, (), BEAT, weak=((failing, 1),)))
        verbs = [(line.at, line.path, line.text) for line in lines if line.stream == "play"]
        started = [path for _, path, verb in sorted(verbs) if verb == "start"]
        stopping = [path for _, path, verb in sorted(verbs) if verb == "stopping"]
        assert started == paths[: paths.index(failing)]
        assert stopping == started[::-1]
        assert of(lines, "", "outcome") == ["PuppetError"]


def test_invariant_09_stop() -> None:
    """The exact reverse of the start for every cause; each has ended before the one before it is told."""
    for seed in SEEDS:
        root, paths = quiet_tree(Random(seed))  # noqa: S311 - to be repeated
        for cause in ENDS:
            lines = perform(Play(root, (), 100 * BEAT, cause))
            stops = sorted((line.at, line.path) for line in lines if line.text == "stopping")
            assert [path for _, path in stops] == paths[::-1]
            ends = {line.path: line.at for line in lines if line.text.startswith("exited")}
            assert all(ends[path] <= at for (_, path), (at, _) in pairwise(stops))


@pytest.mark.parametrize("paths", [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"]])
async def test_invariant_09_stop_by_escalation(stage: Stage, paths: list[str]) -> None:
    """The one that failed is down already; the others follow in reverse."""
    stage.stop_delays_s = dict.fromkeys("abc", 1)
    spec = SupervisorSpec(tuple(ChildSpec(each, stage) for each in "abc"), intensity=Intensity(0))

    async def live() -> None:
        async with open_system(spec) as system:
            system.lookup(paths[0]).tell(Crash())
            await anyio.sleep(60)

    with pytest.raises(EscalationError):
        await live()
    rest = [each for each in "cba" if each != paths[0]]
    assert [line for line in stage.journal if line[0] != "start"] == [
        (verb, path) for path in (paths[0], *rest) for verb in ("stopping", "stop")
    ]


def test_invariant_10_bounded_stop() -> None:
    """The end comes within the sum of the limits; who is overdue is reported once."""
    overdue = 0
    for play, lines in plays():
        limits = [
            child.stop_limit + own(path, "stop limit")
            for path, child in walk(play.root)
            if isinstance(child, Leaf)
        ]
        newcomers = sum(step.order == "start" for step in play.steps)
        ended = [line.at for line in lines if line.path == "" and line.text.startswith("stopped")]
        looks = [at for _, at, _ in acted(play, lines)]
        if ended and looks and len(looks) == len(play.steps):
            told = looks[-1] - play.steps[-1].at + play.end_at
            assert ended[0] - told <= 2 * sum(limits) + newcomers * 25 * BEAT
        for path in {line.path for line in lines}:
            reports = of(lines, path, "event").count("shutdown timeout")
            exits = sum(text.startswith("exited") for text in of(lines, path, "event"))
            overdue += reports
            assert reports <= exits + 1  # one that lingers when the root ends is seen to exit by nobody
    assert overdue > 20


#: (strategy or None for dynamic) -> whether the sibling before, and the one behind, come back as well.
SHARED = {
    None: (False, False),
    Strategy.ONE_FOR_ONE: (False, False),
    Strategy.ONE_FOR_ALL: (True, True),
    Strategy.REST_FOR_ONE: (False, True),
}
#: Restart type -> reasons after which a child comes back.
BACK = {
    Restart.PERMANENT: {"crashed", "killed", "normal", "shutdown"},
    Restart.TRANSIENT: {"crashed", "killed"},
    Restart.TEMPORARY: set[str](),
}


@pytest.mark.parametrize("strategy", [*Strategy, None])
def test_invariant_11_restart_matrix(strategy: Strategy | None) -> None:
    """Who restarts equals the two tables above, for every restart type and reason."""
    for restart, reason in ((restart, reason) for restart in Restart for reason in ENDINGS):
        play = case(strategy, restart, reason)
        lines = perform(play)
        middle = re.split("/", play.steps[-1].path)[0]
        back = reason in BACK[restart]
        again = {path: f"started {2}" in of(lines, path, "event") for path in ("a", middle, "z")}
        before, behind = SHARED[strategy]
        assert again == {"a": back and before, middle: back, "z": back and behind}, (restart, reason)


@settings(max_examples=examples(30), deadline=None)
@given(
    gaps=st.lists(st.sampled_from([2, 4, 12, 24]), min_size=1, max_size=12),
    restarts=st.integers(0, 3),
)
def test_invariant_12_intensity(gaps: list[int], restarts: int) -> None:
    """It gives up with the very failure that is one too many within the period, by counting; all are down."""
    steps, at, expected = list[Step](), 0, None
    period = 21 * BEAT
    for gap in gaps:
        at += gap * BEAT
        steps.append(Step(at, "crash", "b"))
        if expected is None and sum(at - each.at <= period for each in steps) > restarts:
            expected = len(steps)
    root = Branch(
        "play", (Leaf("a"), Leaf("b", healthy_after=0), Leaf("c")), restarts=restarts, period=period
    )

    lines = perform(Play(root, tuple(steps), at + 40 * BEAT))

    crashes = sum("crashed" in text for text in of(lines, "b", "event") if text.startswith("exited"))
    assert crashes == (expected if expected is not None else len(steps))
    assert of(lines, "", "outcome") == ["left" if expected is None else "EscalationError"]
    end = next(line.at for line in lines if line.path == "" and line.text.startswith("exited"))
    downs = [line.at for line in lines if line.path in {"a", "c"} and line.text.startswith("exited")]
    assert len(downs) == 2
    assert max(downs) <= end


@given(
    failures=st.integers(1, 60),
    multiplier=st.floats(0.01, 2),
    longest=st.floats(0.5, 60),
    immediate=st.booleans(),
)
def test_invariant_13_backoff(failures: int, multiplier: float, longest: float, immediate: bool) -> None:
    """Delays stay within their bounds, and are still spread at the cap."""
    backoff = Backoff(wait_random_exponential(multiplier=multiplier, max=longest), immediate=immediate)
    attempt = failures - immediate

    delays = [backoff.delay_s(failures) for _ in range(20)]

    limit = min(longest, multiplier * 2.0 ** (attempt - 1)) if attempt else 0
    assert all(0 <= delay <= limit for delay in delays)
    assert len(set(delays)) > 10 or not attempt


def test_invariant_13_backoff_in_plays() -> None:
    """Failures in a row are counted, a healthy time forgets them, and no restart comes before its delay."""
    restarts = 0
    for _, lines in plays():
        due: dict[str, int] = {}
        count: dict[str, int] = defaultdict(int)
        for line in lines:
            if match := re.fullmatch(r"restart in (\d+) after (\d+)", line.text):
                delay, after = map(int, match.groups())
                due[line.path] = line.at + delay
                assert after in (1, count[line.path] + 1)
                count[line.path], restarts = after, restarts + 1
            elif line.text.startswith("added"):
                count[line.path], due[line.path] = 0, 0
            elif line.text.startswith("started") and line.path in due:
                assert line.at >= due[line.path]
    assert restarts > 50


CALLS: dict[str, Callable[[System], Awaitable[object]]] = {
    "ask": lambda system: system.lookup("a").ask(Echo(1), timeout=1000),
    "send": lambda system: system.lookup("a").send(Echo(2)),
    "start_child": lambda system: system.start_child("", ChildSpec("new", stage_of(system))),
    "terminate_child": lambda system: system.terminate_child("", "b"),
    "kill": lambda system: system.kill("b"),
    "wait": lambda system: system.wait(),
}
STAGES: dict[str, Stage] = {}


def stage_of(system: System) -> Stage:
    return STAGES[system.name]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("after_s", [0, 0.5, 1, 1.5, 3])
async def test_invariant_14_cancellation_clean(stage: Stage, call: str, after_s: float) -> None:
    """A cancelled call has no effect or its full effect, the cancel is not swallowed, and nothing is left."""
    STAGES["clean"] = stage
    stage.start_delays_s, stage.stop_delays_s = {"new": 1}, {"b": 1}
    tasks = len(asyncio.all_tasks()) if asyncio._get_running_loop() else 0
    children = (ChildSpec("a", stage, mailbox=MailboxSpec(1)), ChildSpec("b", stage), ChildSpec("c", stage))
    async with open_system(SupervisorSpec(children), name="clean") as system:
        system.lookup("a").tell(Hang(2))
        await anyio.wait_all_tasks_blocked()
        if call == "send":
            system.lookup("a").tell(Echo("full"))
        done = False
        with anyio.CancelScope(deadline=anyio.current_time() + after_s) as scope:
            await CALLS[call](system)
            done = True
        assert scope.cancelled_caught != done
        await anyio.sleep(20)
        values = [value for _, value in stage.handled]
        assert (1 in values, 2 in values) == (done and call == "ask", done and call == "send")
        states = {row.id: (row.state, row.incarnation) for row in system.tree().children}
        assert states["a"] == states["c"] == ("running", 1)
        assert states["b"] in (("running", 1), ("stopped", 1), ("running", 2))
        assert states.get("new", ("running", 1)) == ("running", 1)
    assert stage.of("start").count("new") == stage.of("stop").count("new")
    if asyncio._get_running_loop():
        assert len(asyncio.all_tasks()) == tasks


@pytest.mark.parametrize("seed", range(6))
async def test_invariant_15_truthful_watching(stage: Stage, seed: int) -> None:
    """One Terminated per watch, for the end for good, with its reason; none after unwatch."""
    chance, told = Random(seed), list[Terminated]()  # noqa: S311 - to be repeated

    class Watcher(Actor):
        async def on_start(self) -> None:
            for path in "abcd":
                self.ctx.watch(self.ctx.lookup(path))

        async def receive(self, message: object) -> None:
            if isinstance(message, Terminated):
                told.append(message)
            elif isinstance(message, str):
                self.ctx.unwatch(self.ctx.lookup(message))

    kinds = {each: chance.choice(list(Restart)) for each in "abcd"}
    children = [ChildSpec(each, stage, restart=kind) for each, kind in kinds.items()]
    spec = SupervisorSpec((*children, ChildSpec("w", Watcher)), intensity=Intensity(1000))
    gone: dict[str, str] = {}
    unwatched: set[str] = set()
    async with open_system(spec) as system:
        for _ in range(15):
            path, order = (
                chance.choice("abcd"),
                chance.choice(("crash", "quit", "kill", "terminate", "unwatch")),
            )
            if order == "unwatch":
                system.lookup("w").tell(path)
                unwatched |= {path} - set(gone)
            else:
                await do(system, order, path)
            await anyio.sleep(40)
            for row in ("a", "b", "c", "d"):
                node = system.tree().find(row)
                if row not in gone and (node is None or node.state == "stopped"):
                    gone[row] = order
        expected = {"crash": "Crashed", "quit": "Normal", "kill": "Killed", "terminate": "Shutdown"}
        heard = [(each.path, type(each.reason).__name__) for each in told]
        assert heard == [(path, expected[order]) for path, order in gone.items() if path not in unwatched]


async def do(system: System, order: str, path: str) -> None:
    """One thing that ends, or may end, a child; whoever has ended already hears nothing."""
    try:
        if order == "kill":
            await system.kill(path)
        elif order == "terminate":
            await system.terminate_child("", path)
        else:
            system.lookup(path).tell(Crash() if order == "crash" else Quit())
    except SupervisionError:
        pass


def test_invariant_15_events_replay_to_the_tree() -> None:
    """Who is there, and in which incarnation, follows from the events between two looks."""
    looks = 0
    for play, lines in plays():
        ticks = [at for _, at, _ in acted(play, lines)]
        for since, until in pairwise(ticks):
            rows = {
                line.path: line.text.split() for line in lines if (line.at, line.stream) == (since, "tree")
            }
            there = {path: int(row[1]) for path, row in rows.items()}
            for line in lines:
                if since <= line.at < until and line.stream == "event":
                    replay(there, line)
            later = {
                line.path: line.text.split() for line in lines if (line.at, line.stream) == (until, "tree")
            }
            assert set(there) == set(later)
            assert all(there[path] == int(row[1]) for path, row in later.items() if row[0] == "running")
            looks += 1
    assert looks > 300


def replay(there: dict[str, int], line: Line) -> None:
    word, *rest = line.text.split()
    if word == "added":
        there[line.path] = 0
    elif word == "started":
        there[line.path] = int(rest[0])
    elif word == "deleted" or (word == "stopped" and rest[-1] == "True"):
        there.pop(line.path, None)
