"""Media made once for all tests, a server that misbehaves, and a running media service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from actors.media import Media
from actors.media.testing import RECIPES, tone
from loopback.fault_server import FaultServer, fault_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECONDS = 5.0


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop for a module, so that its tests can share a service."""
    return "asyncio"


@pytest.fixture(scope="session")
def files() -> dict[str, bytes]:
    """A tone of 5 s in every form, by the recipe's name."""
    return {name: tone(recipe, SECONDS, title=f"The {name} song") for name, recipe in RECIPES.items()}


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with fault_server() as running:
        yield running


@pytest.fixture(scope="module")
async def media(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Media]:
    """A service that may read from this machine; one for a module, for yt-dlp takes most of a second."""
    service = Media(allow_private=True, work_dir=tmp_path_factory.mktemp("media"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(service.run)
        yield service
        tasks.cancel_scope.cancel()
    service.close()
