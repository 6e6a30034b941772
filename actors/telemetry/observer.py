"""The actor that runs the telemetry, so that a fault of it is a restart and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.keeping import tell
from actors.telemetry.counting import kind_of
from supervision import Actor

if TYPE_CHECKING:
    from actors.telemetry.telemetry import Telemetry


class Observer(Actor):
    """What it has counted outlives it."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    async def on_start(self) -> None:
        """Look and listen beside. Its own restart is told before it listens."""
        if self.ctx.incarnation > 1:
            self._telemetry.meters.count("ostinato_actor_restarts_total", kind_of(self.ctx.path))
        self.ctx.start_soon(
            self._telemetry.run, self.ctx.system, lambda change: tell(self.ctx, "alerts", change)
        )
