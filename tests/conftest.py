"""Shared by the whole suite."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Tests run on asyncio, as the bot does; the kernel's tests widen this to every backend."""
    return "asyncio"
