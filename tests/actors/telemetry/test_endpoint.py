"""Metrics and health as whoever watches the bot fetches them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, cast

import aiohttp
import anyio
import pytest
from prometheus_client.parser import text_string_to_metric_families

from actors.recovery import Watch
from actors.settings import Address
from actors.telemetry import METRICS, Observer, Telemetry
from actors.telemetry.endpoint import Endpoint
from actors.telemetry.health_client import ask_health
from actors.voice import Clock, Expected
from supervision import ChildSpec, SupervisorSpec, open_system

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from supervision import System

pytestmark = pytest.mark.anyio


class Links:
    """Voice links of guilds, all there."""

    def __init__(self) -> None:
        self.there = [
            SimpleNamespace(guild_id=7, latency_ms=12.0),
            SimpleNamespace(guild_id=8, latency_ms=None),
        ]

    def all(self) -> list[Any]:
        return self.there

    def link(self, guild_id: int) -> Any:
        return next((link for link in self.there if link.guild_id == guild_id), None)


class Media:
    """Found three of four, and extracted once."""

    cached: ClassVar = {"extraction": (3, 1), "spool": (0, 0)}

    def listen(self, on_extraction: Callable[[str, float], None]) -> None:
        on_extraction("ok", 0.2)


class Client:
    """Discord's client."""

    gateway_away = False
    latency = 0.04
    guilds = (1, 2, 3)

    def is_ready(self) -> bool:
        return True


class Forever:
    """A source."""

    ended = False
    ahead = 100

    def next_frame(self) -> bytes | None:
        return b"frame"


class House:
    """The rooms that telemetry looks at, and what is wrong with them."""

    def __init__(self) -> None:
        self.clock, self.client = Clock(), Client()
        self.unsaved: str | None = None
        self.watch = Watch(lambda: None, list)
        self.telemetry = Telemetry(
            clock=self.clock,
            links=cast("Any", Links()),
            watch=self.watch,
            media=cast("Any", Media()),
            client=lambda: cast("Any", self.client),
            unsaved=lambda: self.unsaved,
        )


@asynccontextmanager
async def serving(house: House) -> AsyncIterator[tuple[System, str]]:
    """The endpoint beside its observer, and its address."""
    endpoints: list[Endpoint] = []

    def endpoint() -> Endpoint:
        endpoints.append(Endpoint(Address("127.0.0.1", 0), house.telemetry))
        return endpoints[-1]

    children = (ChildSpec("telemetry", lambda: Observer(house.telemetry)), ChildSpec("metrics", endpoint))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(house.clock.run)
        async with open_system(SupervisorSpec(children)) as system:
            yield system, f"http://127.0.0.1:{endpoints[-1].port}"
        tasks.cancel_scope.cancel()


async def fetch(address: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        return answer.status, await answer.text()


async def until(before: int, after: int, address: str) -> None:
    """The status changes soon."""
    with anyio.fail_after(5.0):
        while (status := (await fetch(address))[0]) == before:  # noqa: ASYNC110 - over HTTP nobody is told
            await anyio.sleep(0.02)
    assert status == after


async def test_metrics_are_those_of_the_table() -> None:
    """Whatever is served stands in the table, with its kind, besides the process's own."""
    house = House()
    async with serving(house) as (system, address):
        house.clock.stream(7).play(Forever(), "a", on_event=lambda _event: None)
        await system.kill("telemetry")
        status, text = await fetch(f"{address}/metrics")
    assert status == 200
    families = {family.name: family for family in text_string_to_metric_families(text)}
    own = {name for name in families if name.startswith(("ostinato", "voice"))}
    named = {row.name.removesuffix("_total"): row for row in METRICS}
    assert own == set(named), "nothing else, and nothing that nobody fills"
    assert {families[name].type for name in own} == {"counter", "gauge", "histogram"}
    assert all(families[name].type == named[name].kind.value for name in own)
    for name in own:
        served = {label for sample in families[name].samples for label in sample.labels}
        assert served <= {*named[name].labels, "le"}, "what dashboard and alerts group by"
    assert {"process_resident_memory_bytes", "ostinato_guilds", "voice_latency_ms"} <= set(families)
    values = {sample.name: sample.value for family in families.values() for sample in family.samples}
    assert values["ostinato_guilds"] == 3
    restarts = families["ostinato_actor_restarts"].samples
    assert {sample.labels["actor"]: sample.value for sample in restarts} == {"telemetry": 1}, "its own"
    assert values["ostinato_spool_lead_seconds"] == 2.0
    assert values["ostinato_resolve_seconds_sum"] == 0.2
    hits = {sample.labels["cache"]: sample.value for sample in families["ostinato_cache_hits"].samples}
    assert hits == {"extraction": 3, "spool": 0}


async def test_health_knows_whether_music_flows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guild that should hear music and is sent no frame makes it sick, a full disk unready. What player and
    connection have declared counts, whatever became of them since.
    """
    monkeypatch.setattr("actors.telemetry.telemetry.LOOK_EVERY_S", 0.02)
    monkeypatch.setattr("actors.telemetry.audio.UNHEARD_AFTER_S", 0.06)
    house = House()
    async with serving(house) as (_, address):
        assert (await fetch(f"{address}/healthz"))[0] == 200
        assert (await fetch(f"{address}/readyz"))[0] == 200
        house.unsaved = "no space left on device"
        status, text = await fetch(f"{address}/readyz")
        assert (status, "no space left" in text) == (503, True)
        assert (await fetch(f"{address}/healthz"))[0] == 200
        house.unsaved = None
        house.watch.means(7, there=True)
        house.watch.means(8, there=True)
        house.clock.stream(7).expected = Expected.NOW  # and no source: its player is down
        house.clock.stream(8).expected = Expected.SOON  # its track is being looked for
        house.clock.stream(99).expected = Expected.NOW  # nowhere to be heard
        await until(200, 503, f"{address}/healthz")
        assert '"unheard": {"7":' in (await fetch(f"{address}/healthz"))[1]
        house.clock.stream(7).expected = Expected.NOTHING
        await until(503, 200, f"{address}/healthz")
        assert (await fetch(f"{address}/metrics"))[1].count("ostinato_unheard_guilds 0.0") == 1
        house.clock.stream(7).expected = Expected.NOW
        await until(200, 503, f"{address}/healthz")
        house.watch.means(7, there=False)
        await until(503, 200, f"{address}/healthz")


async def test_the_command_line_asks_for_health() -> None:
    """One line and a verdict, also where nobody answers."""
    house = House()
    async with serving(house) as (_, address):
        port = int(address.rsplit(":", 1)[1])
        served = Address("127.0.0.1", port)
        assert await anyio.to_thread.run_sync(ask_health, served) == (True, "well, ready")
        house.client.gateway_away = True
        assert await anyio.to_thread.run_sync(ask_health, served) == (True, "well, not ready for commands")
    well, words = ask_health(served)
    assert not well
    assert words.startswith(f"nobody answers at 127.0.0.1:{port}")
