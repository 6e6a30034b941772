"""The public face of the kernel."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import supervision
import supervision.chaos
import supervision.testing

if TYPE_CHECKING:
    from types import ModuleType

PACKAGE = Path(supervision.__file__).parent


@pytest.mark.parametrize("module", [supervision, supervision.testing])
def test_every_public_name_is_listed_and_there(module: object) -> None:
    """``__all__`` and what the package imports by ``X as X`` are the same names."""
    source = Path(str(getattr(module, "__file__", ""))).read_text()
    aliases = [
        alias
        for node in ast.parse(source).body
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
    ]

    assert all(alias.asname == alias.name for alias in aliases)
    assert sorted(alias.name for alias in aliases) == list(getattr(module, "__all__", []))
    assert all(hasattr(module, alias.name) for alias in aliases)


@pytest.mark.parametrize("module", [supervision, supervision.chaos, supervision.testing])
def test_every_public_name_is_in_the_typed_program(module: ModuleType) -> None:
    """``tests/typing/supervision_api.py``, which the type checker judges: a new name is used there."""
    program = Path(__file__).parents[1] / "typing" / "supervision_api.py"
    used = Counter(node.id for node in ast.walk(ast.parse(program.read_text())) if isinstance(node, ast.Name))

    assert [name for name in module.__all__ if not used[name]] == []


def test_public_things_are_documented() -> None:
    """Each public class and function says what it is."""
    missing = [
        name
        for module in (supervision, supervision.chaos)
        for name in module.__all__
        if not getattr(module, name).__doc__
    ]

    assert missing == []


def imports_of(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(str(node.module).partition(".")[0])
    return names


def test_asyncio_is_imported_in_one_file() -> None:
    """All that is asyncio's own stands in ``_native.py``; trio is imported by the testing kit only."""
    importers = {path.name for path in PACKAGE.rglob("*.py") if "asyncio" in imports_of(path)}

    assert importers == {"_native.py"}


def test_the_kernel_knows_nothing_of_the_house() -> None:
    """It imports neither the bot nor the loopback."""
    used = set[str]().union(*(imports_of(path) for path in PACKAGE.rglob("*.py")))

    assert used.isdisjoint({"actors", "loopback", "bot_main", "discord"})
