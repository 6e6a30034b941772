"""The voice sessions of many guilds end at the same moment: requests stay under the limit, listeners come
first, nobody is forgotten and nothing is lost. `make bench-mass` has 200 guilds and Discord's own figures.
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest

from actors.voice import LinkState
from actors.voice.turns import Pace, Rank, Turns
from loopback.voice.conditions import Opening, Refusal
from tests.actors.voice.conftest import BOT, Guild, Numbers, numbers_of

if TYPE_CHECKING:
    from tests.actors.voice.conftest import House

pytestmark = pytest.mark.anyio

GUILDS: Final = 16
LIMIT: Final = 6
WINDOW_S: Final = 0.4
LISTENED: Final = frozenset(range(1, GUILDS + 1, 2))
AUDIBLE: Final = (1, 2, 3)
LISTENER: Final = 400


async def join_all(house: House) -> list[Guild]:
    """On a shard each, so that the limit counts for nobody; then they are all of one."""
    guilds = [house.client.guild(number) for number in range(1, GUILDS + 1)]
    for guild in guilds:
        guild.shard_id = guild.id
        if guild.id in LISTENED:
            guild.channel(200).voice_states = {LISTENER: None}

    async def join(guild: Guild) -> None:
        channel: Any = guild.channel(200)
        await house.links.connect(channel, on_event=house.events.append)

    async with anyio.create_task_group() as tasks:
        for guild in guilds:
            tasks.start_soon(join, guild)
    for guild in guilds:
        guild.shard_id = 0
    return guilds


def note_requests(house: House, monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, int]]:
    """When which guild has sent op 4, from now on."""
    sent: list[tuple[float, int]] = []
    send = Guild.change_voice_state

    async def noted(self: Guild, **asked: Any) -> None:
        sent.append((time.monotonic(), self.id))
        await send(self, **asked)

    monkeypatch.setattr(Guild, "change_voice_state", noted)
    house.links._turns._sends[0] = Turns(Pace(dict.fromkeys(Rank, LIMIT), 0.001, 0.2))
    monkeypatch.setattr("actors.voice.turns.WINDOW_S", WINDOW_S)
    return sent


async def test_they_come_back_under_the_limit_listeners_first_and_none_is_forgotten(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """4006, and the next identify is refused, so that each needs new credentials from the main gateway."""
    guilds = await join_all(house)
    for guild_id in AUDIBLE:
        house.clock.stream(guild_id).play(Numbers(), "numbers", on_event=house.told.append)
        await house.voice.listener(guild_id).wait_frames(10, 5.0)
    sent = note_requests(house, monkeypatch)
    house.voice.conditions.refusals.append(Refusal(Opening.IDENTIFY, (4006,)))
    for guild in guilds:
        house.voice.close(guild.id, BOT, 4006)
    links = {link.guild_id: link for link in house.links.all()}
    await house.until(lambda: all(link.status().identifies == 2 for link in links.values()))

    assert all(link.state is LinkState.READY for link in links.values())
    assert sorted(guild_id for _, guild_id in sent) == sorted(links), "one request each"
    first = {guild_id for _, guild_id in sent[: len(LISTENED)]}
    assert len(first & LISTENED) >= len(LISTENED) - 1, "but for one that nobody else had asked before"
    spans = [later - earlier for (earlier, _), (later, _) in zip(sent, sent[LIMIT:], strict=False)]
    assert min(spans) >= 0.8 * WINDOW_S
    for guild_id in AUDIBLE:
        listener = house.voice.listener(guild_id)
        await listener.wait_frames(listener.heard + 10, 5.0)
        heard = numbers_of(listener.frames)
        assert heard[0] == 0
        assert all(later <= earlier + 1 for earlier, later in pairwise(heard)), "nothing is lost"
