"""What must stand in no file of the project: addresses of registries, paths of one machine, secrets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
FOLDERS = ("actors", "supervision", "loopback", "tests", "docs", ".ci")
SUFFIXES = {".py", ".md", ".toml", ".lock", ".yml", ".yaml", ".svg", ".cfg", ".txt", ".sh", ""}

FORBIDDEN = {
    "the address of a package registry": r"\bpypi\.[o]rg|python[h]osted|npmj[s]|[j]frog|[a]rtifactory",
    "a path of one machine": r"(?<![\w.:/])/(?:home|root|work|workspace|Users|mnt)/\w",
    "a bot token": r"\b[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6,7}\.[A-Za-z0-9_-]{27,}",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "an access token": r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abp]-|AKIA)[A-Za-z0-9_-]{16,}",
}
EXAMPLES = {
    "the address of a package registry": "https://files.python" + "hosted.org/x",
    "a path of one machine": "cd " + "/home" + "/somebody/src",
    "a bot token": "MTIzNDU2Nzg5MDEyMzQ1Njc4" + ".GabcDE." + "x" * 38,
    "a private key": "-----BEGIN EC " + "PRIVATE KEY-----",
    "an access token": "ghp_" + "a1" * 18,
}


def own_files() -> Iterator[Path]:
    """Every text file that belongs to the project; what building or running makes is left out."""
    inner = (file for folder in FOLDERS for file in (ROOT / folder).rglob("*"))
    outer = (file for file in ROOT.iterdir() if not file.name.startswith((".", "ostinato")))
    for file in (*inner, *outer):
        if file.is_file() and file.suffix in SUFFIXES and "__pycache__" not in file.parts:
            yield file


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    wrong = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in own_files()
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert wrong == []


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_pattern_finds_what_it_is_for(what: str) -> None:
    assert re.search(FORBIDDEN[what], EXAMPLES[what])


def test_the_search_sees_every_kind_of_file() -> None:
    seen = {file.name for file in own_files()}
    assert {
        "bot_main.py",
        "bot_commands.py",
        "pyproject.toml",
        "requirements.lock",
        "README.md",
        "Makefile",
        "run",
    } <= seen
