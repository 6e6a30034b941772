"""What /healthz and /readyz answer: whether music flows, and whether the bot can take commands."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class BotHealth:
    """A moment of the bot.

    :ivar unheard: guilds that should hear music and get none, and for how long (s)
    :ivar clock: the sender of all streams runs
    :ivar connected: every shard of the main gateway is connected
    :ivar unsaved: why state cannot be written, None while it can
    """

    unheard: Mapping[int, float]
    clock: bool
    connected: bool
    unsaved: str | None

    @property
    def well(self) -> bool:
        """Nobody who should hear music misses it. A gateway that is away is no illness: the music goes on."""
        return self.clock and not self.unheard

    @property
    def ready(self) -> bool:
        """Commands can be given, and will be kept."""
        return self.well and self.connected and self.unsaved is None

    def to_dict(self) -> dict[str, Any]:
        """As JSON: `well`, `ready`, and what is behind them."""
        plain = asdict(self) | {"unheard": {str(key): round(age, 1) for key, age in self.unheard.items()}}
        return {"well": self.well, "ready": self.ready} | plain
