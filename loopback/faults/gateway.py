"""Faults of the main gateway: closed, reset, asked to come back, late, or silent to heartbeats."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from loopback.faults.log import Fault, FaultKind
from loopback.gateway.conditions import Lateness

if TYPE_CHECKING:
    from loopback.faults.log import FaultLog
    from loopback.gateway.conditions import Shards
    from loopback.gateway.endpoint import Gateway
    from loopback.gateway.session import GatewaySession


class GatewayFaults:
    """What can go wrong with the connections of some shards (None: of all, also before they identify)."""

    def __init__(self, gateway: Gateway, log: FaultLog, shards: Shards = None) -> None:
        self._gateway = gateway
        self._log = log
        self._shards = shards

    def of(self, *shards: int) -> GatewayFaults:
        """The same for these shards alone."""
        return GatewayFaults(self._gateway, self._log, frozenset(shards))

    def close(self, code: int) -> Fault:
        """Close the connections with `code`; the sessions stay resumable."""
        fault = self._at_once(FaultKind.GATEWAY_CLOSED, str(int(code)))
        for session in self._affected:
            session.close(code)
        return fault

    def reset(self) -> Fault:
        """Cut the TCP connections with a RST; the sessions stay resumable."""
        fault = self._at_once(FaultKind.GATEWAY_RESET)
        for session in self._affected:
            session.cut()
        return fault

    def reconnect(self) -> Fault:
        """Op 7: the clients shall come back and resume."""
        fault = self._at_once(FaultKind.GATEWAY_RECONNECT)
        for session in self._affected:
            session.ask_to_reconnect()
        return fault

    def invalidate(self, *, resumable: bool) -> Fault:
        """Op 9: the clients shall resume (`resumable`), or have lost their sessions and identify anew."""
        fault = self._at_once(FaultKind.GATEWAY_INVALID, "resumable" if resumable else "")
        for session in self._affected:
            self._gateway.invalidate(session, resumable=resumable)
        return fault

    def latency(
        self, latency_ms: float, jitter_ms: float = 0.0, *, seed: int = 0, for_s: float | None = None
    ) -> Fault:
        """Let everything that the gateway sends leave later, besides the latency of the settings."""
        random = Random(seed)  # noqa: S311 - repeatable, no secret
        rule = Lateness(latency_ms, jitter_ms, self._shards, random)
        late = self._gateway.conditions.late
        detail = f"{latency_ms:g}+-{jitter_ms:g} ms"
        fault = self._log.begin(FaultKind.GATEWAY_LATE, detail=detail, undo=lambda: late.remove(rule))
        late.append(rule)
        fault.end_in(for_s)
        return fault

    def ignore_heartbeats(self, for_s: float | None = None) -> Fault:
        """Acknowledge no heartbeat, as if the connection had died on its way; everything else goes on."""
        ignored, shards = self._gateway.conditions.unacknowledged, self._shards
        fault = self._log.begin(FaultKind.GATEWAY_UNACKNOWLEDGED, undo=lambda: ignored.remove(shards))
        ignored.append(shards)
        fault.end_in(for_s)
        return fault

    @property
    def _affected(self) -> list[GatewaySession]:
        live = self._gateway.live_sessions
        return [one for one in live if self._shards is None or one.shard_id in self._shards]

    def _at_once(self, kind: FaultKind, detail: str = "") -> Fault:
        shards = "" if self._shards is None else f"shards {sorted(self._shards)}"
        return self._log.at_once(kind, detail=f"{detail} {shards}".strip())
