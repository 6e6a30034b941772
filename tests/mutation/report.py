"""What became of the kernel's mutants, and whether each survivor is explained.

``python -m tests.mutation.report`` reads what mutmut and ``tests.mutation.run`` left in the folder
``mutants``, and ``survivors.toml``. It ends with 1 below 90 % noticed, with a mutant that was not tried, or
with a survivor that nobody explained.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections import Counter
from difflib import ndiff
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The least share of mutants that the tests have to notice.
WANTED = 0.90
EXPLANATIONS = Path(__file__).with_name("survivors.toml")

#: mutmut's exit codes; a mutant for which pytest ended in another way was noticed, too.
VERDICTS = {None: "untried", 0: "survived", 33: "survived", 36: "timeout", -24: "timeout"}


class Mutant(NamedTuple):
    """A mutant, named in a way that outlives renumbering: where it is, and its lines before and after."""

    module: str
    change: str
    verdict: str


class Findings(NamedTuple):
    """What is wrong, in lines for people."""

    share: float
    unexplained: list[str]
    untried: int
    outdated: list[str]

    @property
    def good(self) -> bool:
        """Whether the suite of the kernel is as good as demanded."""
        return self.share >= WANTED and not self.unexplained and not self.untried


def read(folder: Path) -> Iterator[Mutant]:
    """All mutants below mutmut's folder.

    :raises OSError: there is no such folder, or it is not whole.
    """
    for meta in sorted(folder.rglob("*.py.meta")):
        source = meta.with_suffix("")
        module = ".".join(source.relative_to(folder).with_suffix("").parts)
        lines = source.read_text(encoding="utf-8").splitlines()
        spans = json.loads(source.with_suffix(".py.spans").read_text(encoding="utf-8"))["spans"]
        for name, exit_code in json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"].items():
            verdict = VERDICTS.get(exit_code, "killed")
            changed = change(name.removeprefix(f"{module}."), lines, spans) if verdict == "survived" else ""
            yield Mutant(module, f"{module}.{changed}", verdict)


def change(name: str, lines: list[str], spans: dict[str, tuple[int, int]]) -> str:
    """``Class.function: line before -> line after``, of a mutant by mutmut's name."""
    function = name.partition("__mutmut_")[0]
    before, after = (_body(each, lines, spans) for each in (f"{function}__mutmut_orig", name))
    changed = list(ndiff(before, after))
    old, new = (" ".join(line[2:] for line in changed if line.startswith(sign)) for sign in ("- ", "+ "))
    return f"{plain(function)}: {old} -> {new}"


def plain(function: str) -> str:
    """The name of a function as it is written: mutmut's are ``x_function`` and ``xǁClassǁmethod``."""
    return function.removeprefix("x_") if "ǁ" not in function else function[2:].replace("ǁ", ".")


def _body(function: str, lines: list[str], spans: dict[str, tuple[int, int]]) -> list[str]:
    """The lines of a function, with its name, which differs between mutants, left out."""
    first, last = spans[function]
    return [line.strip().replace(function, "") for line in lines[first - 1 : last]]


def explained(path: Path = EXPLANATIONS) -> dict[str, str]:
    """The reason for each survivor that has one."""
    groups = tomllib.loads(path.read_text(encoding="utf-8"))["group"]
    return {each: group["reason"] for group in groups for each in group["mutants"]}


def judge(mutants: list[Mutant], reasons: dict[str, str]) -> Findings:
    """Compare the survivors with the explanations."""
    verdicts = Counter(mutant.verdict for mutant in mutants)
    survivors = {mutant.change for mutant in mutants if mutant.verdict == "survived"}
    noticed = verdicts["killed"] + verdicts["timeout"]
    return Findings(
        noticed / max(1, len(mutants) - verdicts["untried"]),
        sorted(survivors - reasons.keys()),
        verdicts["untried"],
        sorted(reasons.keys() - survivors),
    )


def table(mutants: list[Mutant]) -> Iterator[str]:
    """Killed, survived and timeout by module, and of all."""
    columns = ("killed", "timeout", "survived", "untried")
    counts = {module: Counter[str]() for module in sorted({mutant.module for mutant in mutants})}
    for mutant in mutants:
        counts[mutant.module][mutant.verdict] += 1
    yield f"{'module':<32}" + "".join(f"{column:>10}" for column in columns)
    for module, count in [*counts.items(), ("all", sum(counts.values(), Counter[str]()))]:
        yield f"{module:<32}" + "".join(f"{count[column]:>10}" for column in columns)


def main(folder: Path = Path("mutants")) -> int:
    """Print the table and what is wrong; the exit code."""
    mutants = list(read(folder))
    findings = judge(mutants, explained())
    print("\n".join(table(mutants)))
    print(f"{findings.share:.1%} of those tried were noticed (at least {WANTED:.0%} are wanted)")
    for heading, lines in (
        ("survived, and not explained in survivors.toml", findings.unexplained),
        ("explained, but no survivor any more (or not in this form)", findings.outdated),
    ):
        print(f"{len(lines)} {heading}", *lines, sep="\n  ")
    return 0 if findings.good else 1


if __name__ == "__main__":
    sys.exit(main())
