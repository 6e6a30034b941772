"""Trouble of Discord as a whole, and alerts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from actors.recovery import Alert, Incident, Recovery, Step, Watch
from actors.recovery.events import Rested
from actors.recovery.watch import FEW, OVERDUE_S


@dataclass
class Gateway:
    latency: float = 0.05
    gateway_away: bool = False


def fail(watch: Watch, guild_id: int) -> None:
    """The connection of a guild breaks."""
    before = Recovery()
    after = replace(before, incident=Incident("1", 0.0))
    watch.stepped(Step(guild_id, before, Rested(0.0), after, ()))


class House:
    """A watch over links whose heartbeats a test makes late."""

    def __init__(self, links: int = 0) -> None:
        self.gateway: Gateway | None = Gateway()
        self.waits: list[float | None] = [None] * links
        self.at = 0.0
        self.watch = Watch(lambda: self.gateway, lambda: self.waits, lambda: self.at)

    def stretch(self) -> float:
        self.at += 10.0
        return self.watch.stretch()


@pytest.mark.parametrize(
    ("latency_s", "factor"), [(0.05, 1.0), (float("nan"), 1.0), (1.0, 1.5), (3.5, 2.0), (float("inf"), 2.0)]
)
def test_a_slow_gateway_stretches_the_pauses(latency_s: float, factor: float) -> None:
    house = House()
    house.gateway = Gateway(latency_s)
    assert house.stretch() == factor


def test_a_gateway_that_is_away_does_so_too() -> None:
    house = House()
    house.gateway = Gateway(gateway_away=True)
    assert house.stretch() == 2.0
    house.gateway = None
    assert house.stretch() == 2.0
    house.gateway = Gateway()
    assert house.stretch() == 1.0


@pytest.mark.parametrize(
    ("failing", "links", "factor"),
    [(FEW - 1, FEW - 1, 1.0), (FEW, 100, 1.0), (20, 100, 2.0), (60, 100, 3.0), (FEW, 0, 3.0)],
)
def test_many_guilds_that_fail_at_once_do_so_too(failing: int, links: int, factor: float) -> None:
    house = House(links)
    for guild_id in range(failing):
        fail(house.watch, guild_id)
        fail(house.watch, guild_id)
    assert house.stretch() == factor
    for guild_id in range(failing):
        house.watch.settled(guild_id)
    assert house.stretch() == 1.0


def test_many_missed_voice_heartbeats_do_so_too() -> None:
    house = House(10)
    house.waits[:FEW] = [OVERDUE_S] * FEW
    assert house.stretch() == 3.0


def test_the_figures_are_not_looked_at_for_every_guild() -> None:
    house = House()
    assert house.stretch() == 1.0
    house.gateway = None
    assert house.watch.stretch() == 1.0
    assert house.stretch() == 2.0


def test_an_alert_is_told_with_its_guild_and_words() -> None:
    told: list[Alert] = []
    house = House()
    house.watch.on_alert = told.append
    house.watch.alert("unknown_close_codes", 7, "three in a row")
    assert told == [Alert("unknown_close_codes", 7, "three in a row")]
