"""How a guild's voice connection has fared, in words: what is kept of it over restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .recovery import Health


def when(at: float, style: str = "R") -> str:
    """A time (s since the epoch) as each reader's own Discord shows it; `R` counts down by itself."""
    return f"<t:{round(at)}:{style}>"


def fared(health: Health) -> str:
    """A few sentences, "" for a connection that was never tried."""
    return " ".join(filter(None, (_connected(health), _trouble(health), _attempts(health), _heart(health))))


def _connected(health: Health) -> str:
    if health.success_at is not None:
        return f"Last connected {when(health.success_at)}."
    return "It has never been connected." if health.attempt_at is not None else ""


def _trouble(health: Health) -> str:
    return "" if health.failed_at is None else f"In trouble since {when(health.failed_at)}."


def _attempts(health: Health) -> str:
    """Those since the latest success."""
    if not health.attempts or health.attempt_at is None:
        return ""
    if health.attempts == 1:
        return f"One attempt since then, {when(health.attempt_at)}."
    return f"{health.attempts} attempts since then, the latest {when(health.attempt_at)}."


def _heart(health: Health) -> str:
    if health.heartbeat_at is None:
        return ""
    took = "" if health.ping_ms is None else f", after {health.ping_ms:.0f} ms"
    return f"The voice server last answered a heartbeat {when(health.heartbeat_at)}{took}."
