"""The heap is swept while nobody listens."""

from __future__ import annotations

import gc
from typing import Any

import anyio
import pytest

from actors.sweeping import (
    FULL,
    MIDDLE,
    STEP_AFTER,
    SWEEP_EVERY_S,
    collect_in_steps,
    come_up,
    quiet_start,
    sweep_in_silence,
)
from supervision import Collector, CollectorSettings
from supervision.testing import virtual_backend

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_backend("asyncio")


async def test_it_is_swept_each_hour_unless_a_stream_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    sweeps: list[float] = []
    collector = Collector(CollectorSettings())

    def sweep() -> float:
        sweeps.append(anyio.current_time())
        return 1.0

    monkeypatch.setattr(collector, "sweep", sweep)
    playing = iter([0, 2, 0])
    with anyio.move_on_after(3.5 * SWEEP_EVERY_S):
        await sweep_in_silence(collector, lambda: next(playing))
    assert sweeps == [SWEEP_EVERY_S, 3 * SWEEP_EVERY_S]


@pytest.mark.parametrize("streams", [100, 1000])
async def test_the_more_streams_play_the_more_often_a_step_is_taken(
    monkeypatch: pytest.MonkeyPatch, streams: int
) -> None:
    """So that each meets about as many objects; every eighth is of an older generation."""
    steps: list[tuple[float, int]] = []
    monkeypatch.setattr(gc, "collect", lambda generation: steps.append((anyio.current_time(), generation)))
    with anyio.move_on_after(STEP_AFTER * (FULL + 0.5) / streams):
        await collect_in_steps(lambda: streams)
    assert [time for time, _ in steps] == [STEP_AFTER * (1 + number) / streams for number in range(FULL)]
    older = [generation for _, generation in steps][MIDDLE - 1 :: MIDDLE]
    assert older == [1] * (FULL // MIDDLE - 1) + [2]
    assert sum(generation for _, generation in steps) == sum(older)


async def test_no_step_is_taken_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    monkeypatch.setattr(gc, "collect", steps.append)
    with anyio.move_on_after(60.0):
        await collect_in_steps(lambda: 0)
    assert not steps


async def test_the_collector_holds_still_until_the_bot_has_come_up() -> None:
    before = gc.get_threshold()
    with quiet_start() as collector:
        assert not gc.isenabled()
        frozen = gc.get_freeze_count()
        there: list[object] = [[number] for number in range(1000)]
        come_up()
        assert gc.isenabled()
        assert gc.get_freeze_count() >= frozen + len(there), "set aside, unseen"
        assert collector.full == 0
    assert (gc.isenabled(), gc.get_threshold()) == (True, before)
