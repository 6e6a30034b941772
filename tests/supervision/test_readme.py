"""The kernel's README says what is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import supervision

README = (Path(supervision.__file__).parent / "README.md").read_text()


def test_the_example_runs_as_pasted(tmp_path: Path) -> None:
    """It is about 40 lines, runs alone, and prints what it should."""
    found = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert found is not None
    example = tmp_path / "example.py"
    example.write_text(found.group(1))

    run = subprocess.run([sys.executable, str(example)], capture_output=True, text=True, check=True)  # noqa: S603

    assert run.stdout.splitlines() == [
        "counter starts, incarnation 1",
        "2",
        "5",
        "counter crashed: ValueError: only upwards",
        "counter starts, incarnation 2",
        "1",
        "example [running]",
        "└─ counter [running, restarts 1, handled 4, last error ValueError: only upwards]",
    ]
    assert len(found.group(1).splitlines()) <= 45


def test_every_test_it_names_exists() -> None:
    """No rule without its test."""
    named = set(re.findall(r"`(test_\w+)`", README))
    there = {
        name
        for path in Path(__file__).parent.glob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text())
    }

    assert named
    assert named - there == set()
