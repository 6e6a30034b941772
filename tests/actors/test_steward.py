"""No link is left without the tree of its guild. In virtual time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest

from actors import keeping
from actors.envelope import encode
from actors.guild import GUILDS
from actors.startup import Startup
from actors.steward import LOOK_EVERY_S, TURNS, Steward
from actors.store import StoreError
from supervision import Actor, ChildSpec, DynamicSupervisorSpec, SupervisorSpec, open_system
from supervision.testing import virtual_backend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

OWNED, UNOWNED, STARTED, REMEMBERED = 1, 2, 3, 4


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_backend("asyncio")


class Links:
    """Two guilds with a link and no tree, one of which has lost its owner as it said; and one with a tree."""

    def all(self) -> list[Any]:
        return [SimpleNamespace(guild_id=guild_id) for guild_id in (STARTED, OWNED)]

    def unowned(self) -> list[int]:
        return [UNOWNED]

    async def disconnect(self, guild_id: int) -> None:
        pass


class Store:
    """Of a bot that was in the channel of one guild when it ended, on a disk that fails at first."""

    def __init__(self) -> None:
        self.failures = 3

    async def blobs(self, _part: str) -> dict[int, bytes]:
        if self.failures:
            self.failures -= 1
            raise StoreError("disk I/O error")
        return {REMEMBERED: encode({"channel_id": 1})}

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
    async with open_system(spec) as system:
        tree = SupervisorSpec((ChildSpec("persistence", Actor),))
        await system.start_child(GUILDS, ChildSpec(str(STARTED), tree))
        yield ensured


async def test_what_an_owner_has_let_go_of_is_seen_to_within_a_second(ensured: list[int]) -> None:
    await anyio.sleep(LOOK_EVERY_S + 0.1)
    assert [guild_id for guild_id in ensured if guild_id != REMEMBERED] == [UNOWNED]


async def test_the_guilds_of_before_are_started_though_the_disk_fails_at_first(
    ensured: list[int],
) -> None:
    await anyio.sleep(4 * keeping.AGAIN_AT_MOST_S)
    assert ensured.count(REMEMBERED) == 1


async def test_an_owner_that_ended_without_a_word_is_noticed_as_well(ensured: list[int]) -> None:
    await anyio.sleep(TURNS * LOOK_EVERY_S + 0.1)
    assert ensured.count(UNOWNED) == TURNS
    assert ensured.count(OWNED) == 1
    assert STARTED not in ensured
