"""Which mutant is active in this process, at the cost of no look-up where that can be."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

from mutmut.mutation import trampoline

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX, _SUFFIX = "mutants_", "__mutmut"


def activate(mutant: str) -> None:
    """Make this process, and those it starts, run one mutant (mutmut's name of it)."""
    trampoline.set_mutant_under_test(mutant)
    trampoline.get_mutant_under_test = lambda: (
        mutant
    )  # instead of the environment, at every call of the kernel
    for owner, name, variants in _methods():
        changed = variants.get(mutant.rpartition(".")[2])
        if changed is not None and owner.__module__ == mutant.rpartition(".")[0]:
            _put(owner, name, changed)


def bypass_trampolines() -> None:
    """Call methods directly: mutmut's wrappers, which choose at each call, take half of the suite's time."""
    for owner, name, variants in _methods():
        _put(owner, name, variants["_mutmut_orig"])


def _put(owner: type, name: str, function: Any) -> None:
    function.__name__, function.__qualname__ = name, f"{owner.__qualname__}.{name}"
    setattr(owner, name, function)


def _methods() -> Iterator[tuple[type, str, dict[str, Any]]]:
    """Plain methods of the kernel that have mutants: class, name, and the variants by mutmut's names."""
    for module in [module for name, module in sys.modules.items() if name.startswith("supervision.")]:
        for label, variants in list(vars(module).items()):
            if label.startswith(f"{_PREFIX}xǁ") and label.endswith(_SUFFIX):
                _, owner_name, name = label.removeprefix(_PREFIX).removesuffix(_SUFFIX).split("ǁ")
                owner = getattr(module, owner_name)
                if inspect.isfunction(vars(owner).get(name)):
                    yield owner, name, variants
