"""The actor that runs the telemetry, so that a fault of it is a restart and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.keeping import tell
from supervision import Actor

if TYPE_CHECKING:
    from actors.telemetry.telemetry import Telemetry


class Observer(Actor):
    """What it has counted outlives it."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    async def on_start(self) -> None:
        """Look and listen beside."""
        self.ctx.start_soon(
            self._telemetry.run, self.ctx.system, lambda change: tell(self.ctx, "alerts", change)
        )
