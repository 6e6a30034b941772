"""Faults of the UDP path: black holes, loss, delay and jitter."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from loopback.faults.log import Fault, FaultKind
from loopback.voice.network import Direction, Weather

if TYPE_CHECKING:
    from loopback.faults.scope import Scope


class UdpFaults:
    """What can go wrong between the bot and the UDP ports, for the guilds of a scope.

    `direction` is seen from the bot, `for_s` None = until it is ended; `server` limits it to one voice server
    (from 0, see `VoiceServer.server_of`), so that another one still works.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def hole(
        self,
        for_s: float | None = None,
        *,
        direction: Direction = Direction.BOTH,
        server: int | None = None,
    ) -> Fault:
        """A black hole: everything is swallowed without a word."""
        rule = Weather(direction, self._scope.guilds, server, loss=1.0)
        return self._begin(FaultKind.UDP_HOLE, f"{direction.name}", rule, for_s)

    def loss(
        self,
        share: float,
        *,
        seed: int,
        for_s: float | None = None,
        direction: Direction = Direction.BOTH,
        server: int | None = None,
    ) -> Fault:
        """Lose a share (0 to 1) of the datagrams, drawn with the seed."""
        rule = Weather(direction, self._scope.guilds, server, loss=share, random=_seeded(seed))
        return self._begin(FaultKind.UDP_LOSS, f"{direction.name} {share:g}", rule, for_s)

    def delay(
        self,
        delay_ms: float,
        jitter_ms: float = 0.0,
        *,
        seed: int = 0,
        for_s: float | None = None,
        direction: Direction = Direction.BOTH,
        server: int | None = None,
    ) -> Fault:
        """Let datagrams arrive later, give or take up to `jitter_ms` drawn with the seed."""
        rule = Weather(
            direction,
            self._scope.guilds,
            server,
            delay_ms=delay_ms,
            jitter_ms=jitter_ms,
            random=_seeded(seed),
        )
        return self._begin(
            FaultKind.UDP_DELAY, f"{direction.name} {delay_ms:g}+-{jitter_ms:g} ms", rule, for_s
        )

    def mute_keep_alives(self, *, for_s: float | None = None) -> Fault:
        """Keep-alives arrive but do not come back."""
        mute, guilds = self._scope.voice.conditions.mute_keep_alives, self._scope.guilds
        fault = self._scope.begin(FaultKind.KEEP_ALIVES_UNANSWERED, "", undo=lambda: mute.remove(guilds))
        mute.append(guilds)
        fault.end_in(for_s)
        return fault

    def rtcp(self, interval_s: float | None, *, for_s: float | None = None) -> Fault:
        """The server sends RTCP unasked, as often as said; None = not at all, whatever the settings say."""
        voice, entry = self._scope.voice, (self._scope.guilds, interval_s)

        def undo() -> None:
            voice.conditions.rtcp.remove(entry)
            voice.restart_rtcp()

        fault = self._scope.begin(FaultKind.RTCP, f"every {interval_s} s", undo=undo)
        voice.conditions.rtcp.append(entry)
        voice.restart_rtcp()
        fault.end_in(for_s)
        return fault

    def _begin(self, kind: FaultKind, detail: str, rule: Weather, for_s: float | None) -> Fault:
        rules = self._scope.voice.conditions.network.rules
        fault = self._scope.begin(kind, detail, undo=lambda: rules.remove(rule))
        rules.append(rule)
        fault.end_in(for_s)
        return fault


def _seeded(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - repeatable, no secret
