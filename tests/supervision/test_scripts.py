"""Random trees under random scripts, in virtual time, against the rules."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import anyio
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from tenacity import wait_fixed

from supervision import (
    ActorStopped,
    Backoff,
    ChildSpec,
    EscalationError,
    ExitReason,
    Intensity,
    Restart,
    Strategy,
    SupervisionError,
    SupervisorSpec,
    System,
    open_system,
)
from supervision.testing import Crash, Echo, Hang, Puppet, Quit, Stage, virtual_backend

Tree = dict[str, "Tree | None"]
ACTIONS = ("crash", "quit", "hang", "kill", "foreign", "echo", "ask")


@dataclass
class Watchful(Stage):
    """A stage that checks the rules while the play goes on."""

    alive: list[str] = field(default_factory=list)
    overlaps: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        super().__init__()

    def __call__(self) -> Puppet:
        return WatchedPuppet(self)

    def note(self, verb: str, path: str) -> None:
        super().note(verb, path)
        if verb == "start":
            if path in self.alive:
                self.overlaps.append(path)
            self.alive.append(path)
        elif verb == "stop":
            self.alive.remove(path)


class WatchedPuppet(Puppet):
    """Its cleanup has an await in it, so that a wrong order would show."""

    async def on_stop(self, reason: ExitReason) -> None:
        self.stage.note("stopping", self.ctx.path)
        try:
            await anyio.sleep(0.01)
        finally:  # a foreign cancel may cut it here
            self.stage.note("stop", self.ctx.path)


def leaves(tree: Tree, base: str = "") -> list[str]:
    """Paths of all actors, in start order."""
    paths: list[str] = []
    for name, below in tree.items():
        path = f"{base}/{name}" if base else name
        paths += [path] if below is None else leaves(below, path)
    return paths


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> Tree:
    """Up to three floors of one to three children."""
    names = "abc"[: draw(st.integers(1, 3))]
    kinds = [draw(st.integers(0, 2)) if depth > 1 else 1 for _ in names]
    return {
        name: draw(trees(depth=depth - 1)) if kind == 0 else None
        for name, kind in zip(names, kinds, strict=True)
    }


def spec_of(tree: Tree, stage: Stage, strategies: list[Strategy], restarts: list[Restart]) -> SupervisorSpec:
    """Strategies and restart types are dealt out in turn."""
    strategies.append(strategies.pop(0))
    children = []
    for name, below in tree.items():
        restarts.append(restarts.pop(0))
        start = stage if below is None else spec_of(below, stage, strategies, restarts)
        backoff = Backoff(wait_fixed(0.5))
        restart = restarts[0] if below is None else Restart.PERMANENT
        children.append(ChildSpec(name, start, restart=restart, backoff=backoff))
    return SupervisorSpec(tuple(children), strategies[0], Intensity(1000, 10.0))


async def act(system: System, stage: Watchful, action: str, path: str) -> None:
    """One line of the script; whoever is not there any more hears nothing."""
    ref = system.lookup(path)
    try:
        if action == "kill":
            await system.kill(path)
        elif action == "foreign":
            for task in asyncio.all_tasks() if asyncio._get_running_loop() else ():
                if task.get_name() == path:
                    task.cancel()
        elif action == "ask":
            await ref.ask(Echo(path), timeout=3)
            stage.outcomes["answered"] += 1
        else:
            ref.tell({"crash": Crash(), "quit": Quit(), "hang": Hang(2), "echo": Echo(path)}[action])
    except SupervisionError as error:
        stage.outcomes[type(error).__name__] += 1


async def play(
    spec: SupervisorSpec, stage: Watchful, script: list[tuple[str, int, float]], paths: list[str]
) -> None:
    async with open_system(spec) as system, anyio.create_task_group() as group:
        for action, index, pause in script:
            group.start_soon(act, system, stage, action, paths[index % len(paths)])
            await anyio.sleep(pause)
        await anyio.sleep(30)
        rows = [row for row in system.tree().walk() if row.kind == "actor" and row.state == "running"]
        assert sorted(row.path for row in rows) == sorted(stage.alive)
        stage.journal.clear()
        stage.outcomes["last"] = len(rows)
        group.cancel_scope.cancel()


SCRIPTS = st.lists(
    st.tuples(st.sampled_from(ACTIONS), st.integers(0, 30), st.sampled_from([0.0, 0.005, 0.3, 1.0])),
    max_size=25,
)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    tree=trees(),
    script=SCRIPTS,
    strategies=st.permutations(list(Strategy)),
    restarts=st.permutations(list(Restart)),
)
def test_random_scripts_keep_the_rules(
    backend: str,
    tree: Tree,
    script: list[tuple[str, int, float]],
    strategies: list[Strategy],
    restarts: list[Restart],
) -> None:
    """Incarnations never overlap, the tree tells the truth, everything ends, and the final stop is the
    exact reverse of the order in the tree.
    """
    stage, paths = Watchful(), leaves(tree)
    name, options = virtual_backend("trio" if backend == "trio" else "asyncio")
    spec = spec_of(tree, stage, list(strategies), list(restarts))

    anyio.run(play, spec, stage, script, paths, backend=name, backend_options=options)

    assert stage.overlaps == []
    assert stage.alive == []
    stopped = stage.of("stop")
    assert stopped == [path for path in reversed(paths) if path in stopped]
    assert len(stopped) == stage.outcomes["last"]
    verbs = [verb for verb, _ in stage.journal]
    assert verbs == ["stopping", "stop"] * len(stopped)


@settings(max_examples=40, deadline=None)
@given(
    place=st.integers(0, 2),
    strategy=st.sampled_from(Strategy),
    orders=st.lists(st.sampled_from(["crash", "kill"])),
)
def test_a_failure_never_touches_those_outside_its_group(
    place: int, strategy: Strategy, orders: list[str]
) -> None:
    """A neighbouring floor, and siblings outside the strategy's group, keep their first incarnation."""
    stage = Watchful()
    floor = SupervisorSpec(
        tuple(ChildSpec(name, stage, backoff=Backoff(wait_fixed(0.1))) for name in "abc"),
        strategy,
        Intensity(1000),
    )
    spec = SupervisorSpec((ChildSpec("left", floor), ChildSpec("right", floor)))
    victim = "abc"[place]

    async def main() -> None:
        async with open_system(spec) as system:
            for order in orders:
                await act(system, stage, order, f"left/{victim}")
                await anyio.sleep(0.5)

    name, options = virtual_backend("asyncio")
    anyio.run(main, backend=name, backend_options=options)
    inside = {Strategy.ONE_FOR_ONE: victim, Strategy.ONE_FOR_ALL: "abc", Strategy.REST_FOR_ONE: "abc"[place:]}
    for each in "abc":
        assert stage.tries[f"right/{each}"] == 1
        assert stage.tries[f"left/{each}"] == 1 + (len(orders) if each in inside[strategy] else 0)


@settings(max_examples=40, deadline=None)
@given(
    gaps=st.lists(st.sampled_from([0.5, 1.0, 3.0, 6.0]), min_size=1, max_size=12), restarts=st.integers(0, 3)
)
def test_it_gives_up_when_counting_says_so(gaps: list[float], restarts: int) -> None:
    """The root ends with the very failure that is one too many within the period, and not before."""
    stage, times, now = Stage(), list[float](), 0.0
    expected = None
    for number, gap in enumerate(gaps):
        now += gap
        times.append(now)
        if expected is None and sum(now - each <= 5.25 for each in times) > restarts:
            expected = number

    async def main() -> int | None:
        number = 0
        try:
            async with open_system(
                SupervisorSpec(
                    (ChildSpec("a", stage, backoff=Backoff(wait_fixed(0))),),
                    intensity=Intensity(restarts, 5.25),
                )
            ) as system:
                begin = anyio.current_time()
                for number, at in enumerate(times):  # noqa: B007 - used after the block
                    await anyio.sleep_until(begin + at)
                    system.lookup("a").tell(Crash())
                    await anyio.wait_all_tasks_blocked()
        except (EscalationError, ActorStopped):
            return number
        return None

    name, options = virtual_backend("asyncio")
    assert anyio.run(main, backend=name, backend_options=options) == expected
    assert stage.of("start") == stage.of("stop")
