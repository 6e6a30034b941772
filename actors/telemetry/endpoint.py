"""Metrics and health over HTTP, for Prometheus, Docker and Kubernetes; off unless an address is set.

Only GET of three paths; nothing of it can be told to do anything, and nothing of it names a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from supervision import Actor

if TYPE_CHECKING:
    from actors.settings import Address
    from actors.telemetry.telemetry import Telemetry
    from supervision import ExitReason

_SHUTDOWN_S: Final = 0.5
_SICK: Final = 503


class Endpoint(Actor):
    """Serves `/metrics`, `/healthz` and `/readyz` for as long as it lives.

    :raises OSError: if the address cannot be bound
    """

    def __init__(self, address: Address, telemetry: Telemetry) -> None:
        self._address = address
        self._telemetry = telemetry
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """Where it listens; the system's choice if the address had port 0."""
        assert self._runner is not None  # noqa: S101 - for those who have started it
        return int(self._runner.addresses[0][1])

    async def on_start(self) -> None:
        """Listen."""
        served = web.Application()
        served.router.add_get("/metrics", self._answer_metrics)
        served.router.add_get("/healthz", self._answer_health)
        served.router.add_get("/readyz", self._answer_ready)
        self._runner = web.AppRunner(
            served, access_log=None, handle_signals=False, shutdown_timeout=_SHUTDOWN_S
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, self._address.host, self._address.port).start()

    async def on_stop(self, _reason: ExitReason) -> None:
        """Close every connection."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer_metrics(self, _request: web.Request) -> web.Response:
        return web.Response(
            body=await self._telemetry.metrics(self.ctx.system), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    async def _answer_health(self, _request: web.Request) -> web.Response:
        health = self._telemetry.health()
        return web.json_response(health.to_dict(), status=200 if health.well else _SICK)

    async def _answer_ready(self, _request: web.Request) -> web.Response:
        health = self._telemetry.health()
        return web.json_response(health.to_dict(), status=200 if health.ready else _SICK)
