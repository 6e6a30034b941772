"""The kernel's README says what is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import supervision

README = (Path(supervision.__file__).parent / "README.md").read_text()


def example_after(heading: str) -> str:
    """The first program below a heading."""
    found = re.search(r"```python\n(.*?)```", README.partition(f"\n{heading}\n")[2], re.DOTALL)
    assert found is not None
    return found.group(1)


def printed_by(program: str, folder: Path) -> list[str]:
    """The lines that it prints when it is run alone, with this very package."""
    file = folder / "example.py"
    file.write_text(program)
    here = str(Path(supervision.__file__).parents[1])
    env = os.environ | {"PYTHONPATH": here}
    run = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, check=True, env=env)  # noqa: S603
    return run.stdout.splitlines()


def test_the_example_runs_as_pasted(tmp_path: Path) -> None:
    """It is about 40 lines, runs alone, and prints what it should."""
    example = example_after("## Paste and run")

    assert printed_by(example, tmp_path) == [
        "counter starts, incarnation 1",
        "2",
        "5",
        "counter crashed: ValueError: only upwards",
        "counter starts, incarnation 2",
        "1",
        "example [running]",
        "└─ counter [running, restarts 1, handled 4, last error ValueError: only upwards]",
    ]
    assert len(example.splitlines()) <= 45


def test_the_example_of_chaos_prints_the_same_whenever_it_is_run(tmp_path: Path) -> None:
    """It is decided by its seed."""
    assert printed_by(example_after("## Chaos"), tmp_path) == [
        "0.15 s kill ping",
        "0.23 s hang ping",
        "0.36 s kill pong",
        "0.50 s hang ping",
        "pong of incarnation 2",
    ]


#: Name -> file, of every test of the kernel.
TESTS = {
    name: path.name
    for path in sorted(Path(__file__).parent.glob("test_*.py"))
    for name in re.findall(r"def (test_\w+)", path.read_text())
}


def link(name: str) -> str:
    """How the constitution names a test."""
    return f"[`{name}`](../tests/supervision/{TESTS.get(name, 'no such test')})"


def rules() -> list[tuple[str, str, str]]:
    """Rule, reason and tests of every row."""
    section = README.partition("\n## The constitution\n")[2].partition("\n## ")[0]
    rows = [re.split(r"(?<!\\) ?\| ?", line)[1:-1] for line in section.splitlines() if line.startswith("| ")]
    return [(row[0], row[1], row[2]) for row in rows if row != ["rule", "reason", "test"]]


def test_every_rule_has_its_reason_and_its_tests() -> None:
    """And it is a table of three columns throughout."""
    assert len(rules()) > 50
    for rule, reason, tests in rules():
        assert rule
        assert reason
        assert re.search(r"`test_\w+`", tests), f"no test holds: {rule}"


def test_every_test_it_names_exists() -> None:
    """No rule without its test, in the prose neither."""
    named = set(re.findall(r"`(test_\w+)`", README))

    assert named - set(TESTS) == set()


def test_every_rule_links_its_tests() -> None:
    """To the file each stands in. (What is missing is shown as it should be.)"""
    unlinked = [
        link(name)
        for _, _, tests in rules()
        for name in re.findall(r"`(test_\w+)`", tests)
        if link(name) not in tests
    ]

    assert unlinked == []
