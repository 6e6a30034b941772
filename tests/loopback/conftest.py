"""A loopback, a bare bot in it, and its client of the voice server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loopback import Loopback
from tests.loopback.bare_bot import BareBot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from loopback.voice.probe import VoiceProbe


@pytest.fixture
async def discord() -> AsyncIterator[Loopback]:
    async with Loopback() as made:
        yield made


@pytest.fixture
def bot(discord: Loopback) -> BareBot:
    return BareBot(discord)


@pytest.fixture
async def client(bot: BareBot) -> AsyncIterator[VoiceProbe]:
    async with bot.probe() as probe:
        await probe.join()
        yield probe
