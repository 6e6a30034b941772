"""How deep property-based tests search."""

from __future__ import annotations

import os


def examples(quick: int) -> int:
    """So many in the suite; twenty times as many with DEEP=1 in the environment."""
    return quick * 20 if os.environ.get("DEEP") else quick
