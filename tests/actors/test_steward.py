"""No link is left without the tree of its guild. In virtual time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest

from actors.guild import GUILDS
from actors.startup import Startup
from actors.steward import LOOK_EVERY_S, THOROUGH, Steward
from supervision import ChildSpec, DynamicSupervisorSpec, SupervisorSpec, open_system
from supervision.testing import virtual_backend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

OWNED, UNOWNED = 1, 2


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_backend("asyncio")


class Links:
    """Two guilds with a link and no tree; one has lost its owner, of the other nobody said so."""

    def all(self) -> list[Any]:
        return [SimpleNamespace(guild_id=guild_id) for guild_id in (OWNED, UNOWNED)]

    def unowned(self) -> list[int]:
        return [UNOWNED]

    async def disconnect(self, guild_id: int) -> None:
        pass


class Store:
    """Of a bot that was in no channel when it ended."""

    async def blobs(self, _part: str) -> dict[int, bytes]:
        return {}

    async def current_entries(self) -> dict[int, str]:
        return {}


@pytest.fixture
async def ensured() -> AsyncIterator[list[int]]:
    """The guilds whose trees the steward has started, again and again as none comes."""
    ensured: list[int] = []

    async def ensure(_system: object, guild_id: int) -> None:
        ensured.append(guild_id)

    def steward() -> Steward:
        return Steward(cast("Any", Links()), cast("Any", Store()), Startup(), ensure)

    spec = SupervisorSpec((ChildSpec(GUILDS, DynamicSupervisorSpec()), ChildSpec("steward", steward)))
    async with open_system(spec):
        yield ensured


async def test_what_an_owner_has_let_go_of_is_seen_to_within_a_second(ensured: list[int]) -> None:
    await anyio.sleep(LOOK_EVERY_S + 0.1)
    assert ensured == [UNOWNED]


async def test_an_owner_that_ended_without_a_word_is_noticed_as_well(ensured: list[int]) -> None:
    await anyio.sleep(THOROUGH * LOOK_EVERY_S + 0.1)
    assert ensured == [UNOWNED] * (THOROUGH - 1) + [OWNED, UNOWNED]
