"""What the project depends on: declared once, locked with hashes, and without any address."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCK = "requirements.lock"
BENCH_LOCK = "requirements-bench.lock"
DEMANDED = ("discord.py", "yt-dlp", "PyNaCl", "anyio", "msgpack", "tenacity", "pytest-anyio")
"""The packages that requirement M7 names. That they are used is shown in test_house.py."""


@cache
def declared() -> dict[str, Requirement]:
    """Everything that pyproject.toml declares, extras included, by canonical name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    found = map(Requirement, [*project["dependencies"], *extras])
    return {canonicalize_name(r.name): r for r in found if r.name != project["name"]}


@cache
def compared() -> dict[str, Requirement]:
    """What the kernel's bench is compared with, by canonical name."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    return {canonicalize_name(r.name): r for r in map(Requirement, groups["bench"])}


@cache
def locked(file: str = LOCK) -> dict[str, tuple[str, int]]:
    """A lock file: canonical name -> version, number of hashes."""
    text = (ROOT / file).read_text("utf-8").replace("\\\n", " ")
    found: dict[str, tuple[str, int]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        pin, *rest = line.split()
        name, _, version = pin.partition("==")
        hashes = sum(word.startswith("--hash=sha256:") for word in rest)
        found[canonicalize_name(Requirement(name).name)] = (version, hashes)
    return found


@pytest.mark.parametrize("package", DEMANDED)
def test_a_demanded_package_is_declared_and_locked_with_hashes(package: str) -> None:
    name = canonicalize_name(package)
    assert name in declared()
    version, hashes = locked()[name]
    assert version
    assert hashes


def test_discord_is_declared_with_voice() -> None:
    assert declared()["discord-py"].extras == {"voice"}


def test_all_that_is_declared_is_locked_within_its_range() -> None:
    wrong = [
        f"{requirement} but {locked().get(name)}"
        for name, requirement in declared().items()
        if name not in locked() or not requirement.specifier.contains(locked()[name][0])
    ]
    assert wrong == []


def test_what_the_bench_compares_with_is_locked_apart() -> None:
    apart = locked(BENCH_LOCK)
    wrong = [str(r) for name, r in compared().items() if not r.specifier.contains(apart[name][0])]
    assert wrong == []
    assert not compared().keys() & locked().keys()


def test_the_lock_files_agree() -> None:
    both = locked().keys() & locked(BENCH_LOCK).keys()
    assert [name for name in both if locked()[name][0] != locked(BENCH_LOCK)[name][0]] == []


@pytest.mark.parametrize("file", [LOCK, BENCH_LOCK])
def test_every_line_of_a_lock_file_has_a_version_and_hashes(file: str) -> None:
    assert [name for name, (version, hashes) in locked(file).items() if not (version and hashes)] == []


@pytest.mark.parametrize("file", [LOCK, BENCH_LOCK])
def test_a_lock_file_holds_no_address(file: str) -> None:
    text = (ROOT / file).read_text("utf-8")
    assert "://" not in text
    assert "-url" not in text
