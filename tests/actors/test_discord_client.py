"""The client's actor with a client that misbehaves."""

from __future__ import annotations

from typing import Any, cast

import anyio
import pytest

from actors import discord_client
from actors.discord_client import ClientHolder, DiscordClient
from actors.identify_pace import PAUSE_S, IdentifyPace
from actors.verdict import Verdict
from supervision import ChildSpec, SupervisorSpec, open_system

pytestmark = pytest.mark.anyio


class Hanging:
    """A client whose gateway answers no more: it neither ends nor closes."""

    def __init__(self) -> None:
        self.closing = False

    async def start(self, _token: str) -> None:
        await anyio.sleep_forever()

    async def close(self) -> None:
        self.closing = True
        await anyio.sleep_forever()


async def test_a_client_that_does_not_close_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(discord_client, "CLOSE_S", 0.05)
    holder, client = ClientHolder(), Hanging()
    actor = ChildSpec("discord", lambda: DiscordClient(lambda _: cast("Any", client), "t", holder, Verdict()))
    with anyio.fail_after(3.0):
        async with open_system(SupervisorSpec((actor,)), name="test"):
            while holder.current() is None:  # noqa: ASYNC110 - nobody tells
                await anyio.sleep(0.005)
            await anyio.sleep(0.05)
    assert client.closing
    assert holder.current() is None


def test_shards_identify_themselves_as_many_at_once_as_discord_allows() -> None:
    pace = IdentifyPace()
    first = [pace.delay_s(shard, 16, now=100.0) for shard in range(16)]
    second = [pace.delay_s(shard, 16, now=100.0 + PAUSE_S / 2) for shard in range(16, 40)]
    assert first == [0.0] * 16
    assert second == [PAUSE_S / 2] * 16 + [PAUSE_S * 1.5] * 8


def test_a_shard_that_comes_back_waits_the_whole_pause() -> None:
    pace = IdentifyPace()
    assert pace.delay_s(0, 1, now=0.0) == 0.0
    assert pace.delay_s(1, 1, now=1.0) == PAUSE_S - 1.0
    assert pace.delay_s(1, 1, now=1000.0) == PAUSE_S
    assert pace.delay_s(2, 1, now=1000.0) == 2 * PAUSE_S
