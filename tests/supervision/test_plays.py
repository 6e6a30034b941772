"""Random trees under random scripts against the reference interpreter of the rules, to the tick.

The reference (``tests/supervision/reference``) is a program without any async that can be read as the
specification. A play is performed by the kernel in virtual time, and every start, stop, message, event,
answer and look at the tree has to be the one that was foretold. Counter-examples that were found on the
way have become tests of their own names in ``test_counterexamples.py``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from random import Random

import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st

from supervision import Strategy
from tests.supervision.reference.depth import examples
from tests.supervision.reference.loops import EAGER, VIRTUAL, fit_for
from tests.supervision.reference.performance import perform
from tests.supervision.reference.plays import BEAT, Branch, Leaf, Play, Step, case, cases, random_play
from tests.supervision.reference.rules import Foretold, foretell
from tests.supervision.reference.timeline import Ambiguous, Line

LOOPS = [
    pytest.param(loop, marks=pytest.mark.skipif(loop == "eager" and not EAGER, reason="from Python 3.12 on"))
    for loop in VIRTUAL
]


def foretold(play: Play) -> Foretold:
    try:
        return foretell(play)
    except Ambiguous:
        assume(False)
        raise


@pytest.mark.parametrize("loop", LOOPS)
@settings(max_examples=examples(80), deadline=None, suppress_health_check=list(HealthCheck))
@given(chance=st.randoms(use_true_random=False))
def test_every_play_goes_as_the_rules_say(loop: str, chance: Random) -> None:
    """Random trees, random scripts, every event loop with virtual time."""
    play = fit_for(loop, random_play(chance))

    assert perform(play, VIRTUAL[loop]()) == foretold(play).lines


@pytest.mark.parametrize("loop", LOOPS)
def test_a_hundred_fixed_plays_go_as_the_rules_say(loop: str) -> None:
    """The same ones on every machine, longer than hypothesis likes to draw them."""
    for seed in range(100):
        play = fit_for(loop, random_play(Random(seed), steps=40))  # noqa: S311 - a play, no secret
        assert perform(play, VIRTUAL[loop]()) == foretell(play).lines, f"seed {seed}"


@pytest.mark.parametrize("loop", LOOPS)
def test_every_case_of_the_tables_goes_as_the_rules_say(loop: str) -> None:
    """Every strategy, restart type and reason, each of them met."""
    met: Counter[tuple[str, str, str]] = Counter()
    for strategy, restart, reason in cases():
        play = case(strategy, restart, reason)
        expected = foretell(play)
        assert perform(play, VIRTUAL[loop]()) == expected.lines, (strategy, restart, reason)
        met += expected.met

    assert {each[0] for each in met} == {*(strategy.value for strategy in Strategy), "dynamic"}
    assert len(met) == 4 * 3 * 4


def in_order(lines: list[Line]) -> dict[tuple[str, str], list[str]]:
    """What happened to each, without the time."""
    happened: dict[tuple[str, str], list[str]] = defaultdict(list)
    for line in lines:
        happened[line.path, line.stream].append(line.text)
    return happened


def test_a_play_on_uvloop_in_real_time() -> None:
    """The same order of things, at 10 ms a beat. A machine that stands still for longer than a beat is no
    defect of the kernel: at a slower pace the order has to be right.
    """
    uvloop = pytest.importorskip("uvloop")
    root = Branch(
        "play",
        (Leaf("a"), Branch("b", (Leaf("c"), Leaf("d", stops_in=BEAT)), Strategy.ONE_FOR_ALL), Leaf("e")),
        Strategy.REST_FOR_ONE,
        restarts=100,
    )
    orders = [("crash", "b/c"), ("foreign", "e"), ("kill", "b"), ("ask", "b/d"), ("quit", "a"), ("hang", "e")]
    steps = tuple(
        Step(number * 8 * BEAT, order, path, 4 * BEAT) for number, (order, path) in enumerate(orders, 1)
    )
    play = Play(root, steps, 60 * BEAT)

    expected, happened = in_order(foretell(play).lines), {}
    for scale in (0.04, 0.2, 1.0):
        backend = ("asyncio", {"loop_factory": uvloop.new_event_loop})
        happened = in_order(perform(play, backend, scale))
        if happened == expected:
            break

    assert happened == expected
