"""Every row of the table of voice faults, once, side by side: a guild for each, judged at its listener.

The server sends no RTCP and nobody listens end to end encrypted but where a row says so;
`make bench-faults` has the rest.
"""

from __future__ import annotations

import pytest

from loopback.faults.rows import GUILD_ROWS, LISTEN_S, UNDISTURBED, slowness
from tests.bench.faults.measure import Conditions, run
from tests.bench.faults.players import PLAYERS

pytestmark = pytest.mark.anyio


@pytest.mark.timeout(150)
async def test_every_fault_costs_the_listener_no_more_than_the_table_says() -> None:
    """Twenty guilds hear the same music; each suffers one fault, the last one none."""
    heard = await run(PLAYERS["ostinato"], Conditions(), LISTEN_S, GUILD_ROWS.__contains__)
    slow = slowness(heard[UNDISTURBED])
    judged = [(row.name, row.broken(report, slow), report) for row, report in heard.items()]
    assert [each for each in judged if each[1]] == []
