"""Shared by the whole suite."""

from __future__ import annotations

import pytest

#: pytest's own fixture for projects within a test: the kernel's kit is tried as its users try it.
pytest_plugins = ["pytester"]


@pytest.fixture
def anyio_backend() -> str:
    """Tests run on asyncio, as the bot does; the kernel's tests widen this to every backend."""
    return "asyncio"
