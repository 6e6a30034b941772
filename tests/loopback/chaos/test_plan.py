"""The plan is the seed's alone, and deals every kind."""

from __future__ import annotations

from loopback.chaos.kinds import BY_NAME, KINDS
from loopback.chaos.plan import make_plan


def test_the_same_seed_makes_the_same_plan_and_another_one_another() -> None:
    assert make_plan(1, 60, 3) == make_plan(1, 60, 3)
    assert make_plan(1, 60, 3) != make_plan(2, 60, 3)


def test_every_kind_comes_up_in_time() -> None:
    plan = make_plan(5, 600, 3)
    assert {step.kind.name for step in plan} == set(BY_NAME)
    assert len(BY_NAME) == len(KINDS)
    assert {step.guild for step in plan} == {0, 1, 2}
    assert [step.at_s for step in plan] == sorted(step.at_s for step in plan)


def test_a_longer_run_begins_like_a_shorter_one() -> None:
    assert make_plan(3, 120, 2)[:20] == make_plan(3, 60, 2)[:20]


def test_without_kinds_nothing_is_done() -> None:
    assert make_plan(1, 60, 2, ()) == []
