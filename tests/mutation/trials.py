"""The trials of mutants: a pytest plugin that runs the collected tests once per mutant, in a fork."""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import pytest
from mutmut.state import state

from tests.mutation.forks import Late, Work, allow, answers
from tests.mutation.switch import activate, bypass_trampolines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mutmut.mutation.data import SourceFileMutationData

#: mutmut's exit codes for the verdicts.
SURVIVED, KILLED, TIMEOUT = 0, 1, 36

#: What every mutant meets before any meets the rest, in seconds of processor time: cheap tests and dear ones.
CHEAP_S, DEAR_S = 0.3, 3.0


class Outcome(NamedTuple):
    """How a trial went: mutmut's exit code, and the test that noticed the mutant."""

    verdict: int
    noticed_by: str = ""


class Noticed(BaseException):
    """A test has failed: the trial is over, and what the mutant left behind need not be put away."""


class Measured(NamedTuple):
    """What a test costs in seconds of processor time, which functions it reaches, whether it is sound."""

    cost_s: float
    reach: frozenset[str]
    outcome: Outcome


def function_of(mutant: str) -> str:
    """The mutated function, as mutmut names it."""
    return mutant.partition("__mutmut_")[0]


class Trials:
    """Runs the trials instead of pytest's own loop."""

    def __init__(self, mutants: dict[str, SourceFileMutationData]) -> None:
        self._mutants = mutants
        self._cores = os.cpu_count() or 1
        self._workers = 4 * self._cores  # some mutants only wait, until their time is over
        self._items: dict[str, pytest.Item] = {}
        self._cost: dict[str, float] = {}
        self._reach: dict[str, set[str]] = defaultdict(set)
        self._noticed: dict[str, list[str]] = defaultdict(list)
        self._met: dict[str, list[str]] = defaultdict(list)
        self._failed = Outcome(SURVIVED)
        self._done = 0

    def pytest_configure(self) -> None:
        """Hypothesis without chance, without memory of former runs and without limits in wall time."""
        from hypothesis import HealthCheck, Phase, settings  # pytest wants to load that plugin itself

        settings.register_profile(
            "mutation",
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        settings.load_profile("mutation")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Measure who reaches what, then try the mutants: all on the quick tests, survivors on the others."""
        self._items = {item.nodeid: item for item in session.items}
        self._measure_all()
        bypass_trampolines()
        started = time.monotonic()
        new = [mutant for mutant in self._mutants if self._verdict(mutant) is None]
        self._round(new, self._quick_tests)
        left = [mutant for mutant in self._mutants if self._verdict(mutant) in (None, SURVIVED)]
        print(f"{len(left)} survived the quick tests ({time.monotonic() - started:.0f} s)", flush=True)
        left = self._round(left, self._other_tests)
        print(f"{len(left)} survived all tests ({time.monotonic() - started:.0f} s)", flush=True)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """The first failure ends the trial: the teardown of a test that hung would hang too."""
        if report.failed:
            hung = "Timeout (>" in report.longreprtext
            self._failed = Outcome(TIMEOUT if hung else KILLED, report.nodeid)
            raise Noticed

    def _measure_all(self) -> None:
        """Each test by itself, so that none finds prepared what it needs."""
        works = (Work(test, partial(self._measure, test), 600) for test in self._items)
        for test, measured in answers(works, self._cores):
            if not isinstance(measured, Measured) or measured.outcome.verdict != SURVIVED:
                pytest.exit(f"fails without a mutant: {test}", returncode=2)
            self._cost[test] = measured.cost_s
            for function in measured.reach:
                self._reach[function].add(test)

    def _measure(self, test: str) -> Measured:
        """In a fork."""
        activate("stats")
        before = time.process_time()
        outcome = self._run([test])
        return Measured(time.process_time() - before, frozenset(state()._stats), outcome)

    def _run(self, tests: Iterable[str]) -> Outcome:
        """In a fork: the tests up to the first that fails."""
        for test in tests:
            allow(1 + 3 * self._cost.get(test, 60))
            item = self._items[test]
            try:
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            except Noticed:
                break
        return self._failed

    def _round(self, mutants: list[str], tests_for: Callable[[str], list[str]]) -> list[str]:
        """Try each mutant on some tests; returns those that survived."""
        survived = list[str]()
        for mutant, outcome in answers(
            (self._trial(each, tests_for(each)) for each in mutants), self._workers
        ):
            if not isinstance(outcome, Outcome):
                outcome = Outcome(TIMEOUT if isinstance(outcome, Late) else KILLED)
            self._record(mutant, outcome)
            if outcome.verdict == SURVIVED:
                survived.append(mutant)
        return survived

    def _trial(self, mutant: str, tests: list[str]) -> Work:
        self._met[mutant].extend(tests)

        def run() -> Outcome:
            activate(mutant)
            return self._run(tests)

        return Work(mutant, run, wall_s=120 + 50 * sum(self._cost[test] for test in tests))

    def _quick_tests(self, mutant: str) -> list[str]:
        """What noticed the mutant's neighbours, a few cheap tests, then dear ones: properties fail early."""
        tests = sorted(self._tests(mutant), key=self._cost.__getitem__)
        noticed = Counter(self._noticed[function_of(mutant)])
        cheap = self._within(CHEAP_S, tests)
        dear = self._within(DEAR_S, [test for test in reversed(tests) if self._cost[test] < DEAR_S / 2])
        return list(dict.fromkeys([*(test for test, _ in noticed.most_common(20)), *cheap, *dear]))

    def _within(self, limit_s: float, tests: list[str]) -> list[str]:
        """The first of them that together take no more than that."""
        costs = accumulate(self._cost[test] for test in tests)
        return [test for test, cost_s in zip(tests, costs, strict=True) if cost_s <= limit_s]

    def _other_tests(self, mutant: str) -> list[str]:
        """The rest: what noticed the mutant's neighbours, then asyncio's before trio's, cheap ones first."""
        noticed = Counter(self._noticed[function_of(mutant)])
        others = set(self._tests(mutant)).difference(self._met[mutant])
        return sorted(others, key=lambda test: (-noticed[test], test.endswith("[trio]"), self._cost[test]))

    def _tests(self, mutant: str) -> Iterator[str]:
        reach = self._reach.get(function_of(mutant))
        return iter(self._items if reach is None else reach)

    def _verdict(self, mutant: str) -> int | None:
        verdicts: dict[str, int | None] = self._mutants[mutant].exit_code_by_key
        return verdicts[mutant]

    def _record(self, mutant: str, outcome: Outcome) -> None:
        module = self._mutants[mutant]
        module.exit_code_by_key[mutant] = outcome.verdict
        module.save()
        if outcome.noticed_by:
            self._noticed[function_of(mutant)].append(outcome.noticed_by)
        self._done += 1
        if self._done % 50 == 0:
            print(f"{self._done} trials", flush=True)
