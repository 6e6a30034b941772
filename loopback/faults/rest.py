"""Faults of REST: rate limits, errors of the server, lateness."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loopback.faults.log import Fault, FaultKind
from loopback.rest.conditions import Failure, Requests
from loopback.rest.limits import AskedLimit

if TYPE_CHECKING:
    from loopback.faults.log import FaultLog
    from loopback.rest.api import Rest


class RestFaults:
    """What can go wrong with REST. Routes are named as in the route table: "POST",
    "/channels/{channel_id}/messages"; None = any method, any path."""

    def __init__(self, rest: Rest, log: FaultLog) -> None:
        self._rest = rest
        self._log = log

    def rate_limit(
        self,
        method: str | None = None,
        path: str | None = None,
        *,
        retry_after_s: float,
        times: int = 1,
        everywhere: bool = False,
    ) -> Fault:
        """Answer 429 to the next requests; `everywhere` = it says that the limit is the global one."""
        requests, asked = Requests(method, path), self._rest.limits.asked
        fault = self._log.begin(
            FaultKind.REST_LIMITED, detail=f"{requests} x{times}", undo=lambda: asked.remove(limit)
        )
        limit = AskedLimit(requests, retry_after_s, times, everywhere, fault.hit)
        asked.append(limit)
        return fault

    def fail(
        self,
        status: int = 500,
        method: str | None = None,
        path: str | None = None,
        *,
        times: int | None = None,
        for_s: float | None = None,
    ) -> Fault:
        """Answer with an error of the server, as often (None: always) and for as long as is said."""
        requests, failures = Requests(method, path), self._rest.conditions.failures
        fault = self._log.begin(
            FaultKind.REST_FAILED, detail=f"{status} {requests}", undo=lambda: failures.remove(failure)
        )
        failure = Failure(requests, status, times, fault.hit)
        failures.append(failure)
        fault.end_in(for_s)
        return fault

    def latency(
        self,
        late_ms: float,
        method: str | None = None,
        path: str | None = None,
        *,
        for_s: float | None = None,
    ) -> Fault:
        """Answer later, ms."""
        late, entry = self._rest.conditions.late_ms, (Requests(method, path), late_ms)
        fault = self._log.begin(
            FaultKind.REST_LATE, detail=f"{late_ms:g} ms {entry[0]}", undo=lambda: late.remove(entry)
        )
        late.append(entry)
        fault.end_in(for_s)
        return fault
