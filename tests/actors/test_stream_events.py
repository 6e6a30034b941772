"""What a stream tells arrives in order, also at a player whose mailbox is full for a while."""

from __future__ import annotations

from typing import Any, cast

import anyio
import pytest

from actors.messages import StreamEnded, StreamRewound, StreamStarted
from actors.stream_events import AGAIN_S, KEPT, StreamEvents
from actors.voice import Ended, Rewound, Started
from supervision import ActorStopped, MailboxFull, SupervisionError
from supervision.testing import virtual_backend

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", [virtual_backend("asyncio")])]


class Player:
    path = "guilds/1/player"

    def __init__(self) -> None:
        self.told: list[object] = []
        self.trouble: SupervisionError | None = None

    def tell(self, message: object) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.told.append(message)


@pytest.fixture
def player() -> Player:
    return Player()


@pytest.fixture
def events(player: Player) -> StreamEvents:
    return StreamEvents(cast("Any", player))


async def test_a_full_mailbox_delays_events_and_keeps_their_order(
    player: Player, events: StreamEvents
) -> None:
    player.trouble = MailboxFull("full")
    events.tell(Ended("a", 100, None))
    await anyio.sleep(2.5 * AGAIN_S)
    events.tell(Started("b"))
    assert player.told == []
    player.trouble = None
    events.tell(Rewound(3))
    assert player.told == [], "nothing overtakes what waits"
    await anyio.sleep(AGAIN_S)
    assert player.told == [StreamEnded("a", 100), StreamStarted("b"), StreamRewound(3)]
    events.tell(Started("c"))
    assert player.told[3:] == [StreamStarted("c")]


async def test_what_waits_is_bounded(player: Player, events: StreamEvents) -> None:
    player.trouble = MailboxFull("full")
    for number in range(2 * KEPT):
        events.tell(Started(str(number)))
    player.trouble = None
    await anyio.sleep(AGAIN_S)
    assert player.told == [StreamStarted(str(number)) for number in range(KEPT, 2 * KEPT)]


async def test_a_player_that_has_stopped_is_told_nothing_more(player: Player, events: StreamEvents) -> None:
    player.trouble = ActorStopped("stopped")
    events.tell(Started("a"))
    player.trouble = None
    await anyio.sleep(2 * AGAIN_S)
    assert player.told == []
    events.tell(Started("b"))
    assert player.told == [StreamStarted("b")]
