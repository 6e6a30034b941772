"""The kernel's tests run on asyncio and on trio, in virtual time."""

from __future__ import annotations

from supervision.testing.fixtures import probe as probe, stage as stage, virtual_time as anyio_backend

__all__ = ["anyio_backend", "probe", "stage"]
