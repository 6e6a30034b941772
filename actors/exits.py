"""How the process ends: its exit status, and the line that says why."""

from __future__ import annotations

import sys

OK, FAILED, BAD_USAGE = 0, 1, 2
"""Stopped on purpose; failed; usage or settings are wrong."""


def tell(code: int, words: str) -> int:
    """Say on standard error, in one line, why the command ends with this code."""
    sys.stderr.write(f"ostinato: {' '.join(words.split())}\n")
    return code
