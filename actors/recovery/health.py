"""How a guild's voice connection has fared, as it is kept over restarts."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Health:
    """Times in seconds since the epoch; None where there was none yet.

    :ivar heartbeat_at: when the voice server last acknowledged a heartbeat
    :ivar ping_ms: round trip of the voice websocket then
    :ivar close_code: of the latest voice close, with its reason in words
    :ivar attempts: attempts to connect since the latest success
    :ivar attempt_at: when the latest of these began
    :ivar failed_at: the first failure since the latest success
    :ivar success_at: when frames could last begin to leave
    """

    heartbeat_at: float | None = None
    ping_ms: float | None = None
    close_code: int | None = None
    reason: str | None = None
    attempts: int = 0
    attempt_at: float | None = None
    failed_at: float | None = None
    success_at: float | None = None

    def tried(self, at: float) -> Health:
        """One more attempt begins."""
        return replace(self, attempts=self.attempts + 1, attempt_at=at)

    def failed(self, at: float, code: int | None, reason: str | None) -> Health:
        """The connection broke, or an attempt failed."""
        first = at if self.failed_at is None else self.failed_at
        return replace(self, close_code=code, reason=reason, failed_at=first)

    def well(self, at: float) -> Health:
        """Frames can leave."""
        return replace(self, attempts=0, failed_at=None, success_at=at)

    def beaten(self, at: float, ping_ms: float | None) -> Health:
        """A heartbeat was acknowledged."""
        return replace(self, heartbeat_at=at, ping_ms=ping_ms)

    def to_dict(self) -> dict[str, Any]:
        """For msgpack."""
        return {name: getattr(self, name) for name in _NAMES}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Health:
        """What `to_dict` gave; names that are not there have their default, and unknown ones are left out."""
        return cls(**{name: plain[name] for name in _NAMES if name in plain})


_NAMES = tuple(item.name for item in fields(Health))
