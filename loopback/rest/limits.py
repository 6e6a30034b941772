"""Rate limits of REST: a bucket per route and major parameters, and refusals that a fault asks for."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.rest.call import Route
    from loopback.rest.conditions import Requests
    from loopback.world.model import Payload
    from loopback.world.world import World

MAJOR = ("channel_id", "guild_id", "webhook_id", "interaction_token", "token")


@dataclass(slots=True)
class Bucket:
    """Requests of one window; the window opens with the first of them."""

    resets_s: float = 0.0
    used: int = 0


@dataclass(slots=True)
class AskedLimit:
    """An injected refusal: the next `times` of these requests answer 429; `everywhere` = a global limit."""

    requests: Requests
    retry_after_s: float
    times: int
    everywhere: bool
    on_hit: Callable[[], None]

    def take(self, route: Route) -> bool:
        """Whether this request is refused; counts it."""
        if self.times <= 0 or not self.requests.include(route):
            return False
        self.times -= 1
        self.on_hit()
        return True


@dataclass(frozen=True, slots=True)
class Verdict:
    """Headers of the answer, and the body of a 429 if it is one."""

    headers: dict[str, str]
    refused: Payload | None = None


class Limits:
    """Counts requests and decides on them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._buckets: dict[tuple[str, ...], Bucket] = {}
        self.asked: list[AskedLimit] = []
        self.refusals = 0

    def judge(self, route: Route, params: dict[str, str]) -> Verdict:
        """Count one request."""
        asked = next((one for one in self.asked if one.take(route)), None)
        if asked is not None:
            return self._refuse(route, asked.retry_after_s, everywhere=asked.everywhere)
        now = self._world.now()
        bucket = self._bucket(route, params, now)
        if bucket.used >= route.requests and self._world.settings.rate_limits:
            return self._refuse(route, bucket.resets_s - now)
        bucket.used += 1
        return Verdict(_headers(route, max(route.requests - bucket.used, 0), bucket.resets_s - now))

    def _bucket(self, route: Route, params: dict[str, str], now: float) -> Bucket:
        key = (route.method, route.path, *(params.get(name, "") for name in MAJOR))
        bucket = self._buckets.setdefault(key, Bucket())
        if now >= bucket.resets_s:
            bucket.resets_s, bucket.used = now + route.window_s, 0
        return bucket

    def _refuse(self, route: Route, retry_after_s: float, *, everywhere: bool = False) -> Verdict:
        self.refusals += 1
        headers = _headers(route, 0, retry_after_s) | {
            "Retry-After": str(max(1, round(retry_after_s))),
            "X-RateLimit-Scope": "global" if everywhere else "user",
            "Via": "1.1 loopback",  # clients take a 429 without it for a ban of the CDN in front
        }
        if everywhere:
            headers["X-RateLimit-Global"] = "true"
        body = {"message": "You are being rate limited.", "retry_after": retry_after_s, "global": everywhere}
        return Verdict(headers, body)


def _headers(route: Route, remaining: int, reset_after_s: float) -> dict[str, str]:
    name = hashlib.sha256(f"{route.method} {route.path}".encode()).hexdigest()[:32]
    return {
        "X-RateLimit-Limit": str(route.requests),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": f"{time.time() + reset_after_s:.3f}",
        "X-RateLimit-Reset-After": f"{reset_after_s:.3f}",
        "X-RateLimit-Bucket": name,
    }
