"""What is wrong with REST at the moment: answers of 5xx, and lateness. Nothing without an injected fault."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loopback.errors import RestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from loopback.rest.call import Route


def _nobody() -> None:
    """For a condition whose effects nobody counts."""


@dataclass(frozen=True, slots=True)
class Requests:
    """The requests that a condition is for: a method and a path as in the route table, None = any."""

    method: str | None = None
    path: str | None = None

    def include(self, route: Route) -> bool:
        """Whether the route is meant."""
        return self.method in (None, route.method) and self.path in (None, route.path)

    def __str__(self) -> str:
        return f"{self.method or '*'} {self.path or '*'}"


@dataclass(slots=True, eq=False)
class Failure:
    """The next `times` requests (None: all) are answered with this status and never reach their handler."""

    requests: Requests
    status: int
    times: int | None = None
    on_hit: Callable[[], None] = _nobody

    def take(self, route: Route) -> bool:
        """Whether this request fails; counts it."""
        if not self.requests.include(route) or self.times == 0:
            return False
        if self.times is not None:
            self.times -= 1
        self.on_hit()
        return True


@dataclass(slots=True, eq=False)
class RestConditions:
    """All conditions of REST, each added and removed by the fault that it belongs to."""

    failures: list[Failure] = field(default_factory=list)
    late_ms: list[tuple[Requests, float]] = field(default_factory=list)

    async def meet(self, route: Route) -> None:
        """Let a request wait its lateness. Raises the error of a failure that it meets."""
        late_ms = sum(one for requests, one in self.late_ms if requests.include(route))
        if late_ms:
            await asyncio.sleep(late_ms / 1000)
        for failure in self.failures:
            if failure.take(route):
                raise RestError(failure.status, 0, f"{failure.status}: injected")
