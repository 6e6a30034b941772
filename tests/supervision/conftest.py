"""The kernel's tests run on asyncio and on trio, in virtual time."""

from __future__ import annotations

import os

from hypothesis import settings

from supervision.testing.fixtures import probe as probe, stage as stage, virtual_time as anyio_backend

__all__ = ["anyio_backend", "probe", "stage"]

# The same examples in every run, so that no branch is taken by luck; DEEP=1 looks for new ones (and
# make soak-kernel for a quarter of an hour).
settings.register_profile("suite", deadline=None, derandomize=True)
settings.register_profile("deep", deadline=None)
settings.load_profile("deep" if os.environ.get("DEEP") else "suite")
