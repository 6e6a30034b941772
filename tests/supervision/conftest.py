"""The kernel's tests run on asyncio and on trio, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from supervision.testing import Stage, virtual_backend


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Both backends, each with a clock that jumps."""
    return virtual_backend(request.param)


@pytest.fixture
def stage() -> Stage:
    """A fresh stage of puppets."""
    return Stage()
