"""The report on mutants, on the results of two made-up functions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.mutation.report import EXPLANATIONS, Mutant, explained, judge, main, read, table

if TYPE_CHECKING:
    from collections.abc import Callable

    Results = Callable[[dict[str, int | None]], list[Mutant]]

SOURCE = """\
def x_double__mutmut_orig(n: int) -> int:
    return 2 * n

def x_double__mutmut_1(n: int) -> int:
    return 3 * n

class Cup:
    def xǁCupǁfill__mutmut_orig(self) -> None:
        self.full = True

    def xǁCupǁfill__mutmut_1(self) -> None:
        self.full = None
"""
SPANS = {
    "x_double__mutmut_orig": (1, 2),
    "x_double__mutmut_1": (4, 5),
    "xǁCupǁfill__mutmut_orig": (8, 9),
    "xǁCupǁfill__mutmut_1": (11, 12),
}
DOUBLE, FILL = "kitchen.table.x_double__mutmut_1", "kitchen.table.xǁCupǁfill__mutmut_1"
CHANGE = "kitchen.table.Cup.fill: self.full = True -> self.full = None"


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Leaves what mutmut would leave, and reads it."""

    def leave(exit_codes: dict[str, int | None]) -> list[Mutant]:
        source = tmp_path / "kitchen" / "table.py"
        source.parent.mkdir(exist_ok=True)
        source.write_text(SOURCE, encoding="utf-8")
        Path(f"{source}.spans").write_text(json.dumps({"spans": SPANS}), encoding="utf-8")
        Path(f"{source}.meta").write_text(json.dumps({"exit_code_by_key": exit_codes}), encoding="utf-8")
        return list(read(tmp_path))

    return leave


def test_a_survivor_is_named_by_its_change(results: Results) -> None:
    killed, survivor = results({DOUBLE: 1, FILL: 0})
    assert (killed.verdict, survivor.verdict) == ("killed", "survived")
    assert survivor.change == CHANGE
    assert results({DOUBLE: 33, FILL: -24})[0].change == "kitchen.table.double: return 2 * n -> return 3 * n"


def test_the_share_and_the_explanations_decide(results: Results) -> None:
    survived = results({DOUBLE: 1, FILL: 0})
    assert judge(survived, {}).unexplained == [CHANGE]
    assert judge(survived, {CHANGE: "harmless", "gone": "harmless"}).outdated == ["gone"]
    assert not judge(survived, {CHANGE: "harmless"}).good  # half of them, explained or not
    assert judge(9 * results({DOUBLE: 1, FILL: 36}) + survived, {CHANGE: "harmless"}).good
    assert not judge(9 * results({DOUBLE: 1, FILL: 36}) + survived, {}).good


def test_an_untried_mutant_is_no_success(results: Results) -> None:
    findings = judge(results({DOUBLE: 1, FILL: None}), {})
    assert (findings.share, findings.untried, findings.good) == (1.0, 1, False)


def test_the_table_counts_by_module(results: Results) -> None:
    heading, row, total = table(results({DOUBLE: 36, FILL: None}))
    assert heading.split() == ["module", "killed", "timeout", "survived", "untried"]
    assert row.split() == ["kitchen.table", "0", "1", "0", "1"]
    assert total.split() == ["all", "0", "1", "0", "1"]


def test_no_results_are_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(tmp_path) == 1
    assert "0.0%" in capsys.readouterr().out


def test_every_explanation_names_a_module_that_exists() -> None:
    for change, reason in explained(EXPLANATIONS).items():
        assert reason
        module = Path(*change.split(":")[0].split("."))
        assert any(parent.with_suffix(".py").is_file() for parent in module.parents), change
