"""The soak of the kernel: quickly in the suite, with every planted defect."""

from __future__ import annotations

import signal
from itertools import islice

import pytest

from tests.soak.kernel.__main__ import find_planted, main, soak_for
from tests.soak.kernel.findings import PATIENCE_S, as_python, examine, patience, smallest
from tests.soak.kernel.plants import PLANTS
from tests.soak.kernel.soaking import Coverage, named, soak, supply
from tests.supervision.reference import plays

SEED = "suite"


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_defect_is_found(plant: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each within a few seconds, and the report says so."""
    assert find_planted(plant, SEED)
    assert f"{plant:<28} found after" in capsys.readouterr().out


def test_a_finding_is_small_and_can_be_repeated() -> None:
    """The smallest play shows the defect, without the defect it is as foretold, and its text is the play."""
    with PLANTS["stop-forward"]():
        name, finding = next((name, found) for name, found in soak(SEED, Coverage()) if found is not None)
        assert finding is not None
        play, loop = named(name)
        again = examine(play, loop)
        small = smallest(finding)
    assert again == finding
    assert len(small.play.root.children) <= 2
    assert small.play.steps == ()
    assert examine(small.play, small.loop) is None
    assert eval(as_python(small.play), vars(plays).copy()) == small.play  # noqa: S307 - our own text


def test_the_kernel_as_it_is_passes(capsys: pytest.CaptureFixture[str]) -> None:
    """Every case of the tables is met within the first plays."""
    assert soak_for(0.01, SEED)
    assert "found nothing" in capsys.readouterr().out


def test_a_seed_repeats_the_plays() -> None:
    """The same plays, in the same order, each of which its name finds again."""
    runs = [list(islice(supply(SEED), 130)) for _ in range(2)]

    assert runs[0] == runs[1]
    assert all(named(name) == (play, loop) for name, play, loop in runs[0])


def test_the_exit_status_tells(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A name replays one play; a finding is told with what repeats it."""
    monkeypatch.setenv("SEED", f"{SEED}:case-0:asyncio")
    assert main()
    with PLANTS["stop-forward"]():
        assert not main()
    assert f"again: make soak-kernel SEED={SEED}:case-0:asyncio" in capsys.readouterr().out


def test_patience_counts_seconds_one_by_one() -> None:
    """So a process that was stopped for an hour in the middle of a play has found nothing."""
    survived: list[int] = []

    def hang() -> None:
        for second in range(1, 2 * PATIENCE_S):
            signal.raise_signal(signal.SIGALRM)
            survived.append(second)

    with pytest.raises(TimeoutError, match="did not end"), patience():
        hang()

    assert survived == list(range(1, PATIENCE_S))
