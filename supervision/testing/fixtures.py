"""Fixtures for pytest. There is no plugin to enable: a ``conftest.py`` imports those it wants.

The first three take the name that anyio's own plugin looks for::

    from supervision.testing.fixtures import stage as stage, virtual_time as anyio_backend

Needs pytest, which ``supervision.testing`` itself does not.
"""

from __future__ import annotations

from typing import Any

import pytest

from ._clock import virtual_backend
from ._probe import Probe
from ._puppet import Stage


@pytest.fixture(params=["asyncio", "trio"])
def virtual_time(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Both backends one after the other, each with a clock that jumps."""
    return virtual_backend(request.param)


@pytest.fixture
def virtual_asyncio() -> tuple[str, dict[str, Any]]:
    """asyncio with a clock that jumps."""
    return virtual_backend("asyncio")


@pytest.fixture
def virtual_trio() -> tuple[str, dict[str, Any]]:
    """trio with a clock that jumps."""
    return virtual_backend("trio")


@pytest.fixture
def stage() -> Stage:
    """A fresh stage of puppets."""
    return Stage()


@pytest.fixture
def probe() -> Probe:
    """A fresh probe."""
    return Probe()
