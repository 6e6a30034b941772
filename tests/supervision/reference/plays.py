"""Plays as plain data: a tree of children and a script of what happens to them, and random ones.

Time is counted in ticks of ``2**-28`` s, so that every sum of durations is exact in a float too. No two
durations of a play are alike: each carries a small amount of its own (:func:`own`), so that what the rules
leave open, the order of unrelated things at one instant, does not come up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Final
from zlib import crc32

from supervision import AutoShutdown, Restart, Strategy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

TICK_S: Final = 2.0**-28
#: The unit in which plays are written, 0.25 s.
BEAT: Final = 2**26
ENDS = ("leave", "stop", "scope", "native", "error")


def own(*what: object) -> int:
    """A small number of ticks, below 4 ms, that is this thing's own."""
    return crc32(repr(what).encode()) % 2**20 + 1


@dataclass(frozen=True, slots=True)
class Leaf:
    """An actor.

    :ivar starts_in: ticks in ``on_start``
    :ivar stops_in: ticks in ``on_stop``
    :ivar start_limit: ticks that a start may take
    :ivar stop_limit: ticks that a stop may take
    :ivar immediate: the first restart comes without delay
    :ivar healthy_after: ticks of life after which failures are forgotten
    :ivar stubborn: its start is in a shield of its own
    """

    id: str
    restart: Restart = Restart.PERMANENT
    starts_in: int = 0
    stops_in: int = 0
    start_limit: int = 20 * BEAT
    stop_limit: int = 20 * BEAT
    capacity: int = 4
    immediate: bool = True
    healthy_after: int = 120 * BEAT
    significant: bool = False
    stubborn: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """A supervisor; without a strategy it is a dynamic one.

    :ivar restarts: failures allowed within ``period`` ticks
    :ivar ordered: a dynamic one stops its children one by one
    """

    id: str
    children: tuple[Leaf | Branch, ...] = ()
    strategy: Strategy | None = Strategy.ONE_FOR_ONE
    restart: Restart = Restart.PERMANENT
    restarts: int = 5
    period: int = 40 * BEAT
    ordered: bool = False
    immediate: bool = True
    healthy_after: int = 120 * BEAT
    significant: bool = False
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a script.

    :ivar at: ticks after the tree is up
    :ivar order: what happens; see ``Script`` in ``rules.py``
    :ivar length: ticks or a number, whatever the order needs
    """

    at: int
    order: str
    path: str
    length: int = 0


@dataclass(frozen=True, slots=True)
class Play:
    """A tree and its script; it ends at ``end_at`` ticks, by that cause, unless the tree ends before.

    :ivar weak: path -> number of first starts that fail
    """

    root: Branch
    steps: tuple[Step, ...] = ()
    end_at: int = 100 * BEAT
    cause: str = "leave"
    weak: tuple[tuple[str, int], ...] = ()


def join(parent: str, child: str) -> str:
    return f"{parent}/{child}" if parent else child


def walk(branch: Branch, base: str = "") -> Iterator[tuple[str, Leaf | Branch]]:
    """All children below with their paths, in start order."""
    for child in branch.children:
        path = join(base, child.id)
        yield path, child
        if isinstance(child, Branch):
            yield from walk(child, path)


def newcomer(number: int) -> Leaf | Branch:
    """The child that a step ``start`` brings in under that number: some are floors that end by themselves."""
    restart = list(Restart)[number % 3]
    if number % 4 == 3:
        worker = Leaf("x", Restart.TRANSIENT, significant=True)
        return Branch(f"n{number}", (worker,), restart=restart, auto_shutdown=AutoShutdown.ANY_SIGNIFICANT)
    return Leaf(f"n{number}", restart, starts_in=BEAT // 64, stops_in=BEAT // 64, immediate=number % 2 == 0)


def backoff(path: str, attempt: int) -> int:
    """Ticks to wait before that attempt (1 or more) of a restart."""
    return (BEAT << min(attempt, 4)) // 2 + own(path, "backoff", attempt)


#: The order that makes a child end for that reason; one that ends with shutdown is a floor that ends itself.
ENDINGS: Final = {"crashed": "crash", "killed": "kill", "normal": "quit", "shutdown": "quit"}


def case(strategy: Strategy | None, restart: Restart, reason: str) -> Play:
    """A child of that restart type, between two others, that ends for that reason, twice."""
    number = next(
        number
        for number in range(12)
        if list(Restart)[number % 3] is restart and (number % 4 == 3) == (reason == "shutdown")
    )
    middle = newcomer(number)
    path = f"{middle.id}/x" if reason == "shutdown" else middle.id
    children: tuple[Leaf | Branch, ...] = (Leaf("a"), middle, Leaf("z", stops_in=BEAT))
    ends = [(10 * BEAT, ENDINGS[reason], path), (20 * BEAT, ENDINGS[reason], path)]
    if strategy is None:
        children, ends = (), [(BEAT, "start", ""), *ends]
    steps = tuple(Step(at + own(at), order, path, number) for at, order, path in ends)
    return Play(Branch("play", children, strategy), steps)


def cases() -> Iterator[tuple[Strategy | None, Restart, str]]:
    """Every strategy (None: dynamic), restart type and reason."""
    return product((*Strategy, None), Restart, ENDINGS)


def random_play(chance: Random, *, steps: int = 25) -> Play:
    """Any play at all; the same state of ``chance`` gives the same play."""
    root = _branch(chance, "play", 3)
    paths = [path for path, _ in walk(root)] or ["a"]
    hosts = ["", *(path for path, child in walk(root) if isinstance(child, Branch))]
    hosts += 3 * [path for path, child in walk(root) if isinstance(child, Branch) and not child.strategy]
    script, at = [], 0
    for number in range(chance.randint(0, steps)):
        at += chance.choice((0, 0, BEAT // 16, BEAT, BEAT, 5 * BEAT, 30 * BEAT)) + own("step", number)
        step = _step(chance, at, number, paths, hosts)
        script.append(step)
        if step.order == "start":
            child = newcomer(step.length)
            path = join(step.path, child.id)
            paths += 2 * [path, *([join(path, "x")] if isinstance(child, Branch) else [path])]
    weak = tuple((path, 1) for path in paths if chance.random() < 0.01)
    cause, end_at = chance.choice(ENDS), at + chance.choice((0, BEAT, 60 * BEAT)) + own("end")
    return Play(root, tuple(script), end_at, cause, weak)


ORDERS = (
    "ask", "ask", "tell", "crash", "crash", "crash", "quit", "quit", "hang", "stuck", "kill", "kill",
    "foreign", "foreign", "terminate", "terminate", "restart", "restart", "delete", "start", "start", "weak",
    "slow",
)  # fmt: skip


def _step(chance: Random, at: int, number: int, paths: list[str], hosts: list[str]) -> Step:
    order, path = chance.choice(ORDERS), chance.choice(paths)
    if order == "start":
        return Step(at, order, chance.choice(hosts), number)
    if order == "weak":
        return Step(at, order, path, chance.randint(1, 3))
    return Step(at, order, path, chance.choice((BEAT, 6 * BEAT, 50 * BEAT)) + own("length", number))


def _children(chance: Random, depth: int, auto_shutdown: AutoShutdown) -> tuple[Leaf | Branch, ...]:
    children = [_child(chance, each, depth) for each in "abcd"[: chance.randint(0 if depth < 3 else 1, 4)]]
    if auto_shutdown is AutoShutdown.NEVER:
        return tuple(children)
    return tuple(
        replace(child, significant=child.restart is not Restart.PERMANENT and chance.random() < 0.7)
        for child in children
    )


def _child(chance: Random, name: str, depth: int) -> Leaf | Branch:
    restart = chance.choice((*Restart, Restart.PERMANENT))
    immediate, healthy_after = chance.random() < 0.5, chance.choice((4, 120)) * BEAT
    if depth > 1 and chance.random() < 0.3:
        branch = _branch(chance, name, depth - 1)
        return replace(branch, restart=restart, immediate=immediate, healthy_after=healthy_after)
    return Leaf(
        name,
        restart,
        starts_in=chance.choice((0, 0, 0, BEAT, 6 * BEAT)),
        stops_in=chance.choice((0, 0, 0, BEAT, 6 * BEAT, 30 * BEAT)),
        capacity=chance.choice((1, 4)),
        stubborn=chance.random() < 0.15,
        immediate=immediate,
        healthy_after=healthy_after,
    )


def _branch(chance: Random, name: str, depth: int) -> Branch:
    strategy = chance.choice((*Strategy, *Strategy, None))
    auto_shutdown = chance.choice((*AutoShutdown, AutoShutdown.NEVER))
    return Branch(
        name,
        _children(chance, depth, auto_shutdown) if strategy else (),
        strategy,
        auto_shutdown=auto_shutdown,
        restarts=chance.choice((0, 1, 3, 100)),
        period=chance.choice((4, 40)) * BEAT,
        ordered=chance.random() < 0.5,
    )
