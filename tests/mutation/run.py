"""Break the kernel in small ways and see whether its tests notice it: ``python -m tests.mutation.run``.

mutmut writes the mutants (folder ``mutants``, settings in pyproject.toml) and shows them (``mutmut show``);
its own runner starts pytest anew for each, which for thousands of mutants takes hours. Here the tests are
collected once, and each mutant is a fork of that process which runs the tests that reach the mutated
function: first those that noticed its neighbours, then the quick ones, then the slow ones, up to the first
that fails. Limits are in processor time, so that a busy machine condemns nobody. Hypothesis draws the same
examples each time.

Without a pattern all mutants that nothing noticed yet are tried; with patterns (as of ``fnmatch``, over
mutmut's names) those that match are tried again. The verdicts lie in ``mutants/supervision/*.meta``, where
mutmut keeps them.
"""

from __future__ import annotations

import os
import shutil
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
from mutmut.__main__ import create_mutants
from mutmut.configuration import config
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.utils import file_utils

from tests.mutation.trials import SURVIVED, Trials

#: pytest-timeout's limit for one test of a mutant, in seconds of wall time: it notices what waits for ever.
HANGS_AFTER_S = 40


def generate() -> list[SourceFileMutationData]:
    """Write the mutants of every module that changed; verdicts of unchanged functions stay."""
    set_mutant_under_test("mutant_generation")
    Path("mutants").mkdir(exist_ok=True)
    forget_what_is_gone()
    file_utils.copy_src_dir()
    file_utils.copy_also_copy_files()
    file_utils.setup_source_paths()
    create_mutants(os.cpu_count() or 1)
    modules = [SourceFileMutationData(path=path) for path in file_utils.walk_mutatable_files()]
    for module in modules:
        module.load()
        module.meta_path = module.meta_path.absolute()
    set_mutant_under_test("")
    return modules


def forget_what_is_gone() -> None:
    """What was deleted since the last time, and texts that may be old: mutmut only ever adds."""
    shutil.rmtree("mutants/tests", ignore_errors=True)
    for text in Path("mutants/supervision").rglob("*.md"):
        text.unlink()
    for copy in Path("mutants/supervision").rglob("*.py"):
        if not copy.relative_to("mutants").exists():
            for each in (copy, copy.with_suffix(".py.meta"), copy.with_suffix(".py.spans")):
                each.unlink(missing_ok=True)


def chosen(modules: list[SourceFileMutationData], patterns: list[str]) -> dict[str, SourceFileMutationData]:
    """The mutants to try, each with the file that keeps its verdict."""
    found = {}
    for module in modules:
        verdicts = module.exit_code_by_key
        for name in [name for name in verdicts if any(fnmatch(name, pattern) for pattern in patterns)]:
            verdicts[name] = SURVIVED if verdicts[name] == SURVIVED else None
            found[name] = module
        if not patterns:
            found |= {name: module for name, verdict in verdicts.items() if verdict in (None, SURVIVED)}
    return found


def main(patterns: list[str]) -> int:
    """Try the mutants; returns pytest's exit code, 0 if the suite itself is sound."""
    options = config()
    mutants = chosen(generate(), patterns)
    print(f"{len(mutants)} mutants to try", flush=True)
    os.chdir("mutants")
    arguments = ["--rootdir=.", "--tb=native", "-qs", "-p", "no:cacheprovider", f"--timeout={HANGS_AFTER_S}"]
    selection = [*options.pytest_add_cli_args, *options.pytest_add_cli_args_test_selection]
    return int(pytest.main([*arguments, *selection], plugins=[Trials(mutants)]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
