"""A random soak of the kernel, outside of the suite: ``make soak-kernel [MINUTES=15] [SEED=] [PLANT=]``.

It first plants defects into the kernel, one after the other, and says how long it took to find each; then
it performs random plays on the kernel as it is, for the time that was asked for, and compares every line
with the reference interpreter. The exit status is 1 if anything is found, or if a planted defect is not. A
seed repeats a run; the name of a play, as printed with a finding, repeats that play alone. ``PLANT=none``
leaves the planting out, ``PLANT=<name>`` plants that defect alone and does not soak.
"""

from __future__ import annotations

import os
import secrets
import sys
from time import monotonic

from tests.supervision.reference.timeline import Ambiguous

from .findings import Finding, examine, smallest
from .plants import PLANTS
from .soaking import Coverage, named, soak

#: Seconds between two lines of a report.
EVERY_S = 5.0
#: Seconds within which a planted defect has to be found.
PLANT_S = 120.0


def report(name: str, finding: Finding) -> None:
    print(f"FOUND in {name}: {smallest(finding)}\n    again: make soak-kernel SEED={name}", flush=True)


def find_planted(plant: str, seed: str) -> bool:
    """Whether the soak finds that defect; prints how fast."""
    begin, coverage = monotonic(), Coverage()
    with PLANTS[plant]():
        for name, finding in soak(seed, coverage):
            took_s = monotonic() - begin
            if finding is not None:
                small = smallest(finding, within_s=2.0)
                print(
                    f"{plant:<28} found after {took_s:6.2f} s, {coverage.plays.total():>6,} trees ({name}); "
                    f"shown by {len(small.play.steps)} steps",
                    flush=True,
                )
                return True
            if took_s > PLANT_S:
                break
    print(f"{plant:<28} NOT FOUND within {PLANT_S:.0f} s", flush=True)
    return False


def soak_for(minutes: float, seed: str) -> bool:
    """Whether nothing was found in that time; it goes on until every case of the tables was met."""
    coverage, begin = Coverage(), monotonic()
    told_s = 0.0
    for name, finding in soak(seed, coverage):
        took_s = monotonic() - begin
        if finding is not None:
            report(name, finding)
            return False
        if took_s - told_s >= EVERY_S:
            told_s = took_s
            print(f"{took_s:7.0f} s {coverage.status()}  found nothing", flush=True)
        if took_s >= 60 * minutes and not coverage.missing():
            break
    print(f"\n{coverage.table()}\n\n{monotonic() - begin:.0f} s {coverage.status()}")
    loops = ", ".join(f"{number:,} on {loop}" for loop, number in coverage.plays.items())
    print(f"{loops}; {coverage.ambiguous} left out as ambiguous; found nothing")
    return True


def replay(name: str) -> bool:
    try:
        finding = examine(*named(name))
    except Ambiguous:
        print(f"{name}: the rules leave open what happens first")
        return True
    if finding is None:
        print(f"{name}: as foretold")
    else:
        report(name, finding)
    return finding is None


def main() -> bool:
    """Whether all is well."""
    seed = os.environ.get("SEED") or secrets.token_hex(4)
    plant, minutes = os.environ.get("PLANT") or "all", float(os.environ.get("MINUTES") or 15)
    if ":" in seed:
        return replay(seed)
    print(f"seed {seed}", flush=True)
    plants = {"all": tuple(PLANTS), "none": ()}.get(plant, (plant,))
    found = [find_planted(each, seed) for each in plants]
    return all(found) and (plant not in ("all", "none") or soak_for(minutes, seed))


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
