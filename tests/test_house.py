"""The rules of the house: who imports whom, and that nobody touches another's private parts."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from actors.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
MAY_IMPORT: dict[str, set[str]] = {
    "bot_main": {"bot_commands", "actors"},
    "bot_commands": {"actors", "loopback"},
    "actors": {"supervision"},
    "supervision": set(),
    "loopback": set(),
}
HOUSE = {*MAY_IMPORT, "tests"}
ROOMS = ("actors.voice", "actors.media")
"""Rooms that know nothing of the guild tree: they import nothing else of the bot."""

DEMANDED = {"discord", "yt_dlp", "nacl", "anyio", "msgpack", "tenacity"}
"""The packages that requirement M7 names, as they are imported; pytest-anyio is used by its mark."""

DOCUMENTED = {"_exit", "_replace", "_asdict", "_fields", "_thread"}
"""Public by documentation in spite of their names: os._exit, methods of named tuples, the module _thread."""


@dataclass(frozen=True, slots=True)
class Import:
    """An import statement, by absolute names: ``from a import b`` may mean the module ``a.b``; both count."""

    names: tuple[str, ...]
    line: int

    @property
    def top(self) -> str:
        return self.names[0].partition(".")[0]


def imports_of(tree: ast.AST, module: str, *, package: bool) -> Iterator[Import]:
    """All imports, those inside functions and under ``TYPE_CHECKING`` included."""
    parts = module.split(".") if package else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import((alias.name,), node.lineno)
        elif isinstance(node, ast.ImportFrom):
            above = parts[: len(parts) + 1 - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield Import((base, *(f"{base}.{alias.name}" for alias in node.names)), node.lineno)


def private_uses(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Private attributes of anything but ``self`` and ``cls``, and those asked for by their text."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls")):
                continue
            case ast.Attribute(attr=name):
                pass
            case ast.Call(
                func=ast.Name(id="getattr" | "setattr" | "hasattr"),
                args=[_, ast.Constant(value=str(name)), *_],
            ):
                pass
            case _:
                continue
        if is_private(name):
            yield name, node.lineno


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__") and name not in DOCUMENTED


@cache
def modules() -> dict[str, tuple[Path, ast.Module]]:
    """Every module of the house: name -> file and syntax tree."""
    files = [ROOT / "bot_main.py", ROOT / "bot_commands.py"]
    for top in MAY_IMPORT:
        files += sorted((ROOT / top).rglob("*.py"))
    return {module_name(file): (file, ast.parse(file.read_text("utf-8"))) for file in files}


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def all_imports() -> Iterator[tuple[str, Import]]:
    for name, (file, tree) in modules().items():
        for found in imports_of(tree, name, package=file.name == "__init__.py"):
            yield name, found


def within(name: str, package: str) -> bool:
    return f"{name}.".startswith(f"{package}.")


def test_imports_go_one_way() -> None:
    wrong = [
        f"{name}:{found.line} imports {found.names[0]}"
        for name, found in all_imports()
        if (top := name.partition(".")[0]) != found.top and found.top in HOUSE - MAY_IMPORT[top]
    ]
    assert wrong == []


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_do_not_know_the_guild_tree(room: str) -> None:
    wrong = [
        f"{name}:{found.line} imports {found.names[0]}"
        for name, found in all_imports()
        if within(name, room) and found.top in HOUSE and not within(found.names[0], room)
    ]
    assert wrong == []


def test_the_kernel_imports_asyncio_in_one_file_at_most() -> None:
    users = {name for name, found in all_imports() if within(name, "supervision") and found.top == "asyncio"}
    assert len(users) <= 1, users


def test_the_kernel_knows_neither_discord_nor_music() -> None:
    third_party = {found.top for name, found in all_imports() if within(name, "supervision")}
    assert not third_party & {"discord", "aiohttp", "av", "yt_dlp", "nacl", "davey", "structlog"}


def test_no_private_attribute_of_another_object_is_touched_by_the_bot() -> None:
    wrong = [
        f"{name}:{line} uses {attribute}"
        for name, (_file, tree) in modules().items()
        if within(name, "actors") or name in {"bot_main", "bot_commands"}
        for attribute, line in private_uses(tree)
    ]
    assert wrong == []


def test_no_private_module_of_a_package_is_imported_by_the_bot() -> None:
    wrong = [
        f"{name}:{found.line} imports {imported}"
        for name, found in all_imports()
        if within(name, "actors") and not within(found.names[0], "actors") and found.top != "__future__"
        for imported in found.names
        if any(is_private(part) for part in imported.split("."))
    ]
    assert wrong == []


@pytest.mark.parametrize("module", sorted(DEMANDED))
def test_a_demanded_package_is_used(module: str) -> None:
    assert [name for name, found in all_imports() if found.top == module]


def test_the_suite_is_marked_as_anyios() -> None:
    trees = {file: ast.parse(file.read_text("utf-8")) for file in (ROOT / "tests").rglob("test_*.py")}
    marked = [
        file.name
        for file, tree in trees.items()
        if any(isinstance(n, ast.Attribute) and ast.unparse(n) == "pytest.mark.anyio" for n in ast.walk(tree))
    ]
    assert len(marked) > 5


def test_every_setting_is_read_by_the_bot() -> None:
    read = {
        node.attr
        for name, (_file, tree) in modules().items()
        if within(name, "actors") and name != "actors.settings"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith("settings")
    }
    assert {setting.name for setting in SETTINGS} - read == set()


def test_the_reader_of_imports_sees_relative_and_inner_ones() -> None:
    tree = ast.parse("def f():\n    from ..x import y\n    from . import z\n    import a.b\n")
    assert [found.names for found in imports_of(tree, "p.q.m", package=False)] == [
        ("p.x", "p.x.y"),
        ("p.q", "p.q.z"),
        ("a.b",),
    ]
    tree = ast.parse("from . import z\nfrom ..x import y")
    assert [found.names[1] for found in imports_of(tree, "p.q", package=True)] == ["p.q.z", "p.x.y"]


def test_the_reader_of_private_uses_sees_attributes_and_texts() -> None:
    tree = ast.parse(
        "self._a\nclient._b\nself.x._c\ngetattr(o, '_d')\no.__class__\ncls._e\nsetattr(self, n, 1)"
    )
    assert sorted(name for name, _line in private_uses(tree)) == ["_b", "_c", "_d"]
